"""Sending transfers: claim and commit, call Stripe outside any transaction, record the outcome.

A process may die between any two of these. What it leaves is a transfer in `sending`, which `resolving`
takes up after a while with the same idempotency key.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.db import use_case
from marketplace.payments import facts, flights, items, pace, renewing
from marketplace.payments.claims import LEASE, claim, claim_many, group_of, start
from marketplace.payments.connected_accounts import record_gone, refresh_account
from marketplace.payments.flights import Flights
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch, PayoutItem
from marketplace.payments.outcomes import (
    GatewayBusy,
    GatewayClosed,
    GatewayError,
    GatewayRefused,
    GatewayUnknown,
)
from marketplace.payments.purse import Purse
from marketplace.payments.rounds import Round
from marketplace.payments.runs import pausing
from marketplace.payments.states import BatchState, ItemState, move
from marketplace.payments.transfers import (
    NO_MONEY,
    Order,
    give_back,
    order_of,
    record_all_sent,
    record_refused,
    record_sent,
    record_unknown,
)

__all__ = [
    "LEASE",
    "Order",
    "claim",
    "finish_batch",
    "finish_forgotten",
    "group_of",
    "order_of",
    "send",
    "send_batch",
    "send_later",
    "start",
]

# Stripe's words for an account that is not there.
GONE = frozenset({"resource_missing", "account_closed"})
# So many times in a row Stripe is waited for when it says that there are too many calls.
ENOUGH_BUSY = 4
FIRST_WAIT = 1.0  # seconds
# Items that are only listed, that have no outcome yet, and that nothing more becomes of.
LISTED = frozenset({ItemState.BLOCKED, ItemState.CANCELLED})
MOVING = frozenset({ItemState.RELEASED, ItemState.SENDING, ItemState.UNKNOWN})
ENDED = frozenset({ItemState.SETTLED, ItemState.FAILED, ItemState.REVERSED})
# After so long a run lets other jobs have their turn, such as the events that Stripe tells of.
TURN = 60.0  # seconds

log = logging.getLogger(__name__)


def send_batch(session: Session, gateway: Gateway, public_id: uuid.UUID, since: int = 0) -> int:
    """Send every released item of the batch that the balance covers, from the internal id `since` on; how
    many calls were made.

    Safe to run again, and twice at once. Stops early, with the rest untouched, when Stripe is busy or away.
    When its turn is over, a job goes on with the rest.
    """
    session.rollback()
    currency = _begin(session, public_id)
    if currency is None:
        return 0
    renewing.renew(session, gateway, public_id)
    run = _Run(session, gateway, public_id, Purse(gateway.balance().spendable(currency)))
    calls = run.go(_released(session, public_id, since))
    finish_batch(session, public_id)
    if run.left:
        send_later(session, public_id, min(run.left))
    return calls


@use_case
def send_later(session: Session, public_id: uuid.UUID, since: int = 0) -> None:
    """Ask for a job that sends the batch, from that internal id on, unless one waits already."""
    name = f"batch:{public_id}"
    jobs.defer(session, "payments.send_batch", once=name, lock=name, batch=str(public_id), since=since)


def send(session: Session, gateway: Gateway, order: Order) -> None:
    """Make the call for a claimed transfer and record what became of it.

    GatewayUnknown passes through after that was recorded, GatewayBusy and GatewayClosed after the claim was
    given back.
    """
    try:
        sent = flights.call(gateway, order)
    except GatewayError as error:
        _note(session, gateway, order, error)
    else:
        record_sent(session, order.transfer_id, sent)


class _Run:
    """One pass over the items of a batch that wait, with several calls in the air."""

    def __init__(self, session: Session, gateway: Gateway, batch: uuid.UUID, purse: Purse) -> None:
        self._session, self._gateway, self._batch, self._purse = session, gateway, batch, purse
        self._turn, self._air = Round(session, gateway), Flights(gateway)
        self._waiting: deque[int] = deque()
        self._busy, self._quiet_until = 0, 0.0
        self._over_at = time.monotonic() + TURN

    @property
    def left(self) -> Sequence[int]:
        """The items that wait only because this turn is over."""
        return [] if self._turn.away or time.monotonic() < self._over_at else list(self._waiting)

    def go(self, waiting: Iterable[int]) -> int:
        """Send the waiting items (internal ids); how many calls were made."""
        self._waiting.extend(waiting)
        with self._air:
            while self._begin_some() or self._air.flying:
                if self._air.flying:
                    self._land()
        return self._air.begun

    def _begin_some(self) -> bool:
        """As many as there is room for, if it may go on."""
        going = bool(self._waiting) and not self._turn.away and time.monotonic() < self._over_at
        if not going or not self._air.room or pausing.stands_still(self._session, self._batch):
            return False
        self._begin(self._claim(self._air.room))
        return True

    def _claim(self, many: int) -> list[Order]:
        """Together; one by one when the database refuses that, as one of them may be to blame."""
        some = [self._waiting.popleft() for _n in range(min(many, len(self._waiting)))]
        if len(some) > 1:
            try:
                return self._claim_now(some)
            except Exception:
                self._session.rollback()
                log.warning("Payments are claimed one by one", exc_info=True)
        orders = []
        for item in some:
            with self._turn.one(item):
                orders += self._claim_now([item])
        return orders

    def _claim_now(self, some: Sequence[int]) -> list[Order]:
        orders, self._purse = claim_many(self._session, some, self._purse)
        return orders

    def _begin(self, orders: Sequence[Order]) -> None:
        wait, spacing = 0.0, self._gateway.spacing
        if orders and (spacing or self._busy):
            wait = pace.take(self._session, pace.TRANSFERS, len(orders), spacing)
        for nth, order in enumerate(orders):
            self._air.begin(order, wait + nth * spacing)

    def _land(self) -> None:
        """Record the answers that have come: what was sent together, what was not one by one."""
        sent, failed = self._air.landed()
        if sent:
            self._busy = 0
            self._turn.answered()
            self._record(sent)
        for order, error in failed:
            if isinstance(error, GatewayBusy) and self._may_wait():
                give_back(self._session, order.transfer_id)
                self._purse = self._purse.without(order.source_type, -order.amount)
                self._waiting.append(order.item_id)
            else:
                with self._turn.one(order.item):
                    _note(self._session, self._gateway, order, error)

    def _record(self, sent: Sequence[tuple[Order, facts.SentTransfer]]) -> None:
        if len(sent) > 1:
            try:
                record_all_sent(self._session, {order.transfer_id: answer for order, answer in sent})
                return
            except Exception:
                self._session.rollback()
                log.warning("Answers are recorded one by one", exc_info=True)
        for order, answer in sent:
            with self._turn.one(order.item):
                record_sent(self._session, order.transfer_id, answer)

    def _may_wait(self) -> bool:
        """Stripe says 429, and not when to come back: longer each time, and not for ever. A Stripe that has
        answered nothing yet is left alone."""
        if time.monotonic() >= self._quiet_until:
            self._busy += 1
            seconds = FIRST_WAIT * 2 ** (self._busy - 1)
            self._quiet_until = time.monotonic() + seconds
            if self._air.answered and self._busy < ENOUGH_BUSY:
                pace.hold(self._session, pace.TRANSFERS, seconds)
        return self._air.answered and self._busy < ENOUGH_BUSY


def _note(session: Session, gateway: Gateway, order: Order, error: Exception) -> None:
    """Record what went wrong with a call, and raise it unless it was a definite no."""
    if isinstance(error, GatewayRefused):
        record_refused(session, order.transfer_id, error.code)
        _look_again(session, gateway, order, error.code)
        return
    if isinstance(error, GatewayUnknown):
        record_unknown(session, order.transfer_id, error)
    elif isinstance(error, (GatewayBusy, GatewayClosed)):
        give_back(session, order.transfer_id)
    raise error


@use_case
def finish_batch(session: Session, public_id: uuid.UUID) -> PayoutBatch:
    """Bring the batch's state to what its items say."""
    batch = items.hold(session, public_id)
    query = sa.select(PayoutItem.state).filter_by(batch_id=batch.id).distinct()
    states = set(session.scalars(query.where(PayoutItem.state.not_in(LISTED))))
    if batch.state == BatchState.RELEASED and not states & MOVING:
        # Each was called off before the run began.
        move(batch, BatchState.SENDING)
    if batch.state == BatchState.SENDING and not states & MOVING:
        move(batch, BatchState.SENT)
    if batch.state == BatchState.SENT and states <= ENDED:
        move(batch, BatchState.SETTLED)
    elif batch.state == BatchState.SETTLED and not states <= ENDED:
        move(batch, BatchState.SENT)
    return batch


