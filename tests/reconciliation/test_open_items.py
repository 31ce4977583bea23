"""What nothing explains is an item of one kind, with its amount; explained, it resolves itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import cast

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.accounts.models import Person
from marketplace.actor import SITE, Actor, Role
from marketplace.errors import Invalid, Refused
from marketplace.ledger import chart
from marketplace.payments.gateway import Gateway
from marketplace.proof import Drift
from marketplace.reconciliation import booking, fetching, matches, passes
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.models import BankAccount, OpenItem, StripeTransaction
from marketplace.reconciliation.proofs import PROOFS
from marketplace.reconciliation.statements import import_statement
from marketplace.reconciliation.states import ItemState, Kind
from tests.factories.accounts import a_person
from tests.ledger import journal
from tests.reconciliation.camt import Entry, Statement, document
from tests.reconciliation.world import (
    NOON,
    FakeStripe,
    a_payout,
    a_sweep,
    an_account,
    bank_says,
    finance,
    line,
    post,
)

People = tuple[Actor, Actor]


@pytest.fixture(autouse=True)
def thursday() -> Iterator[None]:
    with clock.at(NOON + timedelta(days=3)):
        yield


@pytest.fixture
def people(session: Session) -> People:
    return finance(session)


@pytest.fixture
def stripe() -> FakeStripe:
    return FakeStripe()


def reconcile(session: Session, stripe: FakeStripe) -> None:
    fetching.fetch_stripe(session, cast(Gateway, stripe))
    passes.run(session)


def items(session: Session) -> list[tuple[Kind, int]]:
    rows = session.execute(sa.select(OpenItem.kind, OpenItem.amount).filter_by(state=ItemState.OPEN))
    return sorted((kind, amount) for kind, amount in rows)


def drifts(session: Session) -> dict[str, list[Drift]]:
    return {proof.code: found for proof in PROOFS if (found := list(proof.run(session)))}


def fund(session: Session, stripe: FakeStripe, amount: int = 500_000) -> None:
    """Capital that the operator topped up, in the ledger and at Stripe, already matched."""
    post(session, "topup:1", "paid", [(chart.stripe_balance(), amount), (chart.owner_capital(), -amount)])
    txn = stripe.moved(None, "topup", "tu_1", amount)
    fetching.fetch_stripe(session, cast(Gateway, stripe))
    entry = ledger.entries_for(session, "topup:1")[0]
    transaction = session.scalars(sa.select(StripeTransaction).filter_by(stripe_id=txn)).one()
    session.execute(
        sa.text("""
            WITH made AS (
                INSERT INTO statement_matches (public_id, pass, leg, state, reasons, note, matched_at)
                VALUES (uuidv7(), 1, 'ledger', 'confirmed', '["amount"]', '', :now) RETURNING id
            )
            INSERT INTO statement_match_lines (match_id, leg, live, stripe_transaction_id, posting_id)
            SELECT id, 'ledger', true, :txn, NULL FROM made
            UNION ALL SELECT id, 'ledger', true, NULL, :posting FROM made
        """),
        {"now": NOON, "txn": transaction.id, "posting": entry.postings[0].id},
    )
    session.commit()


def test_a_clean_month_has_no_items(session: Session, people: People, stripe: FakeStripe) -> None:
    fund(session, stripe)
    sweep = a_sweep(session, people)
    stripe.moved(None, "payout", sweep.stripe_id or "", -90_000)
    bank_says(session, people[0], Entry(90_000, "STRIPE TRACE TR0042"))
    reconcile(session, stripe)

    assert items(session) == []
    assert drifts(session) == {}


def test_a_sweep_on_its_way_is_timing_until_its_line_comes(
    session: Session, people: People, stripe: FakeStripe
) -> None:
    fund(session, stripe)
    sweep = a_sweep(session, people)
    stripe.moved(None, "payout", sweep.stripe_id or "", -90_000)
    reconcile(session, stripe)
    assert items(session) == [(Kind.TIMING, 90_000)]
    # Since it was sent, not since the day on which it is expected.
    assert session.scalar(sa.select(OpenItem.since)) == NOON.date()

    bank_says(session, people[0], Entry(90_000, "STRIPE TRACE TR0042"))
    passes.run(session)
    assert items(session) == []


def test_a_sweep_that_never_arrives_is_missing(session: Session, people: People, stripe: FakeStripe) -> None:
    a_sweep(session, people)
    with clock.at(NOON + timedelta(days=20)):
        passes.run(session)

    assert items(session) == [(Kind.MISSING_EXTERNAL, 90_000)]


def test_at_stripe_only(session: Session, stripe: FakeStripe) -> None:
    fund(session, stripe)
    stripe.moved(None, "stripe_fee", "fee_1", -1_200)
    reconcile(session, stripe)

    assert items(session) == [(Kind.MISSING_INTERNAL, -1_200)]
    assert [d.expected + " " + d.found for d in drifts(session)["P2"]] == ["498800 500000"]


def test_in_the_ledger_only(session: Session, stripe: FakeStripe) -> None:
    fund(session, stripe)
    post(session, "topup:2", "paid", [(chart.stripe_balance(), 700), (chart.owner_capital(), -700)])
    reconcile(session, stripe)

    assert items(session) == [(Kind.MISSING_EXTERNAL, 700)]
    assert "P2" in drifts(session)


def test_taken_back_it_needs_no_counterpart(session: Session, stripe: FakeStripe) -> None:
    fund(session, stripe)
    post(session, "topup:2", "paid", [(chart.stripe_balance(), 700), (chart.owner_capital(), -700)])
    entry = ledger.entries_for(session, "topup:2")[0]
    ledger.reverse(session, SITE, entry, source="topup:2", event="reversed", memo="")
    session.commit()
    reconcile(session, stripe)

    assert items(session) == []
    assert drifts(session) == {}


def test_amounts_that_differ(session: Session, people: People, stripe: FakeStripe) -> None:
    fund(session, stripe)
    sweep = a_sweep(session, people)
    stripe.moved(None, "payout", sweep.stripe_id or "", -90_001)
    reconcile(session, stripe)

    assert items(session) == [(Kind.AMOUNT_MISMATCH, -1), (Kind.TIMING, 90_000)]


def test_a_balance_that_no_line_explains_is_drift(session: Session, stripe: FakeStripe) -> None:
    fund(session, stripe)
    stripe.transactions[None].clear()
    reconcile(session, stripe)

    assert items(session) == [(Kind.DRIFT, 500_000)]


def test_an_item_opens_on_the_day_of_the_books(session: Session, stripe: FakeStripe) -> None:
    """It is Thursday evening in New York, and Friday in UTC."""
    fund(session, stripe)
    stripe.transactions[None].clear()
    late = datetime(2026, 11, 6, 3, tzinfo=UTC)
    stripe.moved(None, "stripe_fee", "fee_1", -100, at=late)
    with clock.at(late):
        reconcile(session, stripe)

    since = dict(session.execute(sa.select(OpenItem.kind, OpenItem.since)).all())
    assert since == {Kind.DRIFT: date(2026, 11, 5), Kind.MISSING_INTERNAL: date(2026, 11, 5)}


def test_experts_balances_are_held_account_by_account(session: Session, stripe: FakeStripe) -> None:
    ana = session.get_one(Person, a_person(session, "Ana Expert", Role.EXPERT).id)
    ben = session.get_one(Person, a_person(session, "Ben Baker", Role.EXPERT).id)
    for person, stripe_id, shown in ((ana, "acct_ana", 501), (ben, "acct_ben", 499)):
        an_account(session, person, stripe_id)
        held = chart.expert_held(person.public_id)
        post(session, f"payout_item:{stripe_id}", "sent", [(held, 500), (chart.held_contra(), -500)])
        stripe.moved(stripe_id, "payment", f"py_{stripe_id}", shown)
    reconcile(session, stripe)

    found = drifts(session)["P6"]
    assert [(d.expected, d.found) for d in found] == [("501", "500"), ("499", "500")]


def test_a_payout_that_carries_what_it_should_leaves_nothing(session: Session, stripe: FakeStripe) -> None:
    ana = session.get_one(Person, a_person(session, "Ana Expert", Role.EXPERT).id)
    account = an_account(session, ana)
    a_payout(session, account, 400)
    stripe.moved("acct_ana", "payout", "po_ana", -400)
    stripe.contents["po_ana"] = []
    reconcile(session, stripe)

    assert items(session) == [(Kind.NEGATIVE_CONNECTED_BALANCE, -400)]
    assert "P6" not in drifts(session)


def test_a_line_nobody_knows_can_be_booked_as_a_charge(
    session: Session, people: People, stripe: FakeStripe
) -> None:
    bank_says(session, people[0], Entry(-1_500, "ACCOUNT SERVICE CHARGE"))
    passes.run(session)
    assert items(session) == [(Kind.UNIDENTIFIED, -1_500)]
    assert drifts(session) == {}

    found = line(session, "ACCOUNT SERVICE CHARGE")
    with pytest.raises(Invalid, match="Say what"):
        booking.book_line(session, people[0], found.public_id, BookAs.CHARGE, " ")
    match = booking.book_line(session, people[0], found.public_id, BookAs.CHARGE, "Monthly charge")

    assert items(session) == []
    assert journal.rows(session, {}, "statement_line:")[0][1] == [
        ("1010", "", "", "15.00"),
        ("5090", "", "15.00", ""),
    ]
    matches.undo_match(session, people[0], match.public_id, "It was something else")
    assert items(session) == [(Kind.UNIDENTIFIED, -1_500)]
    assert ledger.balance(session, chart.bank_charges(), "USD") == 0


def test_money_that_comes_in_is_no_charge(session: Session, people: People) -> None:
    bank_says(session, people[0], Entry(500, "Gift"))

    with pytest.raises(Refused, match="brings some"):
        booking.book_line(session, people[0], line(session, "Gift").public_id, BookAs.CHARGE, "?")
    booking.book_line(session, people[0], line(session, "Gift").public_id, BookAs.CAPITAL, "Paid in")
    assert ledger.balance(session, chart.owner_capital(), "USD") == -500


def test_what_the_account_held_before_is_booked_once(session: Session, people: People) -> None:
    bank_says(session, people[0], Entry(1, "Interest"), opening=1_000_000)
    passes.run(session)
    assert (Kind.MISSING_INTERNAL, 1_000_000) in items(session)
    assert drifts(session) == {}

    account = session.scalars(sa.select(BankAccount)).one()
    booking.book_opening(session, people[0], account.public_id)
    with pytest.raises(Refused, match="nothing to book"):
        booking.book_opening(session, people[0], account.public_id)

    assert items(session) == [(Kind.UNIDENTIFIED, 1)]
    assert ledger.balance(session, chart.bank_operating(), "USD") == 1_000_000


def test_an_opening_balance_of_zero_needs_no_entry(session: Session, people: People) -> None:
    bank_says(session, people[0], Entry(1, "Interest"), opening=0)

    with pytest.raises(Refused, match="nothing to book"):
        booking.book_opening(session, people[0], session.scalars(sa.select(BankAccount)).one().public_id)


def test_without_a_statement_that_adds_up_nothing_can_be_opened(session: Session, people: People) -> None:
    wrong = Statement(NOON.date(), 5, [Entry(1, "B")], closing=9)
    import_statement(session, people[0], "wrong.xml", document(wrong))

    with pytest.raises(Refused, match="Import its first one"):
        booking.book_opening(session, people[0], session.scalars(sa.select(BankAccount)).one().public_id)


def test_an_earlier_statement_corrects_the_opening_balance(session: Session, people: People) -> None:
    bank_says(session, people[0], opening=1_000_000)
    account = session.scalars(sa.select(BankAccount)).one()
    booking.book_opening(session, people[0], account.public_id)
    bank_says(session, people[0], Entry(400, "Interest"), opening=999_600, on=NOON.date())
    passes.run(session)
    assert items(session) == [(Kind.MISSING_INTERNAL, -400), (Kind.UNIDENTIFIED, 400)]
    assert drifts(session) == {}

    entry = booking.book_opening(session, people[0], account.public_id)
    booking.book_line(
        session, people[0], line(session, "Interest").public_id, BookAs.CAPITAL, "Interest of the bank"
    )
    assert entry.event == "opened 2"
    assert items(session) == []
    assert ledger.balance(session, chart.bank_operating(), "USD") == 1_000_000


def test_a_bank_line_taken_out_of_the_ledger_is_drift(session: Session, people: People) -> None:
    post(session, "correction:1", "booked", [(chart.bank_operating(), 5), (chart.owner_capital(), -5)])
    bank_says(session, people[0])

    assert [d.expected + " " + d.found for d in drifts(session)["P3"]] == ["0 5"]


def test_a_statement_that_contradicts_itself_fails_the_proof(session: Session, people: People) -> None:
    bank_says(session, people[0], Entry(5, "A"))
    wrong = Statement(NOON.date() + timedelta(days=3), 5, [Entry(1, "B")], closing=9)
    import_statement(session, people[0], "wrong.xml", document(wrong))
    passes.run(session)

    assert [d.expected for d in drifts(session)["P3"]][-1] == "accepted"
    assert (Kind.STATEMENT_CONTRADICTION, 0) in items(session)


def test_what_is_owed_must_be_covered(session: Session, people: People) -> None:
    expert = people[0].id
    post(
        session,
        "approval:1",
        "approved",
        [(chart.rounding(), 700), (chart.expert_payable(session.get_one(Person, expert).public_id), -700)],
    )

    assert drifts(session)["P8"] == [Drift("cover in USD", "at least 700", "0")]
