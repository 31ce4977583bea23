"""The books as they were known at a moment: what is booked late changes nothing of that."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Role
from marketplace.ledger import chart, queries, seals
from marketplace.ledger.models import Posting
from tests.factories.accounts import a_person, an_actor, enter
from tests.ledger.conftest import book
from tests.visitor import Visitor

MONDAY = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sealed(session: Session, at: datetime) -> None:
    session.commit()
    with clock.at(at):
        seals.seal(session)


def test_what_is_booked_late_for_an_earlier_day_was_not_known(session: Session) -> None:
    book(session, "a:1", 500, MONDAY)
    sealed(session, MONDAY + HOUR)
    book(session, "a:2", 70, MONDAY)
    sealed(session, MONDAY + 3 * HOUR)
    book(session, "a:3", 9, MONDAY)

    day = date(2026, 11, 2)
    for known, found in ((0, None), (1, 500), (2, 500), (3, 570)):
        lines = queries.trial_balance(session, "USD", day, MONDAY + known * HOUR)
        assert [line.amount for line in lines] == ([found, -found] if found else [])
    assert queries.trial_balance(session, "USD", day)[0].amount == 579
    assert queries.trial_balance(session, "USD", date(2026, 11, 1), MONDAY + 3 * HOUR) == []
    account = queries.find_account(session, chart.owner_capital().key, "USD")
    then = queries.postings_of(account, known=MONDAY + 2 * HOUR).order_by(Posting.id.desc())
    lines = queries.running(session, account, session.scalars(then).all(), known=MONDAY + 2 * HOUR)
    assert [line.balance for line in lines] == [-500]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 900), st.booleans()), min_size=1, max_size=8))
def test_what_was_known_once_stays_what_was_known(session: Session, steps) -> None:
    said = {}
    start = clock.now() + timedelta(days=1)
    for n, (days, amount, seals_now) in enumerate(steps):
        book(session, f"h:{uuid.uuid4()}", amount, MONDAY + timedelta(days=days))
        moment = start + n * HOUR
        if seals_now:
            sealed(session, moment)
        said[moment] = queries.trial_balance(session, "USD", None, moment)
    sealed(session, start + 100 * HOUR)
    for moment, lines in said.items():
        assert queries.trial_balance(session, "USD", None, moment) == lines
    now = queries.trial_balance(session, "USD")
    assert queries.trial_balance(session, "USD", None, start + 101 * HOUR) == now


def test_pages_and_files_say_the_same_when_they_are_asked_again(app, session: Session) -> None:
    book(session, "a:1", 500, MONDAY)
    sealed(session, MONDAY + HOUR)
    fin = an_actor(session, a_person(session, "Fin Farrell", Role.FINANCE_PREPARER))
    visitor = Visitor(enter(app.test_client(), session, fin))
    key = chart.owner_capital().key
    known = "known=2026-11-02T14:00"
    paths = [
        f"/books/?day=2026-11-02&{known}", f"/books/codes/3000/USD?{known}",
        f"/books/accounts/{key}/USD?{known}", f"/books/accounts/{key}/USD/export?{known}",
        f"/books/journal/export?{known}",
    ]  # fmt: skip
    with clock.at(MONDAY + timedelta(days=1)):
        before = [said(visitor, path) for path in paths]
        assert all("5.00" in each for each in before)
        book(session, "a:2", 70, MONDAY)
        sealed(session, MONDAY + 5 * HOUR)
        assert [said(visitor, path) for path in paths] == before
        assert "5.70" in said(visitor, "/books/?known=2026-11-02T18:00")
        assert "still to come" in said(visitor, "/books/?known=2027-01-01T00:00")


def said(visitor: Visitor, path: str) -> str:
    """What a page or a file says, without what each answer has of its own."""
    text = visitor.get(path).get_data(as_text=True)
    return text.split("<main", 1)[-1].split("</main", 1)[0]
