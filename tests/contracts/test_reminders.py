"""Who forgets a week is reminded of it, in time and once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.approvals import approve_overdue, approve_timesheet
from marketplace.contracts.approving import reminders
from marketplace.contracts.entries import add_entry, remove_entry
from marketplace.contracts.timesheets import return_timesheet, submit_forgotten, submit_timesheet
from marketplace.notifications.models import Notification
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week, an_entry, work

# The evening of the Monday after, in New York; and the same a day before the site submits the week.
EVENING = datetime(2026, 6, 8, 22, 0, tzinfo=UTC)
LAST_DAY = datetime(2026, 6, 14, 4, 0, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def told(session: Session, actor: Actor, kind: str) -> list[tuple[str, str]]:
    query = sa.select(Notification.title, Notification.path).filter_by(person_id=actor.id, kind=kind)
    return [(title, path) for title, path in session.execute(query)]


def runs(session: Session, moment: datetime) -> int:
    with clock.at(moment):
        return reminders.remind_to_submit(session)


def test_an_expert_is_reminded_in_the_evening_and_on_the_last_day(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + DAY):
        sheet = an_entry(session, deal, MONDAY).timesheet
    path = f"/timesheets/{sheet.public_id}"
    assert runs(session, EVENING - SECOND) == 0
    assert [runs(session, EVENING), runs(session, EVENING + DAY)] == [1, 0]
    assert told(session, deal.expert, reminders.OVER) == [("Your week is over: submit it", path)]
    assert runs(session, LAST_DAY - SECOND) == 0
    assert [runs(session, LAST_DAY), runs(session, LAST_DAY + SECOND)] == [1, 0]
    assert told(session, deal.expert, reminders.LAST_DAY) == [
        ("Your week is submitted for you tomorrow", path)
    ]
    with clock.at(LAST_DAY + DAY):
        assert submit_forgotten(session) == 1
    assert runs(session, LAST_DAY + 2 * DAY) == 0


def test_the_evening_is_that_of_the_contract(session: Session) -> None:
    """Kathmandu is five hours and three quarters ahead."""
    with clock.at(MONDAY):
        deal = a_deal(session, zone="Asia/Kathmandu")
    with clock.at(MONDAY + DAY):
        an_entry(session, deal, MONDAY + timedelta(hours=2))
    evening = datetime(2026, 6, 8, 12, 15, tzinfo=UTC)
    assert [runs(session, evening - SECOND), runs(session, evening)] == [0, 1]


def test_where_the_clocks_go_back_it_is_six_in_the_evening_all_the_same(session: Session) -> None:
    monday = datetime(2026, 10, 26, 16, 0, tzinfo=UTC)
    with clock.at(monday):
        deal = a_deal(session)
    with clock.at(monday + DAY):
        an_entry(session, deal, monday)
    evening = datetime(2026, 11, 2, 23, 0, tzinfo=UTC)
    assert [runs(session, evening - SECOND), runs(session, evening)] == [0, 1]


def test_who_was_told_on_the_last_day_is_not_told_that_it_is_over(session: Session, deal: Deal) -> None:
    with clock.at(LAST_DAY):
        add_entry(session, deal.expert, deal.contract.public_id, work(MONDAY))
    assert [runs(session, LAST_DAY), runs(session, LAST_DAY)] == [1, 0]
    assert told(session, deal.expert, reminders.OVER) == []


def test_nobody_is_reminded_of_a_week_without_paid_time_or_one_that_is_submitted(
    session: Session, deal: Deal
) -> None:
    with clock.at(MONDAY + DAY):
        entry = an_entry(session, deal, MONDAY)
        remove_entry(session, deal.expert, entry.public_id, 1)
    assert runs(session, EVENING) == 0
    with clock.at(EVENING):
        a_submitted_week(session, deal, MONDAY)
    assert runs(session, EVENING) == 0


def test_a_client_is_reminded_a_day_before_the_deadline_and_again_of_a_new_one(
    session: Session, deal: Deal
) -> None:
    with clock.at(MONDAY + DAY):
        sheet = a_submitted_week(session, deal, MONDAY)

    def reminded(moment: datetime) -> int:
        with clock.at(moment):
            return reminders.remind_to_approve(session)

    deadline = MONDAY + 6 * DAY
    assert reminded(deadline - DAY - SECOND) == 0
    assert [reminded(deadline - DAY), reminded(deadline - SECOND)] == [1, 0]
    for who in (deal.client, deal.approver):
        assert told(session, who, reminders.DEADLINE) == [
            ("A week of Ana Expert counts as approved soon", f"/timesheets/{sheet.public_id}")
        ]
    assert told(session, deal.expert, reminders.DEADLINE) == []
    with clock.at(deadline - SECOND):
        said = "You worked on Tuesday, not on Monday."
        return_timesheet(session, deal.client, sheet.public_id, sheet.version, "entry_wrong", said)
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
    assert reminded(deadline) == 0
    assert reminded(deadline + 4 * DAY) == 1
    assert len(told(session, deal.client, reminders.DEADLINE)) == 2


def test_what_is_decided_is_not_spoken_of(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + DAY):
        sheet = a_submitted_week(session, deal, MONDAY)
        approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    with clock.at(MONDAY + 5 * DAY):
        assert reminders.remind_to_approve(session) == 0
        assert approve_overdue(session) == 0
