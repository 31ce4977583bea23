"""Reading the schedule of fees."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.accounts.models import Organization
from marketplace.contracts.fees.models import FeeChange
from marketplace.contracts.fees.schedule import applies, fee_on
from marketplace.contracts.models import Contract, Reservation
from marketplace.contracts.states import OfferState, ReservationState
from marketplace.errors import NotFound
from marketplace.gigs.models import Project
from marketplace.gigs.states import ProjectState
from marketplace.i18n import day
from marketplace.i18n import gettext as _

# The number that whoever reserves or prices work shares, and whoever changes a fee holds alone.
LOCK = 700_702


def hold_still(session: Session, contract: Contract) -> None:
    """Read the contract's fees and taxes anew, and let nobody change them until the transaction ends."""
    hold(session)
    session.expire(contract, ["fees", "taxes"])


def hold(session: Session) -> None:
    """Let nobody change a fee or a tax until the transaction ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(LOCK)))


def about(organization_id: int | None, project_id: int | None) -> sa.ColumnElement[bool]:
    """The changes that can apply to a project: its own, its client's, and everybody's."""
    site = FeeChange.organization_id.is_(None) & FeeChange.project_id.is_(None)
    return sa.or_(site, FeeChange.organization_id == organization_id, FeeChange.project_id == project_id)


def accepted(session: Session, organization_id: int | None, project_id: int | None) -> Sequence[FeeChange]:
    """What was accepted and can apply to a project, by its day."""
    query = sa.select(FeeChange).where(
        FeeChange.state == OfferState.ACCEPTED, about(organization_id, project_id)
    )
    return session.scalars(query.order_by(FeeChange.from_on)).all()


def every(session: Session) -> Sequence[FeeChange]:
    """All changes for finance, the widest scope first, then by the day from which they count."""
    query = (
        sa.select(FeeChange)
        .options(
            joinedload(FeeChange.organization),
            joinedload(FeeChange.project).joinedload(Project.organization),
            joinedload(FeeChange.maker),
            joinedload(FeeChange.decider),
        )
        .order_by(
            FeeChange.project_id.nulls_first(),
            FeeChange.organization_id.nulls_first(),
            FeeChange.from_on.desc(),
        )
    )
    return session.scalars(query).all()


def change(session: Session, public_id: uuid.UUID, *, lock: bool = False) -> FeeChange:
    """The change; finance sees all. Raises NotFound."""
    query = sa.select(FeeChange).filter_by(public_id=public_id)
    found = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if found is None:
        raise NotFound(_("There is no such fee."))
    return found


def earliest(session: Session, organization_id: int | None, project_id: int | None, today: date) -> date:
    """The first day from which a fee of this scope can be new: no work is done on it anywhere, and no week
    that is reserved already reaches it."""
    ends = sa.cast(sa.func.timezone(Contract.time_zone, Reservation.week_end_at), sa.Date)
    query = sa.select(sa.func.max(ends)).join(Reservation.contract)
    query = query.where(Reservation.state == ReservationState.HELD, _within(organization_id, project_id))
    free = session.scalar(query)
    return max(free or today, date.fromordinal(today.toordinal() + 1))


def clients_of(session: Session, organization_id: int | None, project_id: int | None) -> Sequence[int]:
    """Internal ids of the clients whose contracts a change of this scope is about, or whose projects: work
    can be offered for each that has not ended, and is offered for no other."""
    contracts = sa.select(Contract.organization_id).where(_within(organization_id, project_id))
    projects = sa.select(Project.organization_id).where(Project.state != ProjectState.CLOSED)
    if project_id is not None:
        projects = projects.where(Project.id == project_id)
    elif organization_id is not None:
        projects = projects.where(Project.organization_id == organization_id)
    return sorted(session.scalars(contracts.union(projects)))


def organization(session: Session, public_id: uuid.UUID) -> Organization:
    """The client. Raises NotFound."""
    found = session.scalars(sa.select(Organization).filter_by(public_id=public_id)).one_or_none()
    if found is None:
        raise NotFound(_("There is no such company."))
    return found


def percent(fee_bps: int) -> str:
    """For people: `20`, `17.5`."""
    return f"{(Decimal(fee_bps) / 100).normalize():f}"


def said(contract: Contract, on: date) -> str:
    """Which fee applies to a contract's work on a day, why, and what follows it."""
    found = applies(contract.fees, on)
    fee = percent(contract.fee_on(on))
    if found is None:
        sentence = _("%(fee)s %% of the pay, as agreed in the offer.", fee=fee)
    else:
        whose = {
            0: _("the fee of this project"),
            1: _("the fee of this client"),
            2: _("the fee of all clients"),
        }[found.breadth]
        sentence = _(
            "%(fee)s %% of the pay: %(whose)s since %(day)s.", fee=fee, whose=whose, day=day(found.from_on)
        )
    return " ".join([sentence, *to_come(contract.fees, on, contract.fee_bps)])


def to_come(changes: Sequence[FeeChange], on: date, agreed: int) -> list[str]:
    """A sentence for each day after `on` from which the fee is another; `agreed` as in `fee_on`."""
    days = sorted({each.from_on for each in changes if each.from_on > on})
    fees = [fee_on(changes, each, agreed) for each in (on, *days)]
    return [
        _("For work from %(day)s on it is %(fee)s %%.", day=day(each), fee=percent(after))
        for each, before, after in zip(days, fees, fees[1:], strict=False)
        if after != before
    ]


def _within(organization_id: int | None, project_id: int | None) -> sa.ColumnElement[bool]:
    if project_id is not None:
        return Contract.project_id == project_id
    if organization_id is not None:
        return Contract.organization_id == organization_id
    return sa.true()
