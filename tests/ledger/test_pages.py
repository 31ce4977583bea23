"""The books as pages: for finance, and for nobody else."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from marketplace import clock, ledger
from marketplace.actor import SITE, Role
from marketplace.ledger import chart, export
from tests.cast import Cast
from tests.factories.accounts import a_person
from tests.ledger.conftest import book
from tests.visitor import words

OCTOBER = datetime(2026, 10, 20, 12, tzinfo=UTC)
PATHS = ("/books/", "/books/journal", "/books/journal/export", "/books/months", "/books/codes/1100/USD")
ACCOUNT = "/books/accounts/stripe:balance/USD"


def test_the_trial_balance_leads_to_the_entry(app: Flask, session: Session, cast: Cast) -> None:
    entry = book(session, "funding:1", 123_456, OCTOBER)
    session.commit()
    fin = cast.visitor(app, cast.fin)

    balance = words(fin.get("/books/"))
    assert "1100 Stripe balance $1,234.56" in balance
    assert "Sum $1,234.56 $1,234.56" in balance
    assert "$1,234.56" in words(fin.get("/books/codes/1100/USD"))
    account = words(fin.get(f"/books/accounts/{chart.stripe_balance().key}/USD"))
    assert "Tue 20 Oct 2026 $1,234.56 $1,234.56" in account
    assert "3000 Owner's capital" in words(fin.get(f"/books/journal/{entry.public_id}"))


def test_a_trial_balance_as_of_a_day(app: Flask, session: Session, cast: Cast) -> None:
    book(session, "funding:1", 500, OCTOBER)
    session.commit()
    fin = cast.visitor(app, cast.fin)

    assert "1100 Stripe balance $5.00" in words(fin.get("/books/?day=2026-10-20"))
    assert "1100 Stripe balance $5.00" not in words(fin.get("/books/?day=2026-10-19"))


def test_a_figure_as_of_a_day_leads_to_what_made_it_then(app: Flask, session: Session, cast: Cast) -> None:
    book(session, "funding:1", 500, OCTOBER)
    book(session, "funding:2", 700, OCTOBER + timedelta(days=1))
    session.commit()
    fin = cast.visitor(app, cast.fin)
    for path in ("/books/?day=2026-10-20", "/books/codes/1100/USD?day=2026-10-20"):
        assert "/1100/USD?day=2026-10-20" in fin.get("/books/?day=2026-10-20").text
        assert "$5.00" in words(fin.get(path))
        assert "$12.00" not in words(fin.get(path))

    code = fin.get("/books/codes/1100/USD?day=2026-10-20")
    assert "/books/accounts/stripe:balance/USD?day=2026-10-20" in code.text
    account = words(fin.get("/books/accounts/stripe:balance/USD?day=2026-10-20"))
    assert "Balance at the end of Tue 20 Oct 2026 $5.00" in account
    assert "Tue 20 Oct 2026 $5.00 $5.00" in account
    assert "$7.00" not in account
    now = words(fin.get("/books/accounts/stripe:balance/USD"))
    assert "Wed 21 Oct 2026 $7.00 $12.00" in now
    assert "Tue 20 Oct 2026 $5.00 $5.00" in now


def test_accounts_at_zero_stand_back(app: Flask, session: Session, cast: Cast) -> None:
    ana, ben = (chart.expert_held(cast.person(who).public_id) for who in (cast.ana, cast.ben))
    for n, (held, amount) in enumerate(((ana, 500), (ana, -500), (ben, 300))):
        ledger.post(
            session,
            SITE,
            source=f"memo:{n}",
            event="sent",
            currency="USD",
            lines=[(held, amount), (chart.held_contra(), -amount)],
            occurred_at=OCTOBER,
            memo="",
        )
    session.commit()
    fin = cast.visitor(app, cast.fin)

    path = "/books/codes/9110/USD"
    few, everything = words(fin.get(path)), words(fin.get(f"{path}?all=1"))
    assert "Ana Alvarez" not in few
    assert "Ana Alvarez $0.00" in everything
    for shown in (few, everything):
        assert "All of 9110 together $3.00" in shown


def test_the_journal_by_source(app: Flask, session: Session, cast: Cast) -> None:
    for n in range(25):
        book(session, f"topup:{n}", 500, OCTOBER)
    book(session, "correction:1", 500, OCTOBER)
    session.commit()
    fin = cast.visitor(app, cast.fin)

    assert "topup 3 " not in words(fin.get("/books/journal?source=correction:"))
    first = fin.get("/books/journal")
    assert "topup 24" in words(first)
    assert "Further down the list" in words(first)


def test_the_journal_and_an_account_run_by_the_days_of_the_books(
    app: Flask, session: Session, cast: Cast
) -> None:
    """What was booked late for an earlier day stands on that day, and the balance after it is that day's."""
    for source, amount, days in (("topup:1", 100, 0), ("topup:3", 300, 2), ("topup:2", 20, 1)):
        book(session, source, amount, OCTOBER + timedelta(days=days))
    session.commit()
    fin = cast.visitor(app, cast.fin)

    said = words(fin.get(ACCOUNT))
    rows = ("Thu 22 Oct 2026 $3.00 $4.20", "Wed 21 Oct 2026 $0.20 $1.20", "Tue 20 Oct 2026 $1.00 $1.00")
    assert [said.index(row) for row in rows] == sorted(said.index(row) for row in rows)
    few = words(fin.get(f"{ACCOUNT}?since=2026-10-21&day=2026-10-21"))
    assert "Wed 21 Oct 2026 $0.20 $1.20" in few
    assert "Balance before Wed 21 Oct 2026 $1.00 Debited $0.20 Credited $0.00" in few
    assert "Balance at the end of Wed 21 Oct 2026 $1.20" in few
    assert "Thu 22 Oct" not in few
    assert "Tue 20 Oct" not in few
    journal = words(fin.get("/books/journal?since=2026-10-21&day=2026-10-21"))
    assert "topup 2" in journal
    assert "topup 1" not in journal
    assert "topup 3" not in journal
    assert "before the first day" in words(fin.get("/books/journal?since=2026-10-21&day=2026-10-20"))


