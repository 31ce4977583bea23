"""A week of work: hours written down, the week submitted, approved, or sent back and mended."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from random import Random
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from marketplace import clock
from marketplace.accounts.models import RoleGrant
from marketplace.actor import Role
from marketplace.contracts import guidelines, rolling
from marketplace.contracts.approvals import approve_overdue, approve_timesheet
from marketplace.contracts.entries import Work, add_entries
from marketplace.contracts.models import Contract, TimeEntry, Timesheet
from marketplace.contracts.states import TimesheetState
from marketplace.contracts.timesheets import return_timesheet, submit_forgotten, submit_timesheet
from marketplace.demo.history import questions
from marketplace.demo.history.stage import WEEKS, Stage, trying
from marketplace.demo.world import LUMEN_PROJECT

NOTES = (
    "Answers 1 to 12, three with a wrong dose",
    "Second pass over the contested items",
    "Long cases, slow but worth it",
    "Cleared the queue from Monday",
    "Wrote out the reasoning for the hard ones",
    "Checked sources, two could not be found",
)


def work(stage: Stage, week: int) -> None:
    """Each expert writes down their hours on Friday evening and submits; some are late, some do less."""
    with stage.at(week, 5, 2):
        stage.each(partial(_work, week=week), _active(stage, week))


def _work(stage: Stage, contract_id: int, week: int) -> None:
    person = stage.session.get_one(Contract, contract_id).person
    chance = stage.chance("work", week, person.email)
    if chance.random() < 0.08:
        return
    _read_guidelines(stage, contract_id)
    _write_down(stage, contract_id, week, chance)
    in_time = chance.random() < 0.95
    if week == WEEKS - 1:
        in_time = in_time and chance.random() < 0.7 and not _of_lumen(stage, contract_id)
    if in_time:
        _submit(stage, contract_id)


def come_late(stage: Stage) -> None:
    """The last weeks that were not submitted in time are now: whatever day it is, somebody has to answer."""
    with stage.at(WEEKS, 6, 23):
        for contract_id in _active(stage, WEEKS):
            _submit(stage, contract_id, within=timedelta(days=7))


def approve(stage: Stage, week: int) -> None:
    """Most weeks are approved on Monday, a few are sent back or questioned, others pass by their deadline."""
    with stage.at(week + 1, 0, 15):
        stage.each(_answer, _submitted(stage))
    with stage.at(week + 1, 6, 4):
        approve_overdue(stage.session)
        submit_forgotten(stage.session)


def _answer(stage: Stage, sheet_id: int) -> None:
    sheet = stage.session.get_one(Timesheet, sheet_id)
    draw = stage.chance("answer", sheet.week_start_at, sheet.contract.person.email).random()
    if draw < 0.025:
        _send_back(stage, sheet_id)
    elif draw < 0.045:
        questions.question(stage, sheet_id, _approver(stage, sheet.contract.organization_id))
    elif draw < 0.9:
        _approve(stage, sheet_id)


def roll(stage: Stage, week: int) -> None:
    """Monday: what was not used returns, the week to come is reserved."""
    with stage.at(week, 0, 5):
        rolling.roll_weeks(stage.session)


def _active(stage: Stage, week: int) -> list[int]:
    started = sa.select(Contract.id).where(Contract.starts_on < stage.when(week, 4).date())
    return list(stage.session.scalars(started.filter_by(ended_at=None).order_by(Contract.id)))


def _read_guidelines(stage: Stage, contract_id: int) -> None:
    """At a glance: these are short."""
    contract = stage.session.get_one(Contract, contract_id)
    new = guidelines.unread(stage.session, [contract]).get(contract_id)
    if new is not None:
        session, expert, public_id = stage.session, stage.actor(contract.person_id), contract.public_id
        version = new.version
        trying(session, lambda: guidelines.begin_reading(session, expert, public_id))
        trying(session, lambda: guidelines.finish_reading(session, expert, public_id, version))


def _write_down(stage: Stage, contract_id: int, week: int, chance: Random) -> None:
    contract = stage.session.get_one(Contract, contract_id)
    days = (1, 2, 3)
    minutes = contract.hours_per_week * 60 * chance.choice((6, 8, 9, 9, 10)) // 10 // len(days) // 5 * 5
    works = [_stint(stage, contract, week, day, minutes, chance.choice(NOTES)) for day in days]
    written = sa.select(TimeEntry.id).where(
        TimeEntry.contract_id == contract_id, TimeEntry.started_at >= works[0].started_at
    )
    if stage.session.scalar(written.limit(1)) is None:
        expert, public_id = stage.actor(contract.person_id), contract.public_id
        trying(stage.session, lambda: add_entries(stage.session, expert, public_id, works))


def _stint(stage: Stage, contract: Contract, week: int, day: int, minutes: int, note: str) -> Work:
    """From nine o'clock where the expert lives."""
    date = stage.when(week, day).date()
    start = datetime(date.year, date.month, date.day, 9, tzinfo=ZoneInfo(contract.time_zone))
    return Work(
        started_at=start,
        ended_at=start + timedelta(minutes=minutes),
        task_kind=contract.gig.task_kind or "review",
        note=note,
        items=minutes // 15,
    )


def _of_lumen(stage: Stage, contract_id: int) -> bool:
    """Is it a contract of the cast's own company?"""
    return stage.session.get_one(Contract, contract_id).project.name == LUMEN_PROJECT


def _submit(stage: Stage, contract_id: int, within: timedelta = timedelta(days=3)) -> None:
    """The week that runs, or one that ended `within` that time."""
    sheet = stage.session.scalars(
        sa.select(Timesheet).where(
            Timesheet.contract_id == contract_id,
            Timesheet.state.in_((TimesheetState.OPEN, TimesheetState.RETURNED)),
            Timesheet.week_start_at <= clock.now(),
            Timesheet.week_end_at > clock.now() - within,
        )
    ).first()
    if sheet is not None:
        expert = stage.actor(sheet.contract.person_id)
        public_id, version = sheet.public_id, sheet.version
        trying(stage.session, lambda: submit_timesheet(stage.session, expert, public_id, version))


def _submitted(stage: Stage) -> list[int]:
    waiting = sa.select(Timesheet.id).filter_by(state=TimesheetState.SUBMITTED)
    return list(
        stage.session.scalars(waiting.where(Timesheet.submitted_at < clock.now()).order_by(Timesheet.id))
    )


def _approver(stage: Stage, organization_id: int) -> int:
    held = sa.select(RoleGrant.person_id).filter_by(
        organization_id=organization_id, role=Role.CLIENT_APPROVER
    )
    return stage.session.scalars(held).first() or 0


def _approve(stage: Stage, sheet_id: int) -> None:
    sheet = stage.session.get_one(Timesheet, sheet_id)
    approver = stage.actor(_approver(stage, sheet.contract.organization_id))
    public_id, version = sheet.public_id, sheet.version
    trying(stage.session, lambda: approve_timesheet(stage.session, approver, public_id, version))


def _send_back(stage: Stage, sheet_id: int) -> None:
    """The client asks what a line was; the expert answers by submitting the week again."""
    sheet = stage.session.get_one(Timesheet, sheet_id)
    approver = stage.actor(_approver(stage, sheet.contract.organization_id))
    contract_id, public_id, version = sheet.contract_id, sheet.public_id, sheet.version
    question = "Which items does Tuesday's time belong to? We cannot find them in the tool."
    trying(
        stage.session,
        lambda: return_timesheet(stage.session, approver, public_id, version, "work_missing", question),
    )
    _submit(stage, contract_id)
