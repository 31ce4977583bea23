"""Reminding of weeks: experts of those they did not submit, clients of those whose deadline is near."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.actor import CLIENT
from marketplace.contracts.models import Contract, TimeEntry, Timesheet
from marketplace.contracts.states import TimeKind, TimesheetState
from marketplace.contracts.timesheets import SUBMITTED_AFTER
from marketplace.db import use_case
from marketplace.gigs.members import people_with, tell
from marketplace.i18n import day, zoned
from marketplace.i18n import gettext as _
from marketplace.notifications.models import Notification

DAY = timedelta(days=1)
# On the clock of the contract, after the midnight at which the week ended: six in the evening.
EVENING = timedelta(hours=18)
OVER, LAST_DAY, DEADLINE = "timesheet.over", "timesheet.last_day", "timesheet.deadline"


def remind_to_submit(session: Session) -> int:
    """Remind experts of weeks that are over and not submitted, in the evening after their end and a day
    before the site submits them; how many. Each comes once for each week."""
    waiting = (
        sa.select(Timesheet.id)
        .join(Timesheet.contract)
        .where(
            Timesheet.state == TimesheetState.OPEN,
            Contract.test_id.is_(None),
            _evening_after() <= clock.now(),
            Timesheet.all_entries.any(
                sa.and_(TimeEntry.removed_at.is_(None), TimeEntry.kind == TimeKind.PAID)
            ),
        )
    )
    return jobs.one_by_one(session, _remind_expert, session.scalars(waiting.order_by(Timesheet.id)).all())


def remind_to_approve(session: Session) -> int:
    """Remind a client's people of the weeks that count as approved within a day; of how many."""
    due = sa.select(Timesheet.id).where(
        Timesheet.state == TimesheetState.SUBMITTED,
        Timesheet.approve_by <= clock.now() + DAY,
        Timesheet.approve_by > clock.now(),
    )
    return jobs.one_by_one(session, _remind_client, session.scalars(due.order_by(Timesheet.id)).all())


@use_case
def _remind_expert(session: Session, timesheet_id: int) -> bool:
    # The lock is for the notice: two workers would both find that it was not given yet.
    sheet = _locked(session, timesheet_id)
    submitted_at = sheet.week_end_at + SUBMITTED_AFTER
    last = clock.now() >= submitted_at - DAY
    kinds = (LAST_DAY,) if last else (OVER, LAST_DAY)
    person_id, path = sheet.contract.person_id, f"/timesheets/{sheet.public_id}"
    if sheet.state is not TimesheetState.OPEN or _told(session, [person_id], kinds, path, sheet.week_end_at):
        return False
    tell(session, person_id, kinds[0], path, lambda: _to_submit(sheet, submitted_at, last))
    return True


@use_case
def _remind_client(session: Session, timesheet_id: int) -> bool:
    sheet = _locked(session, timesheet_id)
    submitted_at, deadline = sheet.submitted_at, sheet.approve_by
    if sheet.state is not TimesheetState.SUBMITTED or submitted_at is None or deadline is None:
        return False
    contract, path = sheet.contract, f"/timesheets/{sheet.public_id}"
    people = [
        each
        for each in people_with(session, contract.organization_id, *CLIENT)
        if each != contract.person_id and not _told(session, [each], [DEADLINE], path, submitted_at)
    ]
    for person_id in people:
        tell(session, person_id, DEADLINE, path, lambda: _to_approve(sheet, deadline))
    return bool(people)


def _to_submit(sheet: Timesheet, submitted_at: datetime, last: bool) -> tuple[str, str]:
    named = {"gig": sheet.contract.gig.title, "monday": day(sheet.starts_on)}
    when = zoned(submitted_at)
    if last:
        return (
            _("Your week is submitted for you tomorrow"),
            _(
                "%(gig)s, week from %(monday)s. It is submitted as it is on %(when)s. Enter what is missing "
                "before that, or submit it now.",
                when=when,
                **named,
            ),
        )
    return (
        _("Your week is over: submit it"),
        _(
            "%(gig)s, week from %(monday)s. The sooner it is submitted, the sooner it is paid. If you do "
            "nothing, it is submitted as it is on %(when)s.",
            when=when,
            **named,
        ),
    )


def _to_approve(sheet: Timesheet, deadline: datetime) -> tuple[str, str]:
    contract = sheet.contract
    return (
        _("A week of %(expert)s counts as approved soon", expert=contract.person.full_name),
        _(
            "%(gig)s, week from %(monday)s. Approve it, question lines, or return it with a reason. Without "
            "an answer it counts as approved on %(when)s.",
            gig=contract.gig.title,
            monday=day(sheet.starts_on),
            when=zoned(deadline),
        ),
    )


def _evening_after() -> sa.ColumnElement[datetime]:
    """The evening of the day that began when the week ended, on the clock of the contract."""
    there = sa.func.timezone(Timesheet.zone, Timesheet.week_end_at) + EVENING
    return sa.func.timezone(Timesheet.zone, there)


def _locked(session: Session, timesheet_id: int) -> Timesheet:
    return session.get_one(Timesheet, timesheet_id, with_for_update={"of": Timesheet}, populate_existing=True)


def _told(session: Session, people: Iterable[int], kinds: Iterable[str], path: str, since: datetime) -> bool:
    query = sa.select(Notification.id).where(
        Notification.person_id.in_(list(people)),
        Notification.kind.in_(list(kinds)),
        Notification.path == path,
        Notification.created_at >= since,
    )
    return session.scalars(query.limit(1)).first() is not None
