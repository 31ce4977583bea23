"""The books as finance reads them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from marketplace.ledger import chart, queries
from marketplace.ledger.models import Posting
from tests.ledger.conftest import book

NOVEMBER = datetime(2026, 11, 3, 17, tzinfo=UTC)


def test_a_trial_balance_now_and_back_then(session: Session) -> None:
    book(session, "a:1", 500, NOVEMBER)
    book(session, "a:2", 70, NOVEMBER + timedelta(days=1))

    now = queries.trial_balance(session, "USD")
    then = queries.trial_balance(session, "USD", date(2026, 11, 3))

    assert [(line.code, line.amount) for line in now] == [("1100", 570), ("3000", -570)]
    assert [(line.code, line.amount) for line in then] == [("1100", 500), ("3000", -500)]
    assert str(then[0].debit) == "$5.00"
    assert then[0].credit is None
    assert queries.trial_balance(session, "EUR") == []


def test_an_account_runs(session: Session) -> None:
    for n in range(1, 5):
        book(session, f"a:{n}", n, NOVEMBER)
    account = queries.find_account(session, chart.owner_capital().key, "USD")
    newest = session.scalars(queries.postings_of(account).order_by(Posting.id.desc())).all()

    assert [line.balance for line in queries.running(session, account, newest)] == [-10, -6, -3, -1]
    assert [line.balance for line in queries.running(session, account, newest[2:])] == [-3, -1]
    assert str(account.usual(-10)) == "$0.10"


def test_the_journal_by_code_and_source(session: Session) -> None:
    book(session, "a:1", 5, NOVEMBER)
    book(session, "b:1", 5, NOVEMBER)

    assert {e.source for e in session.scalars(queries.journal(text="a:"))} == {"a:1"}
    assert {e.source for e in session.scalars(queries.journal(code="3000"))} == {"a:1", "b:1"}
    assert not session.scalars(queries.journal(code="4010")).all()
