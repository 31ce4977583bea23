"""A refund at Stripe: its row, the call, its outcome. What nobody knows is looked up, not sent again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import SITE
from marketplace.db import use_case
from marketplace.i18n import gettext as _
from marketplace.payments import claiming, facts
from marketplace.payments.fundings import NotHereYet
from marketplace.payments.gateway import Gateway
from marketplace.payments.keys import KEY_LIVES, SURELY_NOT_MADE
from marketplace.payments.outcomes import GatewayError, GatewayRefused, GatewayUnknown
from marketplace.payments.refunds import books, kept
from marketplace.payments.refunds.models import Refund
from marketplace.payments.refunds.refusals import record_refused
from marketplace.payments.rounds import Round
from marketplace.payments.states import RefundState, move
from marketplace.payments.transfers import NO_MONEY

UNRESOLVED = (RefundState.SENDING, RefundState.UNKNOWN)
ENDED_BADLY = ("failed", "canceled")
LOOK_AGAIN = timedelta(hours=6)
# A refund that succeeded may still come back from the client's bank.
COMES_BACK_WITHIN = timedelta(days=30)
AT_ONCE = 100


def send_refunds(session: Session, gateway: Gateway) -> int:
    """Send what was released, and find out about what nobody knows; how many were taken up."""
    return claiming.send_each(session, gateway, _claim, _send)


def track_refunds(session: Session, gateway: Gateway) -> None:
    """Look at what is on its way, or may still come back, in case nobody told us."""
    now = clock.now()
    moving = Refund.state == RefundState.SENT
    lately = (Refund.state == RefundState.ARRIVED) & (Refund.released_at >= now - COMES_BACK_WITHIN)
    due = sa.func.coalesce(Refund.looked_at, Refund.prepared_at) <= now - LOOK_AGAIN
    query = sa.select(Refund.stripe_id).where(moving | lately, due).order_by(sa.func.random()).limit(AT_ONCE)
    ids = session.scalars(query).all()
    session.rollback()
    turn = Round(session, gateway)
    for refund in turn.over(ids):
        with turn.one(refund):
            track_refund(session, gateway, refund or "")


def track_refund(session: Session, gateway: Gateway, stripe_id: str) -> None:
    """Fetch one refund and record it. Raises NotHereYet when it is none of ours."""
    session.rollback()
    _record(session, gateway.refund(stripe_id))


@dataclass(frozen=True)
class _Order(claiming.Order):
    """A committed refund as the call needs it."""

    amount: int
    charge: str
    instructions_email: str | None


@use_case
def _claim(session: Session) -> _Order | None:
    """Commit that the next refund is being sent, or looked into, for the time of a lease."""
    taken = claiming.take(session, Refund, "refund")
    if taken is None:
        return None
    refund, known = taken
    if refund.funding is None or refund.funding.charge is None:
        # What has no charge to go back to is owed by hand from its release on.
        raise LookupError(f"refund {refund.public_id} has no charge")
    return _Order(*known, refund.amount, refund.funding.charge, refund.instructions_email)


def _send(session: Session, gateway: Gateway, order: _Order) -> None:
    """Find the refund if it may exist, else make it; the key is used again only while Stripe keeps it."""
    found = _ours(_look_up(session, gateway, order), order) if order.tried_before else None
    age = clock.now() - order.first_tried_at
    if found is None and order.tried_before and age > SURELY_NOT_MADE:
        _send_anew(session, order, "not_found_after_a_day", clock.now())
    elif found is None and age < KEY_LIVES:
        found = _make(session, gateway, order)
    if found is not None:
        _record(session, found, order)


def _look_up(session: Session, gateway: Gateway, order: _Order) -> list[facts.Refund]:
    """The refunds of its charge. A look-up that fails, or is refused, says nothing about the refund."""
    try:
        return gateway.refunds(order.charge)
    except GatewayError as error:
        claiming.record_unknown(session, Refund, order, error.code)
        raise


def _ours(of_charge: list[facts.Refund], order: _Order) -> facts.Refund | None:
    return next((each for each in of_charge if each.metadata.get("refund") == str(order.public_id)), None)


def _make(session: Session, gateway: Gateway, order: _Order) -> facts.Refund | None:
    """The refund; None when Stripe said no and has none, which is recorded."""
    try:
        return gateway.send_refund(
            order.key,
            charge=order.charge,
            amount=order.amount,
            metadata={"refund": str(order.public_id)},
            instructions_email=order.instructions_email,
        )
    except GatewayRefused as error:
        if error.code == NO_MONEY:
            _send_anew(session, order, error.code, clock.now() + timedelta(hours=1))
            return None
        return _after_no(session, gateway, order, error.code)
    except GatewayError as error:
        claiming.record_unknown(session, Refund, order, error.code)
        raise


def _after_no(session: Session, gateway: Gateway, order: _Order, code: str) -> facts.Refund | None:
    """What Stripe has of the charge says whether the money went back already."""
    of_charge = _look_up(session, gateway, order)
    found = _ours(of_charge, order)
    if found is None:
        went_back = sum(each.amount for each in of_charge if each.status not in ENDED_BADLY)
        record_refused(session, order.public_id, code, went_back)
    return found


@use_case
def _record(session: Session, found: facts.Refund, order: _Order | None = None) -> None:
    """Bring the refund to what Stripe says, once, whoever comes first."""
    named = order.public_id if order else _named(found)
    if named is None:
        raise NotHereYet(_("No refund here belongs to %(refund)s.", refund=found.id))
    refund = books.locked(session, named)
    refund.looked_at = clock.now()
    lot = refund.funding
    if lot is None or (found.amount, found.charge) != (refund.amount, lot.charge):
        raise GatewayUnknown("another_refund", _("Stripe’s refund differs from what was asked for."))
    if refund.stripe_id is None:
        refund.stripe_id, refund.retry_at, refund.failure = found.id, None, None
        books.sent(session, refund, found.move)
    if found.status == "succeeded" and refund.state is RefundState.SENT:
        move(refund, RefundState.ARRIVED)
        books.tell(session, refund)
    elif found.status in ENDED_BADLY and refund.state in (RefundState.SENT, RefundState.ARRIVED):
        books.came_back(session, refund, found.failure or found.status, found.returned)
        kept.keep_back(session, SITE, refund)
        books.tell(session, refund)


@use_case
def _send_anew(session: Session, order: _Order, code: str, at: datetime) -> None:
    """It was surely not made: try again then, under a new key."""
    refund = books.locked(session, order.public_id)
    if refund.state in UNRESOLVED:
        claiming.send_anew(refund, code, at)


def _named(found: facts.Refund) -> uuid.UUID | None:
    try:
        return uuid.UUID(found.metadata["refund"])
    except (KeyError, ValueError):
        return None
