"""What a project's contracts may take in a week together: a client sets it, and no reservation exceeds it."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger
from marketplace.actor import Actor, Role
from marketplace.contracts.budgets.models import WeeklyCap
from marketplace.contracts.models import Contract, Reservation
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs import find as find_gig
from marketplace.gigs.models import Project
from marketplace.gigs.states import ProjectState
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.money import Money

DAY = timedelta(days=1)
# What a held week holds; of one that is closed, what was worked of it. A week is its Monday in its own zone.
TAKEN = sa.text("""
    SELECT
        CAST(coalesce(sum(ceil(r.amount * part.minutes / r.minutes)), 0) AS bigint) AS amount,
        CAST(coalesce(sum(part.minutes), 0) AS bigint) AS minutes
    FROM reservations r
    JOIN contracts c ON c.id = r.contract_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN r.state = 'held' THEN CAST(r.minutes AS numeric) ELSE least(r.minutes, (
            SELECT coalesce(sum(floor(extract(epoch FROM e.ended_at - e.started_at) / 60)), 0)
            FROM time_entries e JOIN timesheets t ON t.id = e.timesheet_id
            WHERE t.contract_id = r.contract_id AND t.week_start_at = r.week_start_at
                AND e.removed_at IS NULL AND e.kind = 'paid'
        )) END AS minutes
    ) AS part
    WHERE c.project_id = :project AND r.week_start_at BETWEEN :around AND :until
        AND CAST(timezone(c.time_zone, r.week_start_at) AS date) = :monday
""").columns(amount=sa.BigInteger, minutes=sa.BigInteger)


class OverCap(Refused):
    """A week of the project takes all that its client lets it take."""


@dataclass(frozen=True)
class Share:
    """Pay and fee in minor units, and minutes: of a week of a project, or asked for."""

    amount: int = 0
    minutes: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.amount + other.amount, self.minutes + other.minutes)


@use_case
def set_cap(
    session: Session, actor: Actor, project_public_id: uuid.UUID, amount: int | None, hours: int | None
) -> WeeklyCap:
    """Let the project's weeks take at most so much (minor units, pay and fee) and so many hours from the next
    week on; None for no cap. What is reserved already stays. Raises NotFound, NotAllowed, Invalid, Refused.
    """
    project = find_gig.project(session, actor, project_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    if project.state is ProjectState.CLOSED:
        raise Refused(_("This project has ended."))
    if amount is not None and amount <= 0:
        raise Invalid(_("Give an amount above zero, or leave it empty."), field="amount")
    if hours is not None and hours <= 0:
        raise Invalid(_("Give at least one hour, or leave it empty."), field="hours")
    hold(session, project)
    cap = WeeklyCap(
        project_id=project.id,
        from_on=next_monday(),
        amount=amount,
        minutes=hours * 60 if hours else None,
        set_by=actor.id,
        set_at=clock.now(),
    )
    session.add(cap)
    session.flush()
    audit.record(
        session, actor, "project.capped", "project", project.public_id,
        from_on=cap.from_on, amount=cap.amount, minutes=cap.minutes,
    )  # fmt: skip
    return cap


def next_monday() -> date:
    """The first Monday on which a week begins that nobody on earth is in yet."""
    today = (clock.now() + timedelta(hours=14)).date()
    return today + timedelta(days=7 - today.weekday())


def in_force(session: Session, project_id: int, monday: date) -> WeeklyCap | None:
    """The cap of the week that begins on this Monday; None when it has none."""
    newest = sa.select(WeeklyCap).where(WeeklyCap.project_id == project_id, WeeklyCap.from_on <= monday)
    cap = session.scalars(newest.order_by(WeeklyCap.from_on.desc(), WeeklyCap.id.desc()).limit(1)).first()
    return None if cap is None or cap.amount is cap.minutes is None else cap


def taken(session: Session, project_id: int, monday: date) -> Share:
    """What the project's contracts hold of a week, or have worked in it."""
    near = clock.midnight(monday, "UTC")
    row = session.execute(
        TAKEN, {"project": project_id, "monday": monday, "around": near - DAY, "until": near + DAY}
    ).one()
    return Share(row.amount, row.minutes)


def require_room(session: Session, project: Project, asked: Mapping[date, Share]) -> None:
    """Raise OverCap when one of these weeks (by Monday) would take more than it may.

    For a reservation it needs the lock on the project's funds that `ledger.require_cover` takes, so that two
    do not both find room; an offer is asked again when it is signed.
    """
    for monday, share in sorted(asked.items()):
        cap = in_force(session, project.id, monday)
        if cap is not None:
            _require(cap, project, monday, taken(session, project.id, monday), share)


def by_week(contract: Contract, reservations: Iterable[tuple[Reservation, int, int]]) -> dict[date, Share]:
    """What (reservation, minor units, minutes) ask for of each week, by its Monday."""
    asked: defaultdict[date, Share] = defaultdict(Share)
    for each, amount, minutes in reservations:
        asked[each.week_start_at.astimezone(contract.zone).date()] += Share(amount, minutes)
    return dict(asked)


def hold(session: Session, project: Project) -> None:
    """Wait for who reserves at this moment, and let nobody reserve until this transaction ends."""
    ledger.hold(session, [chart.project_funds(project.public_id)], project.currency)


def _require(cap: WeeklyCap, project: Project, monday: date, held: Share, asked: Share) -> None:
    if cap.amount is not None and asked.amount and held.amount + asked.amount > cap.amount:
        most, there, needed = (
            Money(each, project.currency) for each in (cap.amount, held.amount, asked.amount)
        )
        raise OverCap(
            _(
                "The client lets all contracts of this project take %(most)s in the week from %(monday)s; "
                "%(held)s are taken, and this needs %(needed)s.",
                most=most,
                monday=day(monday),
                held=there,
                needed=needed,
            )
        )
    if cap.minutes is not None and asked.minutes and held.minutes + asked.minutes > cap.minutes:
        raise OverCap(
            _(
                "The client lets all contracts of this project take %(most)s hours in the week from "
                "%(monday)s; %(held)s are taken, and this needs %(needed)s.",
                most=_hours(cap.minutes),
                monday=day(monday),
                held=_hours(held.minutes),
                needed=_hours(asked.minutes),
            )
        )


def _hours(minutes: int) -> str:
    return f"{minutes / 60:.2f}".rstrip("0").rstrip(".")
