"""Answering a correction to less pay: only a signature changes anything. Saying nothing is a no."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.actor import SITE, Actor
from marketplace.contracts import find, signing
from marketplace.contracts.adjustments import queries, returning, settling
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.states import OfferState
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs.members import tell, tell_client
from marketplace.i18n import gettext as _


@use_case
def accept_adjustment(session: Session, actor: Actor, public_id: uuid.UUID, signed_name: str) -> Adjustment:
    """Agree to less pay by typing one's own name; the money goes back to the project.

    Raises Invalid when the name is another; Refused when it is no longer open, or when less is still
    payable than it takes.
    """
    adjustment = _own(session, actor, public_id)
    if queries.stands(adjustment) is OfferState.EXPIRED:
        raise Refused(_("The time for an answer is over, so your pay stays as it is."))
    name = signing.signature(adjustment.contract.offer, signed_name)
    if adjustment.state is OfferState.MADE:
        settling.require_payable(session, adjustment.contract, -adjustment.amount)
    adjustment.signed_name = name
    settling.decide(session, actor, adjustment, OfferState.ACCEPTED)
    settling.post(session, actor, adjustment)
    _tell(session, adjustment)
    return adjustment


@use_case
def decline_adjustment(session: Session, actor: Actor, public_id: uuid.UUID) -> Adjustment:
    """Keep the pay as it is. Nothing else follows from it."""
    adjustment = _own(session, actor, public_id)
    settling.decide(session, actor, adjustment, OfferState.DECLINED)
    _tell(session, adjustment)
    return adjustment


def expire_adjustments(session: Session) -> int:
    """Close those whose time is over, each in a transaction of its own; how many."""
    overdue = sa.select(Adjustment.id).where(
        Adjustment.state == OfferState.MADE, Adjustment.expires_at <= clock.now()
    )
    return jobs.one_by_one(session, _expire, session.scalars(overdue).all())


@use_case
def _expire(session: Session, adjustment_id: int) -> bool:
    adjustment = session.get_one(Adjustment, adjustment_id)
    find.hold(session, adjustment.contract_id)
    session.refresh(adjustment, with_for_update={"of": Adjustment})
    if queries.stands(adjustment) is not OfferState.EXPIRED or adjustment.state is not OfferState.MADE:
        return False
    settling.decide(session, SITE, adjustment, OfferState.EXPIRED)
    _tell(session, adjustment)
    return True


def _own(session: Session, actor: Actor, public_id: uuid.UUID) -> Adjustment:
    """One for one's own contract, locked. Raises NotFound, or NotAllowed for the other side."""
    adjustment = queries.adjustment(session, actor, public_id, lock=True)
    find.require_expert(actor, adjustment.contract)
    return adjustment


def _tell(session: Session, adjustment: Adjustment) -> None:
    contract, path = adjustment.contract, f"/adjustments/{adjustment.public_id}"

    def say() -> tuple[str, str]:
        gig, expert = contract.gig.title, contract.person.full_name
        if adjustment.state is OfferState.ACCEPTED:
            total = returning.back(session, adjustment)
            return (
                _("%(expert)s agreed to %(pay)s less", expert=expert, pay=-adjustment.pay),
                _("%(gig)s. %(total)s is back in the project.", gig=gig, total=total),
            )
        return (
            _("%(expert)s keeps the pay as it is", expert=expert)
            if adjustment.state is OfferState.DECLINED
            else _("A correction of pay was not answered in time"),
            _("%(gig)s. Nothing changes, and nothing else follows from it.", gig=gig),
        )

    kind = f"adjustment.{adjustment.state}"
    tell_client(session, contract.organization_id, kind, path, say)
    if adjustment.state is OfferState.EXPIRED:
        tell(session, contract.person_id, kind, path, say)
