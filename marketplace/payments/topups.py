"""Clients' money from our bank account 1020 to Stripe, where experts are paid from: one prepares a top-up,
another releases it, the worker asks Stripe to take it. Looked up when nobody knows, never asked for twice.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import alarms, audit, clock, jobs, ledger
from marketplace.actor import SITE, Actor, Role
from marketplace.alarms.stops import Stops
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.payments import claiming, facts
from marketplace.payments.fundings import NotHereYet
from marketplace.payments.gateway import Gateway
from marketplace.payments.keys import KEY_LIVES, SURELY_NOT_MADE
from marketplace.payments.models import TopUp
from marketplace.payments.outcomes import GatewayError, GatewayRefused, GatewayUnknown
from marketplace.payments.rounds import Round
from marketplace.payments.states import TopUpState, move

UNRESOLVED = (TopUpState.SENDING, TopUpState.UNKNOWN)
UNFINISHED = (TopUpState.PREPARED, TopUpState.RELEASED, *UNRESOLVED)
ENDED_BADLY = ("failed", "canceled")
# A bank may take back what it gave for a while after Stripe has it.
COMES_BACK_WITHIN = timedelta(days=90)
LOOK_AGAIN = timedelta(hours=6)
AT_ONCE = 100


@use_case
def prepare_top_up(session: Session, actor: Actor, amount: int, currency: str = "USD") -> TopUp:
    """Write down that `amount` minor units are to go. Raises NotAllowed, Invalid, or Refused when another is
    not finished."""
    actor.require(Role.FINANCE_PREPARER)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(0x746F707570)))
    if session.scalar(sa.select(TopUp.id).where(TopUp.currency == currency, TopUp.state.in_(UNFINISHED))):
        raise Refused(_("Another top-up is not finished. Release it, or cancel it, first."))
    if amount <= 0:
        raise Invalid(_("Give an amount above zero."), field="amount")
    held = at_bank(session, currency)
    if amount > held.amount:
        raise Invalid(_("By our books the account holds %(held)s.", held=held), field="amount")
    top_up = TopUp(
        currency=currency,
        amount=amount,
        state=TopUpState.PREPARED,
        prepared_by=actor.id,
        prepared_at=clock.now(),
        attempt=1,
        tries=0,
    )
    session.add(top_up)
    session.flush()
    audit.record(session, actor, "prepare", "top_up", top_up.public_id, amount=amount)
    return top_up


@use_case
def release_top_up(session: Session, actor: Actor, public_id: uuid.UUID) -> TopUp:
    """Let a prepared top-up go. Raises NotFound, NotAllowed, FreshFactorNeeded or Refused."""
    actor.require(Role.FINANCE_RELEASER)
    actor.require_fresh_factor()
    top_up = _locked(session, public_id)
    if top_up.prepared_by == actor.id:
        raise NotAllowed(_("You prepared this, so somebody else has to release it. Ask a colleague."))
    alarms.require_none(session, Stops.TOP_UPS)
    held = at_bank(session, top_up.currency)
    if top_up.amount > held.amount:
        raise Refused(_("By our books the account holds only %(held)s now. Cancel this one.", held=held))
    move(top_up, TopUpState.RELEASED)
    top_up.released_by, top_up.released_at = actor.id, clock.now()
    audit.record(session, actor, "release", "top_up", public_id, amount=top_up.amount)
    jobs.defer(session, "payments.send_top_ups", once="payments.send_top_ups")
    return top_up


@use_case
def cancel_top_up(session: Session, actor: Actor, public_id: uuid.UUID) -> TopUp:
    """Drop a top-up that was not released."""
    actor.require(Role.FINANCE_PREPARER, Role.FINANCE_RELEASER)
    top_up = _locked(session, public_id)
    move(top_up, TopUpState.CANCELLED)
    audit.record(session, actor, "cancel", "top_up", public_id)
    return top_up


def at_bank(session: Session, currency: str) -> Money:
    """What account 1020 holds by the books."""
    return Money(ledger.balance(session, chart.bank_client(), currency), currency)


def send_top_ups(session: Session, gateway: Gateway) -> int:
    """Ask for what was released, and find out about what nobody knows; how many were taken up."""
    return claiming.send_each(session, gateway, _claim, _send)


def track_top_ups(session: Session, gateway: Gateway) -> None:
    """Look at what is on its way, or may still come back, in case nobody told us."""
    now = clock.now()
    lately = (TopUp.state == TopUpState.ARRIVED) & (TopUp.released_at >= now - COMES_BACK_WITHIN)
    due = sa.func.coalesce(TopUp.looked_at, TopUp.prepared_at) <= now - LOOK_AGAIN
    query = sa.select(TopUp.stripe_id).where((TopUp.state == TopUpState.SENT) | lately, due)
    ids = session.scalars(query.order_by(sa.func.random()).limit(AT_ONCE)).all()
    session.rollback()
    turn = Round(session, gateway)
    for top_up in turn.over(ids):
        with turn.one(top_up):
            track_top_up(session, gateway, top_up or "")


def track_top_up(session: Session, gateway: Gateway, stripe_id: str) -> None:
    """Fetch one top-up and record it. Raises NotHereYet when it is none of ours."""
    session.rollback()
    _record(session, gateway.top_up(stripe_id))


@dataclass(frozen=True)
class _Order(claiming.Order):
    """A committed top-up as the call needs it."""

    amount: int
    currency: str


@use_case
def _claim(session: Session) -> _Order | None:
    """Commit that the next top-up is being asked for, or looked into, for the time of a lease."""
    taken = claiming.take(session, TopUp, "top_up")
    if taken is None:
        return None
    top_up, known = taken
    return _Order(*known, top_up.amount, top_up.currency)


def _send(session: Session, gateway: Gateway, order: _Order) -> None:
    """Find the top-up if it may exist, else make it; the key is used again only while Stripe keeps it."""
    found = _look_up(session, gateway, order) if order.tried_before else None
    age = clock.now() - order.first_tried_at
    if found is None and order.tried_before and age > SURELY_NOT_MADE:
        _record_refused(session, order, "not_found_after_a_day")
    elif found is None and age < KEY_LIVES:
        found = _make(session, gateway, order)
    if found is not None:
        _record(session, found, order.public_id)


def _look_up(session: Session, gateway: Gateway, order: _Order) -> facts.TopUp | None:
    """A look-up that fails, or is refused, says nothing about the top-up. Ours carry our id."""
    try:
        made = gateway.top_ups(order.first_tried_at - timedelta(hours=1))
    except GatewayError as error:
        claiming.record_unknown(session, TopUp, order, error.code)
        raise
    return next((each for each in made if each.metadata.get("top_up") == str(order.public_id)), None)


def _make(session: Session, gateway: Gateway, order: _Order) -> facts.TopUp | None:
    """The top-up; None when Stripe said no, which is recorded."""
    try:
        return gateway.send_top_up(
            order.key,
            amount=order.amount,
            currency=order.currency,
            metadata={"top_up": str(order.public_id)},
        )
    except GatewayRefused as error:
        _record_refused(session, order, error.code)
        return None
    except GatewayError as error:
        claiming.record_unknown(session, TopUp, order, error.code)
        raise


@use_case
def _record(session: Session, found: facts.TopUp, public_id: uuid.UUID | None = None) -> None:
    """Bring the top-up to what Stripe says of it. Recorded once, whoever comes first."""
    named = public_id or _named(found)
    if named is None:
        raise NotHereYet(_("No top-up here belongs to %(topup)s.", topup=found.id))
    top_up = _locked(session, named)
    if (found.amount, found.currency) != (top_up.amount, top_up.currency):
        raise GatewayUnknown("another_top_up", _("Stripe’s top-up differs from what was asked for."))
    top_up.looked_at = clock.now()
    if top_up.stripe_id is None:
        top_up.stripe_id, top_up.retry_at, top_up.failure = found.id, None, None
        top_up.expected_on = found.expected_on
        move(top_up, TopUpState.SENT)
        _post(session, top_up, "sent", chart.topups_in_transit(), chart.bank_client(), found.created_at)
    if found.status in ("succeeded", "reversed") and top_up.state is TopUpState.SENT:
        move(top_up, TopUpState.ARRIVED)
        _post(session, top_up, "arrived", chart.stripe_balance(), chart.topups_in_transit(), clock.now())
    if found.status == "reversed" and top_up.state is TopUpState.ARRIVED:
        move(top_up, TopUpState.RETURNED)
        top_up.failure = found.failure or found.status
        _post(session, top_up, "returned", chart.bank_client(), chart.stripe_balance(), clock.now())
    elif found.status in ENDED_BADLY and top_up.state is TopUpState.SENT:
        _take_back(session, top_up, found.failure or found.status)


def _post(
    session: Session, top_up: TopUp, event: str, to: chart.Account, out: chart.Account, at: datetime
) -> None:
    """One step of the way: at the bank, in transit, at Stripe."""
    ledger.post(
        session,
        SITE,
        source=f"top_up:{top_up.public_id}",
        event=event,
        currency=top_up.currency,
        lines=[(to, top_up.amount), (out, -top_up.amount)],
        occurred_at=at,
        memo={
            "sent": _("Clients’ money on its way to Stripe"),
            "arrived": _("Clients’ money arrived at Stripe"),
            "returned": _("The bank took a top-up back"),
        }[event],
    )
    audit.record(session, SITE, event, "top_up", top_up.public_id, stripe=top_up.stripe_id)


def _take_back(session: Session, top_up: TopUp, code: str) -> None:
    """It never left the bank: its entry is reversed."""
    source = f"top_up:{top_up.public_id}"
    [sent] = ledger.entries_of(session, [source])
    ledger.reverse(session, SITE, sent, source=source, event="failed", memo=_("A top-up did not go through"))
    _fail(session, top_up, code)


@use_case
def _record_refused(session: Session, order: _Order, code: str) -> None:
    top_up = _locked(session, order.public_id)
    if top_up.state in UNRESOLVED:
        _fail(session, top_up, code)


def _fail(session: Session, top_up: TopUp, code: str) -> None:
    move(top_up, TopUpState.FAILED)
    top_up.failure, top_up.retry_at = code, None
    audit.record(session, SITE, "fail", "top_up", top_up.public_id, code=code)


def _locked(session: Session, public_id: uuid.UUID) -> TopUp:
    top_up = claiming.held(session, TopUp, public_id)
    if top_up is None:
        raise NotFound(_("There is no such top-up."))
    return top_up


def _named(found: facts.TopUp) -> uuid.UUID | None:
    try:
        return uuid.UUID(found.metadata["top_up"])
    except (KeyError, ValueError):
        return None
