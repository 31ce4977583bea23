"""Sending transfers: claim and commit, call Stripe outside any transaction, record the outcome.

A process may die between any two of these. What it leaves is a transfer in `sending`, which `resolving`
takes up after a while with the same idempotency key.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.db import use_case
from marketplace.payments import batches
from marketplace.payments.connected_accounts import record_gone, refresh_account
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer
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
from marketplace.payments.setup import stops
from marketplace.payments.states import BatchState, Blocker, ItemState, TransferState, move
from marketplace.payments.transfers import (
    NO_MONEY,
    Order,
    become,
    give_back,
    order_of,
    owe_again,
    record_refused,
    record_sent,
    record_unknown,
    wait_for_money,
)

# A call gives up after twenty seconds; whoever holds a claim longer than this is gone.
LEASE = timedelta(minutes=2)
# Stripe's words for an account that is not there.
GONE = frozenset({"resource_missing", "account_closed"})

log = logging.getLogger(__name__)


def send_batch(session: Session, gateway: Gateway, public_id: uuid.UUID) -> int:
    """Send every released item of the batch that the balance covers; how many calls were made.

    Safe to run again, and twice at once. Stops early, with the rest untouched, when Stripe is busy or away.
    """
    session.rollback()
    currency = _begin(session, public_id)
    if currency is None:
        return 0
    purse = Purse(gateway.balance().spendable(currency))
    calls, turn = 0, Round(session, gateway)
    for item in turn.over(_released(session, public_id)):
        if pausing.stands_still(session, public_id):
            break
        with turn.one(item):
            order, purse = claim(session, item, purse)
            if order is not None:
                calls += 1
                send(session, gateway, order)
    finish_batch(session, public_id)
    return calls


def send(session: Session, gateway: Gateway, order: Order) -> None:
    """Make the call for a claimed transfer and record what became of it.

    GatewayUnknown passes through after that was recorded, GatewayBusy and GatewayClosed after the claim was
    given back.
    """
    try:
        sent = gateway.send_transfer(
            order.key,
            amount=order.amount,
            currency=order.currency,
            destination=order.destination,
            group=order.group,
            source_type=order.source_type,
            metadata={"payout_item": str(order.item), "transfer": str(order.public_id)},
        )
    except GatewayUnknown as error:
        record_unknown(session, order.transfer_id, error)
        raise
    except GatewayRefused as error:
        record_refused(session, order.transfer_id, error.code)
        _look_again(session, gateway, order, error.code)
    except (GatewayBusy, GatewayClosed):
        give_back(session, order.transfer_id)
        raise
    else:
        record_sent(session, order.transfer_id, sent)


@use_case
def claim(session: Session, item_id: int, purse: Purse) -> tuple[Order | None, Purse]:
    """Commit that the item's transfer is being sent, when the purse covers it; with what is left in it.

    An item that waits for money names the shortfall. One that another worker holds is left to it.
    """
    item = _free(session, item_id)
    if item is None:
        return None, purse
    if not batches.is_unchanged(item):
        _refuse_changed(session, item)
        return None, purse
    if (found := stops.stop_of(session, item)) is not None:
        _stop(session, item, found)
        return None, purse
    kind = purse.choose(item.amount)
    if kind is None:
        wait_for_money(item, purse.short_of(item.amount))
        return None, purse
    order = order_of(_start(session, item, kind))
    return order, purse.without(order.source_type, order.amount)


@use_case
def finish_batch(session: Session, public_id: uuid.UUID) -> PayoutBatch:
    """Bring the batch's state to what its items say."""
    batch = batches.locked(session, public_id)
    states = {item.state for item in batches.going(batch)}
    moving = {ItemState.RELEASED, ItemState.SENDING, ItemState.UNKNOWN}
    ended = {ItemState.SETTLED, ItemState.FAILED}
    if batch.state == BatchState.SENDING and not states & moving:
        move(batch, BatchState.SENT)
    if batch.state == BatchState.SENT and states <= ended:
        move(batch, BatchState.SETTLED)
    elif batch.state == BatchState.SETTLED and not states <= ended:
        move(batch, BatchState.SENT)
    return batch


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


def _released(session: Session, batch: uuid.UUID) -> Sequence[int]:
    """The internal ids of the batch's items that wait to be sent."""
    ids = session.scalars(
        sa.select(PayoutItem.id)
        .join(PayoutItem.batch)
        .where(PayoutBatch.public_id == batch, PayoutItem.state == ItemState.RELEASED)
        .order_by(PayoutItem.id)
    ).all()
    session.rollback()
    return ids


def _free(session: Session, item_id: int) -> PayoutItem | None:
    """The item, locked, while it still waits and no other worker holds it."""
    return session.scalars(
        sa.select(PayoutItem)
        .where(PayoutItem.id == item_id, PayoutItem.state == ItemState.RELEASED)
        .with_for_update(of=PayoutItem, skip_locked=True)
    ).one_or_none()


def _start(session: Session, item: PayoutItem, kind: str) -> Transfer:
    transfer = next((each for each in item.transfers if each.state == TransferState.INTENDED), None)
    transfer = transfer or _new_transfer(session, item, kind)
    move(transfer, TransferState.SENDING)
    transfer.last_tried_at = clock.now()
    transfer.first_tried_at = transfer.first_tried_at or transfer.last_tried_at
    transfer.tries += 1
    transfer.retry_at = clock.now() + LEASE
    item.blocker = item.shortfall = None
    become(item, ItemState.SENDING)
    session.flush()
    return transfer


def _new_transfer(session: Session, item: PayoutItem, kind: str) -> Transfer:
    assert item.account is not None
    assert item.account.stripe_id is not None
    attempt = len(item.transfers) + 1
    transfer = Transfer(
        item=item,
        attempt=attempt,
        amount=item.amount,
        currency=item.batch.currency,
        destination=item.account.stripe_id,
        source_type=kind,
        transfer_group=f"item_{item.public_id}_{attempt}",
        idempotency_key=f"transfer:{item.public_id}:{attempt}",
        state=TransferState.INTENDED,
        tries=0,
    )
    session.add(transfer)
    return transfer


def _stop(session: Session, item: PayoutItem, found: Blocker) -> None:
    """Something came between the release and this moment: what will pass is waited for, else the pay is owed
    again, and the next batch decides anew."""
    if found in stops.WAITS:
        item.blocker, item.shortfall = found, None
        return
    become(item, ItemState.SENDING)
    owe_again(session, item, stops.code_of(item, found))


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


def _refuse_changed(session: Session, item: PayoutItem) -> None:
    log.error("An item no longer pays what was released", extra={"item": str(item.public_id)})
    become(item, ItemState.SENDING)
    owe_again(session, item, "changed_after_release")
