"""Sending transfers: claim and commit, call Stripe outside any transaction, record the outcome.

A process may die between any two of these. What it leaves is a transfer in `sending`, which `resolving`
takes up after a while with the same idempotency key.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, ledger
from marketplace.actor import SITE
from marketplace.db import use_case
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.notifications import notify
from marketplace.payments import batches, facts
from marketplace.payments.connected_accounts import SETUP_PATH, refresh_account
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer, item_key
from marketplace.payments.outcomes import (
    GatewayBusy,
    GatewayClosed,
    GatewayError,
    GatewayRefused,
    GatewayUnknown,
)
from marketplace.payments.rounds import Round
from marketplace.payments.states import BatchState, Blocker, ItemState, TransferState, move

# A call gives up after twenty seconds; whoever holds a claim longer than this is gone.
LEASE = timedelta(minutes=2)
NO_MONEY = "balance_insufficient"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """A committed transfer row as the call needs it."""

    transfer_id: int
    public_id: uuid.UUID
    item: uuid.UUID
    amount: int
    currency: str
    destination: str
    group: str
    key: str
    source_type: str


@dataclass(frozen=True)
class Purse:
    """What may still be sent in this run, in minor units by source type.

    Stripe has the last word on what is available; this spares it the asking. It never changes, so that a
    claim that the database undoes, and runs again, draws once.
    """

    spendable: Mapping[str, int] = field(default_factory=dict)

    def choose(self, amount: int) -> str | None:
        """The part of the balance that covers `amount` most tightly; None when no part does."""
        enough = {kind: held for kind, held in self.spendable.items() if held >= amount}
        return min(enough, key=lambda kind: enough[kind]) if enough else None

    def without(self, kind: str, amount: int) -> Purse:
        """What is left after drawing `amount` on `kind`."""
        return Purse({**self.spendable, kind: self.spendable.get(kind, 0) - amount})

    def short_of(self, amount: int) -> int:
        return amount - max(self.spendable.values(), default=0)


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
    kind = purse.choose(item.amount)
    if kind is None:
        _wait_for_money(item, purse.short_of(item.amount))
        return None, purse
    order = order_of(_start(session, item, kind))
    return order, purse.without(order.source_type, order.amount)


@use_case
def record_sent(session: Session, transfer_id: int, sent: facts.SentTransfer) -> None:
    """Stripe made the transfer: in flight becomes sent, and the memo says that Stripe holds it. Once."""
    transfer, item = _held(session, transfer_id)
    if transfer.state == TransferState.SENT:
        return
    move(transfer, TransferState.SENT)
    transfer.stripe_id, transfer.destination_payment = sent.id, sent.destination_payment
    transfer.balance_transaction = sent.balance_transaction
    transfer.sent_at, transfer.retry_at, transfer.failure = clock.now(), None, None
    _become(item, ItemState.SENT)
    person = item.person.public_id
    ledger.post(
        session,
        SITE,
        source=item_key(item.public_id),
        event="sent",
        currency=transfer.currency,
        lines=[
            (chart.expert_in_flight(person), item.amount),
            (chart.stripe_balance(), -item.amount),
            (chart.expert_held(person), item.amount),
            (chart.held_contra(), -item.amount),
        ],
        occurred_at=transfer.sent_at,
        memo=_("Transfer to the expert's Stripe account"),
    )
    audit.record(session, SITE, "send", "payout_item", item.public_id, transfer=sent.id, amount=item.amount)


@use_case
def record_unknown(session: Session, transfer_id: int, error: GatewayError) -> None:
    """Nobody knows. The money stays in flight, and the transfer is looked up later, less and less often."""
    transfer, item = _held(session, transfer_id)
    if transfer.state not in (TransferState.SENDING, TransferState.UNKNOWN):
        return
    if transfer.state == TransferState.SENDING:
        move(transfer, TransferState.UNKNOWN)
        _become(item, ItemState.UNKNOWN)
        audit.record(session, SITE, "lose_sight", "payout_item", item.public_id, code=error.code)
    transfer.failure = error.code
    transfer.retry_at = clock.now() + timedelta(minutes=min(2 ** min(transfer.tries, 6), 60))


@use_case
def record_refused(session: Session, transfer_id: int, code: str) -> None:
    """Stripe said no. For want of money the item waits; else the pay is owed again, with the reason."""
    transfer, item = _held(session, transfer_id)
    if transfer.state not in (TransferState.SENDING, TransferState.UNKNOWN):
        return
    move(transfer, TransferState.FAILED)
    transfer.failure, transfer.retry_at = code, None
    if code == NO_MONEY:
        _become(item, ItemState.RELEASED)
        _wait_for_money(item, None)
        return
    _owe_again(session, item, code)


@use_case
def give_back(session: Session, transfer_id: int) -> None:
    """Stripe was busy and did nothing: the same transfer, with the same key, is sent another time."""
    transfer, item = _held(session, transfer_id)
    if transfer.state == TransferState.SENDING:
        move(transfer, TransferState.INTENDED)
        _become(item, ItemState.RELEASED)


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


def still_ours(order: Order, found: facts.SentTransfer) -> bool:
    """Is what Stripe found what we asked for? Anything else is looked at by a person, not booked."""
    return (found.amount, found.currency, found.destination) == (
        order.amount,
        order.currency,
        order.destination,
    )


@use_case
def _begin(session: Session, public_id: uuid.UUID) -> str | None:
    """The batch's currency once it may be sent; None when there is nothing to send."""
    batch = session.scalars(
        sa.select(PayoutBatch).filter_by(public_id=public_id).with_for_update()
    ).one_or_none()
    if batch is None or batch.state not in (BatchState.RELEASED, BatchState.SENDING):
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
    transfer.first_tried_at = transfer.first_tried_at or clock.now()
    transfer.tries += 1
    transfer.retry_at = clock.now() + LEASE
    item.blocker = item.shortfall = None
    _become(item, ItemState.SENDING)
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