def finish_forgotten(session: Session) -> None:
    """The same for batches of which it was not done when the last of their items moved on, as when the
    database went away in between."""
    moving = PayoutBatch.items.any(PayoutItem.state.in_(MOVING))
    waiting = PayoutBatch.items.any(PayoutItem.state.not_in(LISTED | ENDED))
    sent = PayoutBatch.state.in_((BatchState.RELEASED, BatchState.SENDING)) & ~moving
    settled = (PayoutBatch.state == BatchState.SENT) & ~waiting
    query = sa.select(PayoutBatch.public_id).where(sent | settled).order_by(PayoutBatch.id)
    for batch in session.scalars(query).all():
        finish_batch(session, batch)


@use_case
def _begin(session: Session, public_id: uuid.UUID) -> str | None:
    """The batch's currency once it may be sent; None when there is nothing to send."""
    batch = session.scalars(
        sa.select(PayoutBatch).filter_by(public_id=public_id).with_for_update()
    ).one_or_none()
    if batch is None or batch.state not in (BatchState.RELEASED, BatchState.SENDING):
        return None
    if pausing.is_paused(session, batch.id):
        return None
    if batch.state == BatchState.RELEASED:
        move(batch, BatchState.SENDING)
    return batch.currency


def _released(session: Session, batch: uuid.UUID, since: int) -> Sequence[int]:
    """The internal ids of the batch's items that wait to be sent, from that one on."""
    ids = session.scalars(
        sa.select(PayoutItem.id)
        .join(PayoutItem.batch)
        .where(PayoutBatch.public_id == batch, PayoutItem.state == ItemState.RELEASED)
        .where(PayoutItem.id >= since)
        .order_by(PayoutItem.id)
    ).all()
    session.rollback()
    return ids


def _look_again(session: Session, gateway: Gateway, order: Order, code: str) -> None:
    """A refusal for want of money says nothing about the account; after another, ours is out of date."""
    if code == NO_MONEY:
        return
    try:
        refresh_account(session, gateway, order.destination)
    except GatewayRefused as error:
        # Twice refused, and not known any more: nothing is sent there again, and the expert makes another.
        if {code, error.code} <= GONE:
            record_gone(session, order.destination)
    except GatewayError:
        log.warning("An account could not be looked at", extra={"account": order.destination})
