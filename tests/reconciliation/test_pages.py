"""Reconciliation as finance walks it: import, look, decide, book, trace."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import cast as as_type

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.accounts.models import Person
from marketplace.actor import Role
from marketplace.ledger import chart
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import SweepPosting
from marketplace.reconciliation import fetching, overview, passes
from marketplace.reconciliation.models import BankAccount, BankStatement, OpenItem, StatementMatch
from marketplace.reconciliation.states import LineState, MatchState, StatementState
from tests.cast import Cast
from tests.factories.accounts import a_person
from tests.reconciliation.camt import Entry, Statement, document
from tests.reconciliation.world import (
    MONDAY,
    NOON,
    FakeStripe,
    a_payout,
    a_sweep,
    an_account,
    bank_says,
    line,
    post,
)
from tests.visitor import Visitor, words

PATHS = ("", "import", "statements", "matches", "items", "deposits", "unapplied")


@pytest.fixture(autouse=True)
def thursday() -> Iterator[None]:
    with clock.at(NOON + timedelta(days=3)):
        yield


@pytest.fixture
def fin(app: Flask, cast: Cast) -> Visitor:
    return cast.visitor(app, cast.fin)


def upload(fin: Visitor, data: bytes, name: str = "bank.xml") -> str:
    fin.get("/reconciliation/import")
    return words(fin.post("/reconciliation/import", file=(io.BytesIO(data), name)))


def test_at_first_there_is_nothing(fin: Visitor) -> None:
    assert "Nothing was fetched from Stripe yet." in words(fin.get("/reconciliation/"))
    assert "No statement yet" in words(fin.get("/reconciliation/statements"))
    assert "Nothing is open" in words(fin.get("/reconciliation/items"))


def test_a_statement_comes_in_twice(fin: Visitor) -> None:
    day = Statement(MONDAY, 0, [Entry(500, "Gift"), Entry(-100, "Charge")])

    assert "2 new, 0 already here." in upload(fin, document(day))
    assert "This very file was imported before." in upload(fin, document(day))
    assert "0 new, 2 already here." in upload(fin, document(day, message="2"))


def test_a_statement_that_comes_in_is_matched_at_once(session: Session, fin: Visitor, cast: Cast) -> None:
    a_sweep(session, (cast.fin, cast.gil))
    said = upload(
        fin, document(Statement(MONDAY, 0, [Entry(90_000, "STRIPE TRACE TR0042"), Entry(5, "Gift")]))
    )

    assert "2 new, 0 already here. One line was matched by itself." in said
    items = words(fin.get("/reconciliation/items"))
    assert "$0.05" in items
    assert "$900.00" not in items


def test_what_is_wrong_with_a_file_is_said(fin: Visitor) -> None:
    assert "This is not a statement in a format known here (camt.053)." in upload(fin, b"hello", "a.txt")
    wrong = upload(fin, document(Statement(MONDAY, 0, [Entry(500)], closing=501)))
    assert "Opening balance and lines make $5.00, but the closing balance says $5.01." in wrong
    assert "Contradicts itself" in wrong


def test_everything_ties_out(session: Session, fin: Visitor, cast: Cast) -> None:
    stripe = FakeStripe()
    sweep = a_sweep(session, (cast.fin, cast.gil))
    stripe.moved(None, "payout", sweep.stripe_id or "", -90_000)
    bank_says(session, cast.fin, Entry(90_000, "STRIPE TRACE TR0042"))
    fetching.fetch_stripe(session, as_type(Gateway, stripe))
    passes.run(session)

    home = words(fin.get("/reconciliation/"))
    assert "Everything ties out." in home
    assert overview.status(session)["ties_out"] is True
    shown = words(fin.get(f"/reconciliation/lines/{line(session, 'STRIPE TRACE TR0042').public_id}"))
    assert "Pass 3: a sweep and the bank by trace id" in shown
    assert "The bank's text holds Stripe's trace id. The amounts are equal." in shown


def test_a_tie_is_decided_on_the_page(session: Session, fin: Visitor, cast: Cast) -> None:
    for _n in range(2):
        a_sweep(session, (cast.fin, cast.gil), trace=None)
    bank_says(session, cast.fin, Entry(90_000, "STRIPE 0"), Entry(90_000, "STRIPE 1"))
    passes.run(session)

    assert "Another one fits as well" in words(fin.get("/reconciliation/matches?state=proposed"))
    first = session.scalars(sa.select(StatementMatch).filter_by(state=MatchState.PROPOSED)).first()
    assert first is not None
    assert "Explained" in words(fin.post(f"/reconciliation/matches/{first.public_id}/confirmation"))
    undone = words(fin.post(f"/reconciliation/matches/{first.public_id}/undoing", note="The other one"))
    assert "The match is undone, and its entry reversed." in undone
    assert ledger.balance(session, chart.bank_operating(), "USD") == 0


def test_a_charge_is_booked_on_the_page(session: Session, fin: Visitor, cast: Cast) -> None:
    bank_says(session, cast.fin, Entry(-1_500, "ACCOUNT SERVICE CHARGE"), opening=1_000_000)
    passes.run(session)
    path = f"/reconciliation/lines/{line(session, 'ACCOUNT SERVICE CHARGE').public_id}"
    items = words(fin.get("/reconciliation/items"))
    assert "Nobody knows yet" in items
    assert "Bank line of Wed 4 Nov 2026 ACCOUNT SERVICE CHARGE" in items
    assert "-$15.00" in items

    assert "Choose one." in words(fin.post(f"{path}/booking", reason="Monthly"))
    assert "Explained" in words(fin.post(f"{path}/booking", book_as="charge", reason="Monthly charge"))
    account = session.scalars(sa.select(BankAccount)).one()
    fin.post(f"/reconciliation/bank-accounts/{account.public_id}/opening")

    assert ledger.balance(session, chart.bank_operating(), "USD") == 998_500
    assert "Nothing is open" in words(fin.get("/reconciliation/items"))


def test_what_no_line_explains_is_named_in_words_and_leads_to_the_overview(
    session: Session, fin: Visitor, cast: Cast
) -> None:
    stripe = FakeStripe()
    post(session, "topup:1", "paid", [(chart.stripe_balance(), 900), (chart.owner_capital(), -900)])
    stripe.moved("acct_ana", "payout", "po_ana", -500)
    a_payout(session, an_account(session, a_person(session, "Ana Alvarez", Role.EXPERT)), 500)
    stripe.contents["po_ana"] = []
    bank_says(session, cast.fin, Entry(500, "Gift"), opening=700)
    line(session, "Gift").state = LineState.MATCHED
    session.commit()
    fetching.fetch_stripe(session, as_type(Gateway, stripe))
    passes.run(session)

    answer = fin.get("/reconciliation/items")
    said = words(answer)
    assert "The money at the bank, account 1010" in said
    assert "Ana Alvarez’s account at Stripe acct_ana" in said
    assert "Bank account …2345 what it held before its first statement" in said
    assert "topup 1 booked on Mon 2 Nov 2026" in said
    assert "bank operating" not in said
    assert 'href="/reconciliation/#experts"' in answer.get_data(as_text=True)
    assert "the ledger is newer, as of now" in words(fin.get("/reconciliation/"))


def test_an_opening_balance_is_offered_while_there_is_something_to_book(
    session: Session, fin: Visitor, cast: Cast
) -> None:
    bank_says(session, cast.fin, opening=0)
    path = f"/reconciliation/bank-accounts/{session.scalars(sa.select(BankAccount)).one().public_id}/opening"
    assert "Book the opening balance" not in words(fin.get("/reconciliation/"))
    assert "There is nothing to book" in words(fin.post(path))

    bank_says(session, cast.fin, Entry(400, "Gift"), opening=-400, on=MONDAY)
    assert "Account …2345 held -$4.00 before its first statement" in words(fin.get("/reconciliation/"))
    assert "The opening balance is booked" in words(fin.post(path))

    bank_says(session, cast.fin, Entry(500, "Gift"), opening=-900, on=MONDAY - timedelta(days=3))
    assert "The opening balance of account …2345 is off by -$5.00" in words(fin.get("/reconciliation/"))


def test_a_wrong_copy_is_set_aside_on_its_page_and_comes_back(
    session: Session, fin: Visitor, cast: Cast
) -> None:
    bank_says(session, cast.fin, Entry(500, "Gift"), on=MONDAY)
    upload(fin, document(Statement(MONDAY, 0, [Entry(-500, "Wrong")], closing=500)))
    wrong = session.scalars(sa.select(BankStatement).filter_by(state=StatementState.CONTRADICTS)).one()
    path = f"/reconciliation/statements/{wrong.public_id}"
    assert "-$5.00" in words(fin.get("/reconciliation/items"))

    assert "Fill this in." in words(fin.post(f"{path}/setting-aside", reason=""))
    aside = words(fin.post(f"{path}/setting-aside", reason="A wrong copy"))
    assert "Set aside by Fin Farrell" in aside
    assert "“A wrong copy”" in aside
    assert "Set this statement aside" not in aside
    assert "-$5.00" not in words(fin.get("/reconciliation/items"))
    assert "Set aside" in words(fin.get("/reconciliation/statements"))

    back = words(fin.post(f"{path}/return"))
    assert "The statement counts again, with its lines." in back
    assert "Contradicts itself" in back
    assert "-$5.00" in words(fin.get("/reconciliation/items"))


def test_a_bank_account_that_is_not_ours_is_set_aside_on_its_page(
    session: Session, fin: Visitor, cast: Cast
) -> None:
    bank_says(session, cast.fin, Entry(500, "Gift"), opening=700)
    path = f"/reconciliation/bank-accounts/{session.scalars(sa.select(BankAccount)).one().public_id}"
    shown = words(fin.get(path))
    assert "Opening balance that is not booked $7.00 Lines that nobody explained $5.00" in shown
    assert "Closing balance of the bank $12.00" in shown
    fin.post(f"{path}/opening")
    assert "Set this account aside" not in words(fin.get(path))
    assert "Book $7.00" in words(fin.post(f"{path}/opening/undoing", reason="Not ours"))

    aside = words(fin.post(f"{path}/setting-aside", reason="Of another company"))
    assert "Set aside by Fin Farrell" in aside
    assert "…2345" not in words(fin.get("/reconciliation/"))
    assert "The account counts again" in words(fin.post(f"{path}/return"))
    assert "…2345" in words(fin.get("/reconciliation/"))


def test_a_bank_account_that_begins_with_nothing_says_so(session: Session, fin: Visitor, cast: Cast) -> None:
    bank_says(session, cast.fin, Entry(500, "Gift"))
    path = f"/reconciliation/bank-accounts/{session.scalars(sa.select(BankAccount)).one().public_id}"

    shown = words(fin.get(path))
    assert "begins with $0.00, so there is nothing to book" in shown
    assert "as the operator’s own money" not in shown


def test_a_statement_shows_lines_that_another_brought_first(
    session: Session, fin: Visitor, cast: Cast
) -> None:
    bank_says(session, cast.fin, Entry(500, "Gift"), on=MONDAY)
    wrong = Statement(MONDAY, 0, [Entry(500, "Gift")], closing=700)
    upload(fin, document(wrong))
    found = session.scalars(sa.select(BankStatement).filter_by(state=StatementState.CONTRADICTS)).one()

    shown = words(fin.get(f"/reconciliation/statements/{found.public_id}"))
    assert "Opening balance $0.00 Lines $5.00 one line Closing balance $7.00" in shown
    assert "Gift" in shown
    assert "Sum of one line $5.00" in shown


def test_a_statement_is_read_from_top_to_bottom(session: Session, fin: Visitor, cast: Cast) -> None:
    upload(fin, document(Statement(MONDAY, 0, [Entry(500, "First"), Entry(-100, "Second")])))
    found = session.scalars(sa.select(BankStatement)).one()

    page = fin.get(f"/reconciliation/statements/{found.public_id}")
    shown = words(page)
    assert shown.index("First") < shown.index("Second")
    assert "Sum of 2 lines $4.00" in shown
    assert f'href="/reconciliation/files/{found.file.public_id}"' in page.text
    assert f'href="/reconciliation/bank-accounts/{found.account.public_id}"' in page.text


def test_the_overview_leads_to_what_is_next(session: Session, fin: Visitor, cast: Cast) -> None:
    assert "Clear the open items" not in words(fin.get("/reconciliation/"))
    stripe = FakeStripe()
    for _n in range(2):
        sweep = a_sweep(session, (cast.fin, cast.gil), trace=None)
        stripe.moved(None, "payout", sweep.stripe_id or "", -90_000)
    fetching.fetch_stripe(session, as_type(Gateway, stripe))
    upload(fin, document(Statement(MONDAY, 0, [Entry(5, "Gift")])))
    shown = words(fin.get("/reconciliation/"))
    assert "One item waits to be cleared." in shown
    assert "Clear the open items" in shown
    assert "All kinds · 3" in words(fin.get("/reconciliation/items"))

    upload(fin, document(Statement(MONDAY + timedelta(days=1), 5, [Entry(90_000, "STRIPE")])), "next.xml")
    deciding = words(fin.get("/reconciliation/"))
    assert "Decide the proposed matches" in deciding
    assert "Clear the open items" not in deciding


def test_an_item_is_taken(session: Session, fin: Visitor, cast: Cast) -> None:
    bank_says(session, cast.fin, Entry(5, "Gift"))
    passes.run(session)
    item = session.scalars(sa.select(OpenItem)).one()

    assert "Yours" in words(fin.post(f"/reconciliation/items/{item.public_id}/owner"))


def test_from_the_bank_line_down_to_the_fees(session: Session, fin: Visitor, cast: Cast) -> None:
    post(session, "approval:7", "approved", [(chart.suspense(), 90_000), (chart.client_fees(), -90_000)])
    fee = ledger.entries_for(session, "approval:7")[0].postings[1]
    sweep = a_sweep(session, (cast.fin, cast.gil))
    session.add(SweepPosting(sweep_id=sweep.id, posting_id=fee.id))
    session.commit()
    bank_says(session, cast.fin, Entry(90_000, "STRIPE TRACE TR0042"))
    passes.run(session)
    shown = words(fin.get(f"/reconciliation/lines/{line(session, 'STRIPE TRACE TR0042').public_id}"))

    assert "4010 Client fees" in shown
    assert "Sum of one posting $900.00" in shown


def test_a_sweep_leads_to_the_bank_line_that_shows_it(session: Session, fin: Visitor, cast: Cast) -> None:
    sweep = a_sweep(session, (cast.fin, cast.gil))
    pages = ("/sweeps", f"/sweeps/{sweep.public_id}")
    for path in pages:
        assert "Not on a bank statement yet" in words(fin.get(path))

    bank_says(session, cast.fin, Entry(90_000, "STRIPE TRACE TR0042"))
    passes.run(session)
    found = line(session, "STRIPE TRACE TR0042").public_id
    for path in pages:
        shown = fin.get(path)
        assert "Bank line of Wed 4 Nov 2026" in words(shown)
        assert f'href="/reconciliation/lines/{found}"' in shown.text

    fin.post(
        f"/reconciliation/matches/{session.scalars(sa.select(StatementMatch.public_id)).one()}/undoing",
        note="Not it",
    )
    for path in pages:
        assert "Not on a bank statement yet" in words(fin.get(path))


def test_the_fees_in_a_sweep_are_paged(session: Session, fin: Visitor, cast: Cast) -> None:
    sweep = a_sweep(session, (cast.fin, cast.gil), 51 * 100)
    for n in range(51):
        source = f"approval:{n}"
        post(session, source, "approved", [(chart.suspense(), 100), (chart.client_fees(), -100)])
        fee = ledger.entries_for(session, source)[0].postings[1]
        session.add(SweepPosting(sweep_id=sweep.id, posting_id=fee.id))
        session.commit()
    bank_says(session, cast.fin, Entry(5_100, "STRIPE TRACE TR0042"))
    passes.run(session)
    first = fin.get(f"/reconciliation/lines/{line(session, 'STRIPE TRACE TR0042').public_id}")
    second = fin.get(next_of(first.text))

    assert words(first).count("4010 Client fees") == 50
    assert words(second).count("4010 Client fees") == 1
    assert "Sum of 51 postings $51.00" in words(second)


def test_experts_accounts_that_differ_are_named_and_paged(session: Session, fin: Visitor, cast: Cast) -> None:
    stripe = FakeStripe()
    experts = [cast.ana, *[a_person(session, f"Expert {n:02}", Role.EXPERT) for n in range(51)]]
    for n, expert in enumerate(experts):
        person = session.get_one(Person, expert.id)
        an_account(session, person, f"acct_{n:02}")
        held = chart.expert_held(person.public_id)
        post(session, f"payout_item:{n}", "sent", [(held, 300), (chart.held_contra(), -300)])
        stripe.moved(f"acct_{n:02}", "payment", f"py_{n}", 100 if n else 300)
    fetching.fetch_stripe(session, as_type(Gateway, stripe))

    first = fin.get("/reconciliation/")
    assert "51 experts' Stripe balances are not what the ledger remembers." in words(first)
    assert "Not as remembered: 51 of 52 accounts" in words(first)
    second = words(fin.get(next_of(first.text)))
    assert words(first).count("$3.00 $1.00 $2.00") == 50
    assert second.count("$3.00 $1.00 $2.00") == 1
    assert "Ana Alvarez" not in words(first) + second
    assert overview.status(session)["connected_accounts_off"] == [f"acct_{n:02}" for n in range(1, 52)]


def next_of(text: str) -> str:
    """Where the list goes on."""
    (more,) = re.findall(r'rel="next"\s+href="([^"]+)"', text)
    return html.unescape(more)


def test_from_an_experts_deposit(session: Session, fin: Visitor, cast: Cast) -> None:
    account = an_account(session, session.get_one(Person, cast.ana.id))
    a_payout(session, account, 40_000)
    session.commit()

    assert "Ana Alvarez" in words(fin.get("/reconciliation/deposits"))
    assert "Stripe has not said yet" in words(fin.get("/reconciliation/deposits/po_ana"))
    assert fin.get("/reconciliation/deposits/po_else").status_code == 404


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("who", ["ana", "carla", "rev", "opa", "zed"])
def test_nobody_else_sees_it(app: Flask, cast: Cast, path: str, who: str) -> None:
    assert cast.visitor(app, getattr(cast, who)).get(f"/reconciliation/{path}").status_code == 404
