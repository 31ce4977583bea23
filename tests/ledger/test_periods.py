"""A month is put on hold by one person and closed by another; what is late goes into the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.db import violated
from marketplace.errors import FreshFactorNeeded, NotAllowed, Refused
from marketplace.ledger import periods
from marketplace.ledger.models import JournalEntry, Period
from marketplace.ledger.states import PeriodState
from marketplace.proof import Drift, Proof
from tests.conftest import Committed
from tests.factories.accounts import a_person, an_actor
from tests.ledger.conftest import book

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
IN_OCTOBER, IN_NOVEMBER = datetime(2026, 10, 20, 12, tzinfo=UTC), datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def november() -> Iterator[None]:
    with clock.at(IN_NOVEMBER):
        yield


def test_a_month_opens_with_its_first_entry(session: Session) -> None:
    book(session, "a:1", 5, IN_OCTOBER)

    assert [(p.month, p.state) for p in periods.periods(session)] == [(OCTOBER, PeriodState.OPEN)]


def test_two_people_close_a_month(session: Session, fin: Actor, gil: Actor) -> None:
    book(session, "a:1", 5, IN_OCTOBER)
    session.commit()
    periods.hold(session, fin, OCTOBER)
    closed = periods.close(session, gil, OCTOBER)

    assert (closed.state, closed.prepared_by, closed.closed_by) == (PeriodState.CLOSED, fin.id, gil.id)


def test_who_prepared_cannot_close(session: Session, gil: Actor) -> None:
    book(session, "a:1", 5, IN_OCTOBER)
    session.commit()
    periods.hold(session, gil, OCTOBER)

    with pytest.raises(NotAllowed, match="Ask a colleague"):
        periods.close(session, gil, OCTOBER)


def test_the_database_wants_two_people_too(session: Session) -> None:
    book(session, "a:1", 5, IN_OCTOBER)

    with pytest.raises(DBAPIError) as refused:
        session.execute(
            sa.update(Period).values(
                state="closed", prepared_by=7, prepared_at=IN_NOVEMBER, closed_by=7, closed_at=IN_NOVEMBER
            )
        )
    assert violated(refused.value) == "ck_ledger_periods_two_people"


def test_closing_needs_the_role_and_a_fresh_factor(session: Session, fin: Actor, gil: Actor) -> None:
    book(session, "a:1", 5, IN_OCTOBER)
    session.commit()
    periods.hold(session, fin, OCTOBER)

    with pytest.raises(NotAllowed):
        periods.close(session, fin, OCTOBER)
    with pytest.raises(FreshFactorNeeded):
        periods.close(session, replace(gil, second_factor_at=None), OCTOBER)


def test_the_running_month_stays_open(session: Session, fin: Actor) -> None:
    book(session, "a:1", 5, IN_NOVEMBER)
    session.commit()

    with pytest.raises(Refused, match="November 2026 is not over"):
        periods.hold(session, fin, NOVEMBER)


@pytest.mark.parametrize("shut", ["hold", "closed"])
def test_what_is_late_is_booked_on_the_next_first(
    session: Session, fin: Actor, gil: Actor, shut: str
) -> None:
    book(session, "a:1", 5, IN_OCTOBER)
    session.commit()
    periods.hold(session, fin, OCTOBER)
    if shut == "closed":
        periods.close(session, gil, OCTOBER)

    late = book(session, "a:2", 7, IN_OCTOBER)
    older = book(session, "a:3", 7, datetime(2026, 7, 1, 12, tzinfo=UTC))

    assert (late.booked_on, late.occurred_at) == (NOVEMBER, IN_OCTOBER)
    assert older.booked_on == NOVEMBER


def test_off_hold_it_takes_entries_again(session: Session, fin: Actor) -> None:
    book(session, "a:1", 5, IN_OCTOBER)
    session.commit()
    periods.hold(session, fin, OCTOBER)
    periods.open_period(session, fin, OCTOBER)

    assert book(session, "a:2", 7, IN_OCTOBER).booked_on == date(2026, 10, 20)


def test_the_database_refuses_a_closed_month(session: Session, fin: Actor, gil: Actor) -> None:
    entry = book(session, "a:1", 5, IN_OCTOBER)
    session.commit()
    periods.hold(session, fin, OCTOBER)
    periods.close(session, gil, OCTOBER)
    session.execute(sa.text("SET CONSTRAINTS ALL DEFERRED"))

    with pytest.raises(DBAPIError) as refused:
        session.execute(
            sa.insert(JournalEntry).values(
                source="a:2",
                event="x",
                occurred_at=entry.occurred_at,
                booked_on=entry.booked_on,
                memo="",
                request_id="",
            )
        )
    assert violated(refused.value) == "ck_journal_entries_period"


def test_who_books_does_not_wait_while_the_proofs_of_a_close_run(
    committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def book_meanwhile(session: Session) -> Iterator[Drift]:
        with committed.session() as other:
            other.execute(sa.text("SET lock_timeout = '50ms'"))
            book(other, "a:2", 5, IN_NOVEMBER)
            other.commit()
        yield from ()

    monkeypatch.setattr(periods, "before_close", [Proof("X1", "Somebody books", book_meanwhile)])
    with committed.session() as session:
        fin = an_actor(session, a_person(session, "Fin Farrell", Role.FINANCE_PREPARER))
        gil = an_actor(session, a_person(session, "Gil Garnier", Role.FINANCE_RELEASER))
        book(session, "a:1", 5, IN_OCTOBER)
        session.commit()
        periods.hold(session, fin, OCTOBER)
        closed = periods.close(session, replace(gil, second_factor_at=clock.now()), OCTOBER)
        assert closed.state == PeriodState.CLOSED


def test_holding_waits_for_who_is_booking(committed: Committed, fin: Actor) -> None:
    with committed.session() as first, committed.session() as second:
        book(first, "a:1", 5, IN_OCTOBER)
        first.commit()
        book(first, "a:2", 5, IN_OCTOBER)

        second.execute(sa.text("SET lock_timeout = '50ms'"))
        second.commit()
        with pytest.raises(Refused, match="right now"):
            periods.hold(second, fin, OCTOBER)
