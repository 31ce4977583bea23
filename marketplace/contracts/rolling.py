"""Week after week: money that was not used goes back, and the next week is reserved."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.actor import SITE
from marketplace.contracts import find, limits, reservations
from marketplace.contracts.budgets.caps import OverCap
from marketplace.contracts.models import Contract, Reservation
from marketplace.contracts.states import ContractState, ReservationState
from marketplace.contracts.weeks import Week, week_of
from marketplace.db import use_case
from marketplace.gigs import projection
from marketplace.gigs.members import tell, tell_client
from marketplace.i18n import gettext as _
from marketplace.ledger import NotCovered
from marketplace.notifications.models import Notification

# Hours of a week that is over, or whose contract has ended, can still be entered for this long; then an empty
# week gives its money back.
LATE_ENTRY = timedelta(days=2)


def late_until(contract: Contract) -> datetime | None:
    """Until when hours of before its end can still be entered; None when that is over, or it goes on."""
    if contract.test_id is not None or contract.ended_at is None:
        return None
    until = contract.ended_at + LATE_ENTRY
    return until if clock.now() < until else None


def roll_weeks(session: Session) -> int:
    """Return what empty weeks held, then reserve what is to come; how many contracts changed.

    By the clock, and each contract in a transaction of its own: running it again changes nothing.
    """
    now = clock.now()
    ids = session.scalars(sa.union(_with_old_weeks(now), _without_next_week(now))).all()
    return jobs.one_by_one(session, _roll, sorted(ids))


def _with_old_weeks(now: datetime) -> sa.Select[int]:
    return (
        sa.select(Reservation.contract_id)
        .join(Reservation.contract)
        .where(Reservation.state == ReservationState.HELD, _takes_no_more(now))
    )


def enter_until(reservation: Reservation) -> datetime:
    """When the money of a week in which nothing was worked goes back."""
    ended_at = reservation.contract.ended_at
    return min(reservation.week_end_at, ended_at or reservation.week_end_at) + LATE_ENTRY


def _takes_no_more(now: datetime) -> sa.ColumnElement[bool]:
    """Of a reservation with its contract: `enter_until` is over."""
    return sa.func.least(Reservation.week_end_at, Contract.ended_at) <= now - LATE_ENTRY


def _without_next_week(now: datetime) -> sa.Select[int]:
    next_week = sa.exists().where(Reservation.contract_id == Contract.id, Reservation.week_start_at > now)
    return sa.select(Contract.id).where(Contract.state == ContractState.ACTIVE, ~next_week)


@use_case
def _roll(session: Session, contract_id: int) -> bool:
    contract = find.hold(session, contract_id)
    returned = _return_unused(session, contract)
    reserved = _reserve_ahead(session, contract)
    if returned or reserved:
        projection.push_project(session, contract.project_id)
    return returned or reserved


def _return_unused(session: Session, contract: Contract) -> bool:
    held = session.scalars(
        sa.select(Reservation)
        .join(Reservation.contract)
        .filter(Reservation.contract_id == contract.id, Reservation.state == ReservationState.HELD)
        .where(_takes_no_more(clock.now()))
    ).all()
    empty = [each for each in held if not reservations.is_worked(session, contract, _week(contract, each))]
    for reservation in empty:
        reservations.give_back(session, SITE, reservation)
    return bool(empty)


def _reserve_ahead(session: Session, contract: Contract) -> bool:
    if contract.state is not ContractState.ACTIVE or contract.test_id is not None:
        return False
    this = week_of(max(clock.now(), limits.begins(contract)), contract.time_zone)
    wanted = [week for week in (this, this.next) if _within(contract, week)]
    try:
        return bool(reservations.reserve(session, SITE, contract, wanted))
    except NotCovered as short:
        _warn(session, contract, this, short.sentence, "funding")
        return False
    except OverCap as full:
        _warn(session, contract, this, full.sentence, "cap")
        return sum(_reserved_alone(session, contract, week) for week in wanted) > 0


def _reserved_alone(session: Session, contract: Contract, week: Week) -> bool:
    """A week that is full keeps none of the others from being reserved."""
    try:
        return bool(reservations.reserve(session, SITE, contract, [week]))
    except (NotCovered, OverCap):
        return False


def _within(contract: Contract, week: Week) -> bool:
    return contract.gig.ends_on is None or week.monday <= contract.gig.ends_on


def _week(contract: Contract, reservation: Reservation) -> Week:
    return week_of(reservation.week_start_at, contract.time_zone)


def _warn(session: Session, contract: Contract, week: Week, why: str, remedy: str) -> None:
    """Tell both sides once in a week that the next one is not reserved; the client's notice leads to the page
    of the project, `remedy`, where that can be changed."""
    path = f"/contracts/{contract.public_id}"
    kind = "reservation.short"
    told = sa.select(Notification.id).where(
        Notification.person_id == contract.person_id, Notification.kind == kind,
        Notification.path == path, Notification.created_at >= week.start,
    )  # fmt: skip
    if session.scalars(told.limit(1)).first() is not None:
        return

    def say() -> tuple[str, str]:
        return _("Next week's hours are not reserved yet"), why

    tell(session, contract.person_id, kind, path, say)
    tell_client(
        session, contract.organization_id, kind, f"/projects/{contract.project.public_id}/{remedy}", say
    )
