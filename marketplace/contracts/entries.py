"""Time entered by hand. A change keeps the old version; nothing that was written is lost."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor
from marketplace.contracts import find, limits
from marketplace.contracts.credit import cover as credit
from marketplace.contracts.models import Contract, TimeEntry, Timesheet
from marketplace.contracts.states import Source, TimeKind, TimesheetState, word
from marketplace.contracts.weeks import Week, split, to_minute, week_of
from marketplace.db import use_case, violated
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _
from marketplace.i18n import zoned
from marketplace.text import line, paragraph

WRITABLE = (TimesheetState.OPEN, TimesheetState.RETURNED)


@dataclass(frozen=True)
class Work:
    """[started_at, ended_at) in UTC, and what was done in it. `items` counts finished pieces."""

    started_at: datetime
    ended_at: datetime
    task_kind: str
    note: str = ""
    items: int | None = None
    kind: TimeKind = TimeKind.PAID


@use_case
def add_entry(session: Session, actor: Actor, contract_public_id: uuid.UUID, work: Work) -> TimeEntry:
    """Enter time that has passed; work over the end of a week, or into a new rate, becomes two entries, of
    which the first is returned.

    Raises Invalid or Refused with a sentence: in the future, before the contract, over another entry,
    without a credential, or more than is reserved.
    """
    return add_entries(session, actor, contract_public_id, [work])[0]


@use_case
def add_entries(
    session: Session, actor: Actor, contract_public_id: uuid.UUID, works: Sequence[Work]
) -> list[TimeEntry]:
    """As `add_entry`, for several; all of them or none."""
    contract = find.own_contract(session, actor, contract_public_id)
    limits.require_by_hand(contract)
    entries = [entry for work in works for entry in _enter(session, contract, work)]
    audit.record(session, actor, "time.entered", "contract", contract.public_id, entries=len(entries))
    return entries


@use_case
def change_entry(
    session: Session, actor: Actor, entry_public_id: uuid.UUID, seen_version: int, work: Work
) -> TimeEntry:
    """Replace an entry; the old version stays and names the new one. Raises Refused as `add_entry` does."""
    old = _changeable(session, actor, entry_public_id, seen_version)
    contract = old.contract
    _strike(session, old)
    new = _enter(session, contract, work, version=old.version + 1)
    old.replaced_by_id = new[0].id
    session.flush()
    audit.record(session, actor, "time.changed", "time_entry", old.public_id, by=new[0].public_id)
    return new[0]


@use_case
def remove_entry(session: Session, actor: Actor, entry_public_id: uuid.UUID, seen_version: int) -> TimeEntry:
    """Take an entry out of its week. It is kept as removed."""
    entry = _changeable(session, actor, entry_public_id, seen_version)
    _strike(session, entry)
    audit.record(session, actor, "time.removed", "time_entry", entry.public_id)
    return entry


def place(
    session: Session, contract: Contract, work: Work, source: Source, version: int = 1
) -> list[TimeEntry]:
    """Write checked work, cut where a week or a rate begins; its pieces count as finished in the last entry.

    Raises Refused over another entry.
    """
    pieces = [
        replace(work, started_at=start, ended_at=end, items=work.items if end == work.ended_at else None)
        for start, end in split(work.started_at, work.ended_at, contract.time_zone, contract.rate_cuts)
    ]
    sheets = [open_sheet(session, contract, week_of(each.started_at, contract.time_zone)) for each in pieces]
    entries = [
        _row(contract, sheet, each, source, version) for each, sheet in zip(pieces, sheets, strict=True)
    ]
    write(session, entries)
    return entries


def write(session: Session, entries: Sequence[TimeEntry]) -> None:
    """Send entries to the database, whose refusals become sentences."""
    session.add_all(entries)
    try:
        session.flush()
    except IntegrityError as error:
        if violated(error) == "ex_time_entries_overlap":
            raise Refused(_("Another entry already covers part of this time.")) from error
        if violated(error) == "uq_time_entries_running":
            raise Refused(_("A timer is already running. Stop it first.")) from error
        raise


def open_sheet(session: Session, contract: Contract, week: Week) -> Timesheet:
    """The week's timesheet to write in, made when there is none. Raises Refused once it was submitted."""
    query = sa.select(Timesheet).filter_by(contract_id=contract.id, week_start_at=week.start)
    sheet = session.scalars(query).one_or_none()
    if sheet is None:
        sheet = Timesheet(
            contract=contract,
            week_start_at=week.start,
            week_end_at=week.end,
            zone=contract.time_zone,
            state=TimesheetState.OPEN,
            version=1,
        )
        session.add(sheet)
        session.flush()
    require_writable(sheet)
    sheet.version += 1
    return sheet


