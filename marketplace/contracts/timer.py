"""The timer. It lives in the database, so it survives a reload, sleep and a lost network."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, jobs
from marketplace.actor import SITE, Actor
from marketplace.contracts import entries, find, gaps, limits
from marketplace.contracts.credit import cover as credit
from marketplace.contracts.entries import Work
from marketplace.contracts.models import Contract, TimeEntry
from marketplace.contracts.states import Source, TimeKind
from marketplace.contracts.weeks import split, to_minute, week_of
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs.members import tell
from marketplace.i18n import gettext as _
from marketplace.text import line, paragraph

_RUNNING = sa.and_(TimeEntry.ended_at.is_(None), TimeEntry.removed_at.is_(None))


@dataclass(frozen=True)
class Stopped:
    """What a stopped timer left behind: its entries, and why it ended before now, if it did: for lack of what
    work needs, or because Stop was `pressed_at` an earlier minute."""

    entries: list[TimeEntry]
    cut_because: str | None
    pressed_at: datetime | None = None


@use_case
def start_timer(
    session: Session,
    actor: Actor,
    contract_public_id: uuid.UUID,
    task_kind: str,
    note: str = "",
    kind: TimeKind = TimeKind.PAID,
) -> TimeEntry:
    """Start work now. Raises Refused when a timer runs, the contract is over, or no minute may be worked."""
    contract = find.own_contract(session, actor, contract_public_id)
    limits.require_by_hand(contract)
    return start_on(session, actor, contract, task_kind, note, kind)


def start_on(
    session: Session,
    actor: Actor,
    contract: Contract,
    task_kind: str,
    note: str = "",
    kind: TimeKind = TimeKind.PAID,
) -> TimeEntry:
    """As `start_timer`, in the running transaction, on a contract that is locked or new."""
    now = to_minute(clock.now())
    limits.require_open(contract, now)
    limits.require_consent(session, contract, now, now + timedelta(minutes=1))
    credit.require_not_overdue(session, contract.project, now)
    if running(session, actor.id) is not None:
        raise Refused(_("A timer is already running. Stop it first."))
    if kind is TimeKind.PAID:
        limits.require_payable(session, contract)
        limits.require_credentials(session, contract.gig, actor.id, now)
        limits.require_reserved(session, contract, week_of(now, contract.time_zone), 1)
    entry = TimeEntry(
        contract=contract,
        timesheet=entries.open_sheet(session, contract, week_of(now, contract.time_zone)),
        person_id=actor.id,
        started_at=now,
        kind=kind,
        source=Source.TIMER,
        task_kind=line(task_kind),
        note=paragraph(note),
        version=1,
    )
    entries.write(session, [entry])
    audit.record(session, actor, "timer.started", "time_entry", entry.public_id)
    return entry


@use_case
def stop_timer(session: Session, actor: Actor, pressed_at: datetime | None = None) -> Stopped:
    """Stop one's timer: at the present minute, or where reserved time or a credential ended before, or at
    `pressed_at` (UTC), when Stop was pressed without a network, if the timer ran then.

    Less than a whole minute leaves no entry. Raises Refused when no timer runs.
    """
    entry = running(session, actor.id)
    if entry is None:
        raise Refused(_("No timer is running."))
    if entry.contract.test_id is not None:
        raise Refused(_("A test is running. Hand it in, and its time ends."))
    find.hold(session, entry.contract_id)
    session.refresh(entry, with_for_update={"of": TimeEntry})
    moment = _moment(entry, pressed_at)
    stopped = _stop(session, actor, entry, moment)
    earlier = stopped.cut_because is None and to_minute(moment) < to_minute(clock.now())
    return replace(stopped, pressed_at=moment) if earlier else stopped


def stop_spent_timers(session: Session) -> int:
    """Stop the timers that have run as far as they may; how many. Tests end by themselves."""
    work = sa.select(TimeEntry.id).join(TimeEntry.contract).where(_RUNNING, Contract.test_id.is_(None))
    return jobs.one_by_one(session, _stop_spent, session.scalars(work).all())


def running(session: Session, person_id: int) -> TimeEntry | None:
    """The person's running timer."""
    return session.scalars(
        sa.select(TimeEntry).where(_RUNNING, TimeEntry.person_id == person_id)
    ).one_or_none()


def stop_at(session: Session, actor: Actor, contract_id: int, moment: datetime) -> None:
    """Stop the contract's timer, if one runs. Needs the contract's lock."""
    query = sa.select(TimeEntry).where(_RUNNING, TimeEntry.contract_id == contract_id)
    entry = session.scalars(query.with_for_update(of=TimeEntry)).one_or_none()
    if entry is not None:
        _stop(session, actor, entry, moment)


@use_case
def _stop_spent(session: Session, entry_id: int) -> bool:
    entry = session.get_one(TimeEntry, entry_id)
    contract = find.hold(session, entry.contract_id)
    session.refresh(entry, with_for_update={"of": TimeEntry})
    if entry.ended_at is not None or entry.removed_at is not None:
        return False
    if limits.timer_end(session, entry)[0] > clock.now():
        return False
    stopped = _stop(session, SITE, entry, clock.now())
    tell(
        session,
        contract.person_id,
        "timer.stopped",
        f"/contracts/{contract.public_id}",
        lambda: (_("Your timer was stopped"), stopped.cut_because or contract.gig.title),
    )
    return True


def _moment(entry: TimeEntry, pressed_at: datetime | None) -> datetime:
    """Now, or when Stop was pressed on this timer, and not on the one before it."""
    now = clock.now()
    return pressed_at if pressed_at and entry.started_at <= pressed_at <= now else now


def _stop(session: Session, actor: Actor, entry: TimeEntry, moment: datetime) -> Stopped:
    if entry.ended_at is not None or entry.removed_at is not None:
        raise Refused(_("This timer was already stopped."))
    end, why = to_minute(moment), None
    limit, because = limits.timer_end(session, entry)
    if limit < end:
        end, why = limit, because
    pieces = split(entry.started_at, end, entry.contract.time_zone, entry.contract.rate_cuts)
    audit.record(session, actor, "timer.stopped", "time_entry", entry.public_id, at=end)
    if not pieces:
        entry.removed_at = clock.now()
        session.flush()
        return Stopped([], why)
    gaps.note(session, actor, entry, end)
    entry.ended_at = pieces[0][1]
    entry.timesheet.version += 1
    session.flush()
    return Stopped([entry, *_carry_over(session, entry, end)], why)


def _carry_over(session: Session, entry: TimeEntry, end: datetime) -> list[TimeEntry]:
    """Entries for the weeks, and the rates, after the one in which the timer was started."""
    if entry.ended_at is None or entry.ended_at >= end:
        return []
    rest = Work(entry.ended_at, end, entry.task_kind, entry.note, None, entry.kind)
    return entries.place(session, entry.contract, rest, Source.TIMER)
