"""Money set aside for a contract's weeks, so that no hour is worked which cannot be paid.

A reservation is held in full until its week is approved, or is over without work; then it closes, and what
was not earned goes back to the project. So the reserved account of a project is exactly what is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import accumulate

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger, money
from marketplace.actor import Actor
from marketplace.contracts.budgets import caps
from marketplace.contracts.credit import cover as credit
from marketplace.contracts.fees import queries as fees
from marketplace.contracts.fees.schedule import split
from marketplace.contracts.models import Contract, Reservation, TimeEntry, Timesheet
from marketplace.contracts.states import ReservationState, TimeKind
from marketplace.contracts.weeks import Week
from marketplace.errors import Refused
from marketplace.gigs.models import Project
from marketplace.gigs.states import ProjectState
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, NotCovered, chart
from marketplace.money import Money


def price(rate: int, minutes: int, fee_bps: int, tax_bps: int) -> int:
    """What `minutes` cost the client at a rate an hour: pay, fee and its tax, in minor units."""
    return split(money.for_minutes(rate, minutes), fee_bps, tax_bps).total


def reserve(session: Session, actor: Actor, contract: Contract, weeks: Iterable[Week]) -> list[Reservation]:
    """Set money aside for those of `weeks` that have none. Needs the contract's lock.

    Raises Refused, with what is free and what is needed, when the project's funds do not cover all of it, or
    its client caps what a week may take.
    """
    fees.hold_still(session, contract)
    minutes = contract.week_minutes
    new = [
        _held(contract, week, minutes, _price(contract, week.start, week.end, minutes))
        for week in weeks
        if of_week(session, contract, week) is None
    ]
    return _reserve(session, actor, contract, new)


def reserve_parts(
    session: Session, actor: Actor, contract: Contract, parts: Sequence[tuple[Week, int]]
) -> list[Reservation]:
    """Set money aside for so many minutes of each of some weeks that follow each other, together what all of
    them cost at once. Raises Refused as `reserve` does."""
    fees.hold_still(session, contract)
    # All at the highest of all: at the fee or tax of its own week the later part could come to too little.
    start, end = parts[0][0].start, parts[-1][0].end
    new, before = [], 0
    for (week, minutes), so_far in zip(parts, accumulate(part for _week, part in parts), strict=True):
        amount = max(_price(contract, start, end, so_far), before + 1)
        new.append(_held(contract, week, minutes, amount - before))
        before = amount
    return _reserve(session, actor, contract, new)


def missing(
    session: Session, contract: Contract, rate: int, from_at: datetime
) -> list[tuple[Reservation, int]]:
    """What weeks that are held lack, in minor units, were an hour paid at `rate` from `from_at` on.

    Nobody knows yet on which days of such a week the hours will be worked, so all may be at that rate.
    """
    held = sa.select(Reservation).filter_by(contract_id=contract.id, state=ReservationState.HELD)
    weeks = session.scalars(held.where(Reservation.week_end_at > from_at).order_by(Reservation.week_start_at))
    fees.hold_still(session, contract)
    lacking = [(each, _at_rate(contract, each, rate) - each.amount) for each in weeks]
    return [(each, amount) for each, amount in lacking if amount > 0]


def top_up(session: Session, actor: Actor, contract: Contract, rate: int, from_at: datetime) -> int:
    """Set aside what weeks that are held lack at a rate that is to come; minor units in all. Needs the
    contract's lock. Raises Refused, with what is free and what is needed."""
    lacking = missing(session, contract, rate, from_at)
    more = sum(amount for _reservation, amount in lacking)
    if more:
        _require_cover(session, contract, more, _short_of_rate)
        caps.require_room(session, contract.project, caps.by_week(contract, _more(lacking)))
        for reservation, amount in lacking:
            reservation.amount += amount
        event = f"raised {from_at.astimezone(contract.zone).date()}"
        memo = _("Reserved for a higher rate")
        ledger.post_many(session, actor, [_entry(contract, each, event, add, memo) for each, add in lacking])
        session.flush()
        audit.record(session, actor, "money.reserved", "contract", contract.public_id, weeks=len(lacking))
    return more


def _more(lacking: list[tuple[Reservation, int]]) -> list[tuple[Reservation, int, int]]:
    return [(each, amount, 0) for each, amount in lacking]


def _price(contract: Contract, start: datetime, end: datetime, minutes: int) -> int:
    """At the highest of each: nobody knows yet on which day of [start, end) will be worked, and what is left
    goes back."""
    rate = contract.highest_rate(max(start, contract.signed_at), end)
    return price(rate, minutes, contract.highest_fee(start, end), contract.highest_tax(start, end))


def _at_rate(contract: Contract, reservation: Reservation, rate: int) -> int:
    span = (reservation.week_start_at, reservation.week_end_at)
    return price(rate, reservation.minutes, contract.highest_fee(*span), contract.highest_tax(*span))


def _held(contract: Contract, week: Week, minutes: int, amount: int) -> Reservation:
    return Reservation(
        contract=contract,
        week_start_at=week.start,
        week_end_at=week.end,
        minutes=minutes,
        amount=amount,
        state=ReservationState.HELD,
    )