def require_writable(sheet: Timesheet) -> None:
    """Raise Refused once the week was submitted or approved."""
    if sheet.state not in WRITABLE:
        raise Refused(
            _("This week is already %(state)s, so its entries stay as they are.", state=word(sheet.state))
        )


def _enter(session: Session, contract: Contract, work: Work, version: int = 1) -> list[TimeEntry]:
    work = _tidy(work)
    limits.require_time(contract, work.started_at, work.ended_at)
    limits.require_consent(session, contract, work.started_at, work.ended_at)
    credit.require_not_overdue(session, contract.project, work.started_at)
    if work.ended_at - work.started_at > limits.LONGEST:
        raise Invalid(_("An entry may be twelve hours at most. Check the start and the end."), field="ends")
    _refuse_overlap(session, contract, work)
    if work.kind is TimeKind.PAID:
        limits.require_payable(session, contract)
        limits.require_credentials(session, contract.gig, contract.person_id, work.started_at, work.ended_at)
        for start, end in split(work.started_at, work.ended_at, contract.time_zone):
            minutes = int((end - start).total_seconds()) // 60
            limits.require_reserved(session, contract, week_of(start, contract.time_zone), minutes)
    return place(session, contract, work, Source.MANUAL, version)


def _tidy(work: Work) -> Work:
    return replace(
        work,
        started_at=to_minute(work.started_at),
        ended_at=to_minute(work.ended_at),
        task_kind=line(work.task_kind),
        note=paragraph(work.note),
    )


def _refuse_overlap(session: Session, contract: Contract, work: Work) -> None:
    """Say which entry is in the way; the database has the last word when two come at once."""
    other = session.scalars(
        sa.select(TimeEntry)
        .where(TimeEntry.person_id == contract.person_id, TimeEntry.removed_at.is_(None))
        .where(TimeEntry.started_at < work.ended_at)
        .where(sa.or_(TimeEntry.ended_at.is_(None), TimeEntry.ended_at > work.started_at))
        .limit(1)
    ).first()
    if other is None:
        return
    if other.ended_at is None:
        since = zoned(other.started_at, contract.time_zone)
        raise Refused(_("A timer is running since %(start)s. Stop it first.", start=since))
    raise Refused(
        _(
            "Another entry already covers part of this time: %(start)s to %(end)s.",
            start=zoned(other.started_at, contract.time_zone),
            end=zoned(other.ended_at, contract.time_zone),
        ),
        field="begins",
    )


def _row(contract: Contract, sheet: Timesheet, work: Work, source: Source, version: int) -> TimeEntry:
    return TimeEntry(
        contract=contract,
        timesheet=sheet,
        person_id=contract.person_id,
        started_at=work.started_at,
        ended_at=work.ended_at,
        kind=work.kind,
        source=source,
        task_kind=work.task_kind,
        items=work.items,
        note=work.note,
        version=version,
    )


def _changeable(session: Session, actor: Actor, public_id: uuid.UUID, seen_version: int) -> TimeEntry:
    entry = find.own_entry(session, actor, public_id)
    if entry.removed_at is not None or entry.version != seen_version:
        raise Refused(_("This entry was changed meanwhile. Look at the week again."))
    if entry.ended_at is None:
        raise Refused(_("This timer is still running. Stop it first."))
    limits.require_by_hand(entry.contract)
    require_writable(entry.timesheet)
    return entry


def _strike(session: Session, entry: TimeEntry) -> None:
    entry.removed_at = clock.now()
    entry.timesheet.version += 1
    session.flush()
