"""Times in which nothing was heard of a running timer: a closed laptop, a lost network. They count until the
expert says that they do not; nothing is dropped, and a lack of input is no gap."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from marketplace import audit, clock
from marketplace.actor import Actor
from marketplace.contracts import entries, find, limits
from marketplace.contracts.entries import Work
from marketplace.contracts.models import Contract, GuidelinesReading, TimeEntry
from marketplace.contracts.weeks import split, to_minute, week_of
from marketplace.db import Base, Key, Public, use_case
from marketplace.errors import Refused
from marketplace.gigs.find import there
from marketplace.i18n import gettext as _

# A page sends a sign of life every minute; after so long without one, somebody was away.
AWAY = timedelta(minutes=10)


class TimerGap(Public, Base):
    """[from_at, to_at) in UTC, to the minute, in which a timer ran on the contract and was not heard of.

    `worked` is what the expert says of it; None until they are asked.
    """

    __tablename__ = "timer_gaps"

    id: Mapped[Key]
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"))
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    worked: Mapped[bool | None]

    contract: Mapped[Contract] = relationship()

    __table_args__ = (
        sa.UniqueConstraint("contract_id", "from_at"),
        sa.Index("ix_timer_gaps_contract_id", "contract_id", postgresql_where=sa.text("answered_at IS NULL")),
    )

    @property
    def minutes(self) -> int:
        """How long it was."""
        return int((self.to_at - self.from_at).total_seconds()) // 60


@use_case
def heartbeat(session: Session, actor: Actor) -> TimerGap | None:
    """The page with the running timer is there; the gap, if it was not for a while."""
    running = sa.select(TimeEntry).where(
        TimeEntry.person_id == actor.id, TimeEntry.ended_at.is_(None), TimeEntry.removed_at.is_(None)
    )
    # Of two tabs that wake up together the second sees what the first has written.
    entry = session.scalars(running.with_for_update(of=TimeEntry)).one_or_none()
    if entry is None:
        return None
    gap = note(session, actor, entry, clock.now())
    # A clock that was set back makes no silence afterwards.
    entry.heartbeat_at = max(clock.now(), entry.heartbeat_at or clock.now())
    return gap


def note(session: Session, actor: Actor, entry: TimeEntry, until: datetime) -> TimerGap | None:
    """Write down that nothing was heard of a timer until then, if it was long. A page without script, of
    which nothing is ever heard, says nothing."""
    last = entry.heartbeat_at
    if last is None or until - last < AWAY or entry.contract.test_id is not None:
        return None
    # As entries are, so that each is in one week, of which it can be answered.
    pieces = split(to_minute(last), to_minute(until), entry.contract.time_zone)
    gaps = [TimerGap(contract_id=entry.contract_id, from_at=start, to_at=end) for start, end in pieces]
    session.add_all(gaps)
    session.flush()
    for gap in gaps:
        audit.record(session, actor, "timer.gap", "timer_gap", gap.public_id, minutes=gap.minutes)
    return gaps[-1]


@use_case
def answer_gap(session: Session, actor: Actor, gap_public_id: uuid.UUID, *, worked: bool) -> TimerGap:
    """Say whether time in which nothing was heard was worked. What was not is taken out of the entries that
    hold it, of which the old versions are kept; a timer that still runs goes on from then.

    Raises NotFound for somebody else's, Refused when it was answered or its week cannot be written in.
    """
    query = (
        sa.select(TimerGap)
        .join(TimerGap.contract)
        .where(TimerGap.public_id == gap_public_id, Contract.person_id == actor.id)
    )
    gap = there(session.scalars(query).one_or_none())
    find.hold(session, gap.contract_id)
    session.refresh(gap, with_for_update={"of": TimerGap})
    if gap.answered_at is not None:
        raise Refused(_("You have answered this already. Nothing was changed."))
    if not worked:
        for entry in _holding(session, gap):
            _take_out(session, entry, gap)
    gap.answered_at, gap.worked = clock.now(), worked
    session.flush()
    audit.record(session, actor, "timer.gap_answered", "timer_gap", gap.public_id, worked=worked)
    return gap


def unanswered(session: Session, contract: Contract) -> list[TimerGap]:
    """Those of a contract about which its expert can still say something, the oldest first."""
    query = (
        sa.select(TimerGap).filter_by(contract_id=contract.id, answered_at=None).order_by(TimerGap.from_at)
    )
    found = session.scalars(query).all()
    return [gap for gap in found if any(_writable(entry) for entry in _holding(session, gap))]


def _holding(session: Session, gap: TimerGap) -> Sequence[TimeEntry]:
    """The entries, as they are by now, that hold some of its time."""
    return session.scalars(
        sa.select(TimeEntry)
        .where(TimeEntry.contract_id == gap.contract_id, TimeEntry.removed_at.is_(None))
        .where(TimeEntry.started_at < gap.to_at)
        .where(sa.or_(TimeEntry.ended_at.is_(None), TimeEntry.ended_at > gap.from_at))
        .order_by(TimeEntry.started_at)
    ).all()


def _writable(entry: TimeEntry) -> bool:
    return entry.timesheet.state in entries.WRITABLE


def _take_out(session: Session, entry: TimeEntry, gap: TimerGap) -> None:
    entries.require_writable(entry.timesheet)
    limits.require_by_hand(entry.contract)
    running, limit = entry.ended_at is None, _limit(session, entry)
    before = _part(entry, entry.started_at, min(gap.from_at, limit))
    after = None if entry.ended_at is None else _part(entry, gap.to_at, entry.ended_at)
    if running:
        # So that what was there before is seen among the earlier versions.
        entry.ended_at = gap.to_at
    entry.removed_at = clock.now()
    entry.timesheet.version += 1
    session.flush()
    parts = [part for part in (before, after) if part is not None]
    if parts:
        # How many pieces were done in which part nobody knows; they stay with the first that there is.
        parts[0] = replace(parts[0], items=entry.items)
    kept = [
        new
        for part in parts
        for new in entries.place(session, entry.contract, part, entry.source, entry.version + 1)
    ]
    if running and gap.from_at < limit:
        kept.append(_runs_on(session, entry, gap.to_at))
    if kept:
        entry.replaced_by_id = kept[0].id
    session.flush()


def _limit(session: Session, entry: TimeEntry) -> datetime:
    """Where a running timer has to stop, though it was not stopped there yet."""
    return limits.timer_end(session, entry)[0] if entry.ended_at is None else entry.ended_at


def _part(entry: TimeEntry, start: datetime, end: datetime) -> Work | None:
    """The work of an entry from one moment to another; nothing when that is no time."""
    if start >= end:
        return None
    return Work(start, end, entry.task_kind, entry.note, None, entry.kind)


def _runs_on(session: Session, entry: TimeEntry, since: datetime) -> TimeEntry:
    """The timer goes on in an entry of its own."""
    contract = entry.contract
    new = TimeEntry(
        contract=contract,
        timesheet=entries.open_sheet(session, contract, week_of(since, contract.time_zone)),
        person_id=entry.person_id,
        started_at=since,
        kind=entry.kind,
        source=entry.source,
        task_kind=entry.task_kind,
        note=entry.note,
        version=entry.version + 1,
        heartbeat_at=clock.now(),
    )
    entries.write(session, [new])
    # What the timer was started for goes on with it.
    readings = sa.update(GuidelinesReading).where(GuidelinesReading.time_entry_id == entry.id)
    session.execute(readings.values(time_entry_id=new.id))
    return new