def order_of(transfer: Transfer) -> Order:
    """The row as the call needs it."""
    return Order(
        transfer.id,
        transfer.public_id,
        transfer.item.public_id,
        transfer.amount,
        transfer.currency,
        transfer.destination,
        transfer.transfer_group,
        transfer.idempotency_key,
        transfer.source_type,
    )


def _held(session: Session, transfer_id: int) -> tuple[Transfer, PayoutItem]:
    """The transfer and its item, locked, the item first as everywhere."""
    item_id = session.scalar(sa.select(Transfer.payout_item_id).filter_by(id=transfer_id))
    item = session.scalars(
        sa.select(PayoutItem)
        .filter_by(id=item_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    transfer = session.scalars(
        sa.select(Transfer)
        .filter_by(id=transfer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    return transfer, item


def _become(item: PayoutItem, state: ItemState) -> None:
    move(item, state)
    item.changed_at = clock.now()


def _look_again(session: Session, gateway: Gateway, order: Order, code: str) -> None:
    """A refusal for want of money says nothing about the account; after another, ours is out of date."""
    if code != NO_MONEY:
        with suppress(GatewayError):
            refresh_account(session, gateway, order.destination)


def _wait_for_money(item: PayoutItem, shortfall: int | None) -> None:
    item.blocker, item.shortfall = Blocker.SHORT_BALANCE, shortfall


def _refuse_changed(session: Session, item: PayoutItem) -> None:
    log.error("An item no longer pays what was released", extra={"item": str(item.public_id)})
    _become(item, ItemState.SENDING)
    _owe_again(session, item, "changed_after_release")


def _owe_again(session: Session, item: PayoutItem, code: str) -> None:
    """Nothing left: in flight becomes owed, and the next batch may pay it."""
    item.failure = code
    batches.let_go(item, ItemState.FAILED)
    person = item.person.public_id
    ledger.post(
        session,
        SITE,
        source=item_key(item.public_id),
        event="refused",
        currency=item.batch.currency,
        lines=[
            (chart.expert_in_flight(person), item.amount),
            (chart.expert_payable(person), -item.amount),
        ],
        occurred_at=clock.now(),
        memo=_("Transfer refused by Stripe"),
    )
    audit.record(session, SITE, "refuse", "payout_item", item.public_id, code=code)
    notify(
        session,
        item.person_id,
        "payout",
        _("A payment to you could not be sent"),
        _(
            "Stripe did not accept it. Your pay is owed to you as before. "
            "Look at your set-up with Stripe, then it is sent again."
        ),
        SETUP_PATH,
    )