def _reserve(session: Session, actor: Actor, contract: Contract, new: list[Reservation]) -> list[Reservation]:
    if new:
        _require_cover(
            session, contract, sum(each.amount for each in new), partial(_short_of_weeks, len(new))
        )
        asked = [(each, each.amount, each.minutes) for each in new]
        caps.require_room(session, contract.project, caps.by_week(contract, asked))
        session.add_all(new)
        ledger.post_many(session, actor, [_reserving(contract, each) for each in new])
        session.flush()
        audit.record(session, actor, "money.reserved", "contract", contract.public_id, weeks=len(new))
    return new


def give_back(session: Session, actor: Actor, reservation: Reservation) -> None:
    """Close a reservation from which nothing was earned; all of it is free again."""
    ledger.post_many(session, actor, close(reservation, spent=0))
    audit.record(session, actor, "money.returned", "contract", reservation.contract.public_id)


def close(reservation: Reservation, spent: int) -> list[NewEntry]:
    """Close it, and write what is left of it back to the project's funds (no entry when nothing is)."""
    if reservation.state is not ReservationState.HELD:
        raise Refused(_("The money for this week is no longer reserved. Ask the client to look at it."))
    reservation.state = ReservationState.CLOSED
    left = reservation.amount - spent
    return [_returning(reservation.contract, reservation, left)] if left > 0 else []


def of_week(session: Session, contract: Contract, week: Week) -> Reservation | None:
    """The reservation for a week, held or closed."""
    query = sa.select(Reservation).filter_by(contract_id=contract.id, week_start_at=week.start)
    return session.scalars(query).one_or_none()


def minutes_left(session: Session, contract: Contract, week: Week) -> int:
    """Reserved minutes of a week that no entry has used; a running timer counts nothing until it stops."""
    reservation = of_week(session, contract, week)
    if reservation is None or reservation.state is not ReservationState.HELD:
        return 0
    return max(0, reservation.minutes - minutes_used(session, contract, week))


def minutes_used(session: Session, contract: Contract, week: Week) -> int:
    """Paid minutes entered for a week; a running timer counts nothing until it stops."""
    return sum(entry.minutes for entry in _paid(session, contract, week))


def is_worked(session: Session, contract: Contract, week: Week) -> bool:
    """Is there paid time in a week, or a timer that is still running in it?"""
    return any(entry.minutes or entry.ended_at is None for entry in _paid(session, contract, week))


def _paid(session: Session, contract: Contract, week: Week) -> Sequence[TimeEntry]:
    return session.scalars(
        sa.select(TimeEntry)
        .join(TimeEntry.timesheet)
        .where(Timesheet.contract_id == contract.id, Timesheet.week_start_at == week.start)
        .where(TimeEntry.removed_at.is_(None), TimeEntry.kind == TimeKind.PAID)
    ).all()


def _require_cover(
    session: Session, contract: Contract, amount: int, say: Callable[[Money, Money], str]
) -> None:
    try:
        credit.require_cover(session, contract.project, amount)
        _require_open(session, contract)
    except NotCovered:
        free = credit.available(session, contract.project)
        currency = contract.currency
        raise NotCovered(say(Money(max(0, free), currency), Money(amount, currency))) from None


def _require_open(session: Session, contract: Contract) -> None:
    """Whoever ends a project holds its funds too, so it is read after that."""
    state = session.scalar(sa.select(Project.state).where(Project.id == contract.project_id))
    if state is ProjectState.CLOSED:
        raise Refused(_("This project has ended, so nothing more is reserved for it."))


def _short_of_weeks(weeks: int, free: Money, needed: Money) -> str:
    return _(
        "The project has %(free)s free; the %(weeks)s weeks to reserve need %(needed)s. "
        "The client has to add funds first.",
        free=free,
        weeks=weeks,
        needed=needed,
    )


def _short_of_rate(free: Money, needed: Money) -> str:
    return _(
        "The project has %(free)s free; weeks that are reserved already need %(needed)s more at this rate. "
        "Add funds first, or let it begin later.",
        free=free,
        needed=needed,
    )


def _reserving(contract: Contract, reservation: Reservation) -> NewEntry:
    memo = _("Reserved for a paid test") if contract.test_id else _("Reserved for a week's work")
    return _entry(contract, reservation, "reserved", reservation.amount, memo)


def _returning(contract: Contract, reservation: Reservation, amount: int) -> NewEntry:
    return _entry(contract, reservation, "returned", -amount, _("Reserved and not used, returned"))


def _entry(contract: Contract, reservation: Reservation, event: str, amount: int, memo: str) -> NewEntry:
    project = contract.project.public_id
    week = reservation.week_start_at.astimezone(contract.zone).date()
    return NewEntry(
        source=f"reservation:{contract.public_id}:{week}",
        event=event,
        currency=contract.currency,
        lines=[(chart.project_funds(project), amount), (chart.project_reserved(project), -amount)],
        occurred_at=clock.now(),
        memo=memo,
    )