def test_an_account_goes_on_where_its_page_ends(app: Flask, session: Session, cast: Cast) -> None:
    for n in range(120):
        book(session, f"topup:{n}", 100, OCTOBER + timedelta(days=n % 3))
    session.commit()
    fin = cast.visitor(app, cast.fin)

    seen, url = [], ACCOUNT
    while url:
        answer = fin.get(url)
        seen += re.findall(r"\$1\.00 \$(\d+\.00)", words(answer))
        found = re.search(r'href="([^"]+after=[^"]+)"', answer.text)
        url = html.unescape(found.group(1)) if found else ""
    assert seen == [f"{n}.00" for n in range(120, 0, -1)]


def test_what_an_address_carries_is_handed_on_and_means_nothing_else(
    app: Flask, session: Session, cast: Cast
) -> None:
    for n in range(25):
        book(session, f"topup:{n}", 500, OCTOBER)
    session.commit()
    fin = cast.visitor(app, cast.fin)
    answer = fin.get("/books/journal?_scheme=javascript&_external=1&endpoint=x&source=topup:")
    assert answer.status_code == 200
    assert 'href="/books/journal?_scheme=javascript' in answer.text


def table(answer: TestResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))


def test_the_journal_goes_along_as_a_table(
    app: Flask, session: Session, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "AT_ONCE", 3)
    for n in range(5):
        book(session, f"topup:{n}", 123_456, OCTOBER + timedelta(days=n))
    lines = [(chart.stripe_balance(), -5), (chart.bank_charges(), 5)]
    ledger.post(session, SITE, source="charge:1", event="booked", currency="USD", lines=lines,
                occurred_at=OCTOBER, memo='=HYPERLINK("http://evil.example")')  # fmt: skip
    session.commit()
    fin = cast.visitor(app, cast.fin)

    every = table(fin.get("/books/journal/export"))
    assert len(every) == 12
    assert sorted(row["Booked on"] for row in every) == [row["Booked on"] for row in every]
    assert {row["Memo"] for row in every} == {"Capital", '\'=HYPERLINK("http://evil.example")'}
    one = table(fin.get("/books/journal/export?since=2026-10-23&day=2026-10-23"))
    assert [(row["Account"], row["Debit"], row["Credit"], row["Currency"]) for row in one] == [
        ("1100", "1234.56", "", "USD"),
        ("3000", "", "1234.56", "USD"),
    ]
    for path in ("/books/journal/export", f"{ACCOUNT}/export"):
        refused = fin.get(f"{path}?since=2026-10-23&day=2026-10-22")
        assert (refused.status_code, refused.mimetype) == (422, "text/html")
        assert "before the first day" in refused.text
        both = "Write a day as year-month-day, such as 2026-05-31."
        assert words(fin.get(f"{path}?since=soon&day=late")).count(both) == 2
    account = table(fin.get(f"{ACCOUNT}/export?since=2026-10-21"))
    assert [row["Comes from"] for row in account] == ["topup:1", "topup:2", "topup:3", "topup:4"]
    assert {row["Account"] for row in account} == {"1100"}
    assert 'href="/books/journal/export?source=topup:' in fin.get("/books/journal?source=topup:").text


