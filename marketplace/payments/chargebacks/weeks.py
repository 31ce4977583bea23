"""While a payment is contested two of finance may let weeks go that nobody can have worked in yet, so that
their money is set aside as well. Weeks that have begun keep theirs: their hours may be entered late."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import FINANCE, Actor, Role
from marketplace.contracts import ending, find, reservations
from marketplace.contracts.models import Contract, Reservation
from marketplace.contracts.states import ReservationState
from marketplace.db import use_case
from marketplace.errors import NotAllowed, Refused
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.notifications.telling import tell
from marketplace.payments.chargebacks import books, telling
from marketplace.payments.chargebacks.answering import locked
from marketplace.payments.chargebacks.models import Chargeback
from marketplace.payments.models import Funding


@use_case
def ask_for_weeks(session: Session, actor: Actor, public_id: uuid.UUID) -> Chargeback:
    """One of finance wants the weeks to come let go. Raises NotFound, NotAllowed, Refused."""
    actor.require(*FINANCE)
    chargeback = _open(session, public_id)
    if not ahead(session, chargeback):
        raise Refused(_("No week is reserved that has not begun."))
    chargeback.weeks_asked_by, chargeback.weeks_asked_at = actor.id, clock.now()
    audit.record(session, actor, "ask", "chargeback", public_id)
    return chargeback


@use_case
def free_weeks(session: Session, actor: Actor, public_id: uuid.UUID) -> Chargeback:
    """Another lets them go: each expert is told, and the money is set aside. Raises NotAllowed,
    FreshFactorNeeded, Refused."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    # Contracts are held before money is, as everywhere.
    project_id = session.scalar(
        sa.select(Project.id)
        .join(Funding, Funding.project_id == Project.id)
        .join(Chargeback, Chargeback.funding_id == Funding.id)
        .where(Chargeback.public_id == public_id)
    )
    held = sa.select(Contract.id).filter_by(project_id=project_id).order_by(Contract.id)
    contracts = [find.hold(session, each) for each in session.scalars(held).all()]
    chargeback = _open(session, public_id)
    if chargeback.weeks_asked_by is None:
        raise Refused(_("First a colleague has to ask for it."))
    if chargeback.weeks_asked_by == actor.id:
        raise NotAllowed(_("You asked for this, so somebody else has to confirm it. Ask a colleague."))
    freed = 0
    for contract in contracts:
        freed += _let_go(session, actor, contract)
    chargeback.weeks_freed_by, chargeback.weeks_freed_at = actor.id, clock.now()
    chargeback.weeks_freed = freed
    books.follow(session, chargeback, chargeback.state)
    audit.record(session, actor, "free", "chargeback", public_id, amount=freed)
    return chargeback


def ahead(session: Session, chargeback: Chargeback) -> Money:
    """What weeks hold that have not begun."""
    project = chargeback.funding.project
    held = (
        sa.select(Contract)
        .join(Reservation, Reservation.contract_id == Contract.id)
        .where(Contract.project_id == project.id, Reservation.state == ReservationState.HELD)
        .distinct()
        .order_by(Contract.id)
    )
    amounts = [each.amount for contract in session.scalars(held) for each in ending.ahead(session, contract)]
    return Money(sum(amounts), project.currency)


def _open(session: Session, public_id: uuid.UUID) -> Chargeback:
    chargeback = locked(session, public_id)
    if not chargeback.is_open or chargeback.weeks_freed_by is not None:
        raise Refused(_("There is nothing to let go for this any more."))
    return chargeback


def _let_go(session: Session, actor: Actor, contract: Contract) -> int:
    """Minor units that the weeks of one contract gave."""
    weeks = ending.ahead(session, contract)
    for reservation in weeks:
        reservations.give_back(session, actor, reservation)
    if weeks:
        tell(
            session,
            contract.person_id,
            telling.KIND,
            f"/contracts/{contract.public_id}",
            lambda: (
                _("Weeks to come are not reserved any more"),
                _(
                    "%(gig)s. The client’s bank has taken a payment back, so no money stands behind weeks "
                    "that have not begun. What you worked is paid. Begin no new week before it is reserved.",
                    gig=contract.gig.title,
                ),
            ),
        )
    return sum(each.amount for each in weeks)
