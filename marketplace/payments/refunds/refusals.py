"""Stripe said no. Where a way surely cannot be used finance pays by hand; all else two people decide."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import SITE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.i18n import gettext as _
from marketplace.payments.refunds import books, kept
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import RefundState, WayOut, move
from marketplace.text import line

# Stripe's words for a way that can bring nothing back. Any other may mean that the client has, or gets, the
# money in another way: refunded on Stripe's own pages, or disputed at the client's bank.
CANNOT_BE_USED = frozenset({"charge_not_refundable"})
REFUNDED_ELSEWHERE = "refunded_elsewhere"
MOST_OF_A_REASON = 500


@use_case
def record_refused(session: Session, public_id: uuid.UUID, code: str, went_back: int) -> None:
    """Stripe refused it, and `went_back` minor units of its charge have gone back at Stripe by now."""
    refund = books.locked(session, public_id)
    if refund.state not in (RefundState.SENDING, RefundState.UNKNOWN):
        return
    refund.failure, refund.retry_at = code, None
    if went_back > _went_back_by_us(session, refund):
        refund.failure = REFUNDED_ELSEWHERE
        move(refund, RefundState.REFUSED)
    elif code in CANNOT_BE_USED:
        books.owe(session, SITE, refund)
        kept.keep_back(session, SITE, refund)
    else:
        move(refund, RefundState.REFUSED)
    audit.record(session, SITE, "fail", "refund", public_id, code=code, went_back=went_back)
    books.tell(session, refund)


@use_case
def choose_way_out(session: Session, actor: Actor, public_id: uuid.UUID, way: WayOut, reason: str) -> Refund:
    """One of finance has looked into it and says what becomes of the money. Raises Invalid, Refused."""
    actor.require(Role.FINANCE_PREPARER, Role.FINANCE_RELEASER)
    refund = _refused(session, public_id)
    said = line(reason)
    if not said or len(said) > MOST_OF_A_REASON:
        raise Invalid(_("Say what you found, in at most 500 characters."), field="reason")
    refund.way_out, refund.way_out_reason = way, said
    refund.way_out_by, refund.way_out_at = actor.id, clock.now()
    audit.record(session, actor, "choose", "refund", public_id, way=way.value, reason=said)
    return refund


@use_case
def confirm_way_out(session: Session, actor: Actor, public_id: uuid.UUID, way: WayOut | None) -> Refund:
    """A second person, who saw `way` chosen, confirms it. Raises NotAllowed, FreshFactorNeeded, Refused."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    refund = _refused(session, public_id)
    if way is None or refund.way_out is not way:
        raise Refused(_("Something else was chosen meanwhile. Look at it again."))
    if refund.way_out_by == actor.id:
        raise NotAllowed(_("You chose this, so somebody else has to confirm it. Ask a colleague."))
    refund.way_out_second, refund.way_out_second_at = actor.id, clock.now()
    if way is WayOut.BY_HAND:
        books.owe(session, actor, refund)
        kept.keep_back(session, actor, refund)
        books.tell(session, refund)
    else:
        books.call_off(session, actor, refund)
    audit.record(session, actor, "confirm", "refund", public_id, way=way.value, amount=refund.amount)
    return refund


def _refused(session: Session, public_id: uuid.UUID) -> Refund:
    refund = books.locked(session, public_id)
    if refund.state is not RefundState.REFUSED:
        raise Refused(_("Nothing is to be decided about this refund."))
    return refund


def _went_back_by_us(session: Session, refund: Refund) -> int:
    """What our rows say has gone back of its lot, and not come back."""
    sent = sa.select(sa.func.sum(Refund.amount)).filter_by(funding_id=refund.funding_id)
    sent = sent.where(Refund.state.in_((RefundState.SENT, RefundState.ARRIVED)))
    return int(session.scalar(sent) or 0)