def test_an_export_says_whose_each_account_is(app: Flask, session: Session, cast: Cast) -> None:
    made = [a_person(session, name, Role.EXPERT) for name in ("Ana Silva", "Ben Baker")]
    people = [(each.public_id, each.full_name) for each in made]
    for n, (public_id, _name) in enumerate(people):
        lines = [(chart.rounding(), 5), (chart.expert_payable(public_id), -5)]
        moment = OCTOBER + timedelta(microseconds=7 * n)
        ledger.post(session, SITE, source=f"gift:{n}", event="booked", currency="USD", lines=lines,
                    occurred_at=moment, memo="")  # fmt: skip
    session.commit()
    fin = cast.visitor(app, cast.fin)
    every = table(fin.get("/books/journal/export"))
    assert {row["Happened (UTC)"] for row in every} == {"2026-10-20T12:00:00Z"}
    whose = {(row["Key of the account"], row["Whose it is"]) for row in every}
    expected = {(chart.expert_payable(public_id).key, name) for public_id, name in people}
    assert whose == {("site:rounding", ""), *expected}
    names = [
        fin.get(f"/books/accounts/{key}/USD/export").headers["Content-Disposition"] for key, _ in expected
    ]
    assert sorted(names) == sorted(
        f"attachment; filename=account-2100-expert-{public_id}-payable-USD.csv" for public_id, _ in people
    )


def test_an_entry_says_debits_first_and_what_it_takes_back(app: Flask, session: Session, cast: Cast) -> None:
    entry = ledger.post(
        session,
        SITE,
        source="charge:1",
        event="booked",
        currency="USD",
        lines=[(chart.stripe_balance(), -500), (chart.bank_charges(), 300), (chart.rounding(), 200)],
        occurred_at=OCTOBER,
        memo="Charge",
    )
    back = ledger.reverse(session, SITE, entry, source="charge:1", event="undone", memo="Not ours")
    session.commit()
    fin = cast.visitor(app, cast.fin)

    first = words(fin.get(f"/books/journal/{entry.public_id}"))
    assert "5090 Bank charges $3.00 5080" in first
    assert first.index("5090 Bank charges") < first.index("1100 Stripe balance")
    assert "Sum $5.00 $5.00" in first
    assert "This entry was taken back Not ours" in first
    assert "This entry takes another one back Charge" in words(fin.get(f"/books/journal/{back.public_id}"))


def test_a_month_is_closed_by_two(app: Flask, session: Session, cast: Cast) -> None:
    book(session, "funding:1", 500, OCTOBER)
    session.commit()
    with clock.at(datetime(2026, 11, 3, 12, tzinfo=UTC)):
        fin, gil = cast.visitor(app, cast.fin), cast.visitor(app, cast.gil)
        held = fin.post("/books/months/2026-10/hold")
        assert "On hold" in words(held)
        assert "Another person, who releases payouts, closes it" in words(held)
        assert "Close the month" not in words(held)
        assert 'href="/books/?day=2026-10-31"' in held.text
        assert "Close the month" in words(gil.get("/books/months"))
        assert fin.post("/books/months/2026-10/closing").status_code == 404
        assert "The month is closed" in words(gil.post("/books/months/2026-10/closing"))


def test_only_the_month_whose_turn_it_is_can_be_put_on_hold(app: Flask, session: Session, cast: Cast) -> None:
    for n, month in enumerate((9, 10, 11)):
        book(session, f"funding:{n}", 500, datetime(2026, month, 2, 12, tzinfo=UTC))
    session.commit()
    with clock.at(datetime(2026, 11, 3, 12, tzinfo=UTC)):
        shown = words(cast.visitor(app, cast.fin).get("/books/months"))

    assert "2026-11 Open" in shown
    assert "Runs until Mon 30 Nov 2026" in shown
    assert shown.count("An earlier month comes first") == 1
    assert shown.count("Put on hold") == 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("who", ["ana", "carla", "rev", "opa", "zed"])
def test_nobody_else_sees_the_books(app: Flask, session: Session, cast: Cast, path: str, who: str) -> None:
    book(session, "funding:1", 500, OCTOBER)
    session.commit()

    assert cast.visitor(app, getattr(cast, who)).get(path).status_code == 404


def test_what_is_not_there(app: Flask, cast: Cast) -> None:
    fin = cast.visitor(app, cast.fin)

    for path in (
        "/books/codes/9999/USD",
        "/books/accounts/expert:x:payable/USD",
        "/books/months/nonsense/hold",
    ):
        assert fin.get(path).status_code in (404, 405)
    assert fin.post("/books/months/nonsense/hold").status_code == 404
