"""A transfer and its item: what the call needs of them, and what is recorded of its outcome."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock, ledger
from marketplace.actor import SITE, Actor
from marketplace.db import use_case
from marketplace.i18n import gettext as _
from marketplace.ledger import NewEntry, chart
from marketplace.notifications import notify
from marketplace.payments import batches, facts
from marketplace.payments.connected_accounts import SETUP_PATH
from marketplace.payments.lost import keeping
from marketplace.payments.models import PayoutItem, Transfer, item_key
from marketplace.payments.outcomes import GatewayError
from marketplace.payments.payees import any_of
from marketplace.payments.states import Blocker, ItemState, TransferState, move
from marketplace.payments.tax import books as withheld

NO_MONEY = "balance_insufficient"
# Somebody of finance took it back before anything was sent.
CALLED_OFF = "called_off"


@dataclass(frozen=True)
class Order:
    """A committed transfer row as the call needs it. `until`: when others may take it up."""

    transfer_id: int
    public_id: uuid.UUID
    item: uuid.UUID
    amount: int
    currency: str
    destination: str
    group: str
    key: str
    source_type: str
    item_id: int
    until: datetime | None


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
        transfer.item.id,
        transfer.retry_at,
    )


def still_ours(order: Order, found: facts.SentTransfer) -> bool:
    """Is what Stripe found what we asked for? Anything else is looked at by a person, not booked."""
    return (found.amount, found.currency, found.destination) == (
        order.amount,
        order.currency,
        order.destination,
    )


def record_sent(session: Session, transfer_id: int, sent: facts.SentTransfer) -> None:
    """Stripe made the transfer: in flight becomes sent, and the memo says that Stripe holds it. Once."""
    record_all_sent(session, {transfer_id: sent})


@use_case
def record_all_sent(session: Session, answers: Mapping[int, facts.SentTransfer]) -> None:
    """The same for many, by the internal ids of their transfers. Stripe's yes counts in any state: where the
    books had said that nothing left, its pay is owed again and perhaps paid by now, so it is kept as lost."""
    made = [row for row in _held_many(session, answers) if row[0].state != TransferState.SENT]
    rows = [row for row in made if _is_open(session, *row)]
    let_go = [transfer.id for transfer, _item in made if transfer.state == TransferState.FAILED]
    for transfer_id in let_go:
        keeping.keep(session, answers[transfer_id])
    if let_go:
        keeping.look(session)
    for transfer, item in rows:
        sent = answers[transfer.id]
        move(transfer, TransferState.SENT)
        transfer.stripe_id, transfer.destination_payment = sent.id, sent.destination_payment
        transfer.balance_transaction = sent.balance_transaction
        transfer.sent_at, transfer.retry_at, transfer.failure = clock.now(), None, None
        become(item, ItemState.SENT)
    if rows:
        ledger.post_many(session, SITE, [_sent(transfer, item) for transfer, item in rows])
    for transfer, item in rows:
        audit.record(
            session, SITE, "send", "payout_item", item.public_id,
            transfer=transfer.stripe_id, amount=item.amount,
        )  # fmt: skip


def _is_open(session: Session, transfer: Transfer, item: PayoutItem) -> bool:
    """May its outcome still be that it was sent? What waits for another call is taken up for that."""
    if transfer.state == TransferState.INTENDED and item.state == ItemState.RELEASED:
        move(transfer, TransferState.SENDING)
        become(item, ItemState.SENDING)
        item.blocker = item.shortfall = None
        session.flush()
    return transfer.state in (TransferState.SENDING, TransferState.UNKNOWN)


def _sent(transfer: Transfer, item: PayoutItem) -> NewEntry:
    person = item.person.public_id
    return NewEntry(
        source=item_key(item.public_id),
        event="sent",
        currency=transfer.currency,
        lines=[
            (chart.expert_in_flight(person), item.amount),
            (chart.stripe_balance(), -item.amount),
            (chart.expert_held(person), item.amount),
            (chart.held_contra(), -item.amount),
        ],
        occurred_at=transfer.sent_at or clock.now(),
        memo=_("Transfer to the expert's Stripe account"),
    )


@use_case
def record_unknown(session: Session, transfer_id: int, error: GatewayError) -> None:
    """Nobody knows. The money stays in flight, and the transfer is looked up later, less and less often."""
    transfer, item = _held(session, transfer_id)
    if transfer.state not in (TransferState.SENDING, TransferState.UNKNOWN):
        return
    if transfer.state == TransferState.SENDING:
        lose_sight(session, transfer, item, error.code)
    transfer.failure = error.code
    transfer.retry_at = clock.now() + timedelta(minutes=min(2 ** min(transfer.tries, 6), 60))


def lose_sight(session: Session, transfer: Transfer, item: PayoutItem, code: str) -> None:
    """What was being sent may have been made: only a look-up, or Stripe's yes or no to it, says more."""
    move(transfer, TransferState.UNKNOWN)
    become(item, ItemState.UNKNOWN)
    audit.record(session, SITE, "lose_sight", "payout_item", item.public_id, code=code)


@use_case
def record_refused(session: Session, transfer_id: int, code: str) -> None:
    """Stripe said no. For want of money the item waits; else the pay is owed again, with the reason."""
    transfer, item = _held(session, transfer_id)
    if transfer.state not in (TransferState.SENDING, TransferState.UNKNOWN):
        return
    move(transfer, TransferState.FAILED)
    transfer.failure, transfer.retry_at = code, None
    if code == NO_MONEY:
        become(item, ItemState.RELEASED)
        wait_for_money(item, None)
        return
    owe_again(session, item, code)


@use_case
def give_back(session: Session, transfer_id: int) -> None:
    """Stripe was busy and did nothing: the same transfer, with the same key, is sent another time.

    Only the claim of a first call is given back. Once its outcome is open, a busy Stripe says nothing of it.
    """
    transfer, item = _held(session, transfer_id)
    if transfer.state == TransferState.SENDING:
        move(transfer, TransferState.INTENDED)
        become(item, ItemState.RELEASED)


@use_case
def give_up(session: Session, transfer_id: int, code: str) -> None:
    """Stripe has none of what it put off: the item, if it still waits, is sent by another try."""
    transfer, item = _held(session, transfer_id)
    if transfer.state == TransferState.INTENDED and item.state == ItemState.RELEASED:
        let_try_go(transfer, code)


def let_try_go(transfer: Transfer, code: str) -> None:
    """End a try of which each call had no effect; the next has a key of its own."""
    move(transfer, TransferState.FAILED)
    transfer.failure, transfer.retry_at = code, None


def become(item: PayoutItem, state: ItemState) -> None:
    """The item's next state, and since when."""
    move(item, state)
    item.changed_at = clock.now()


def wait_for_money(item: PayoutItem, shortfall: int | None) -> None:
    """The item stays until more is available at Stripe: `shortfall` minor units more, if that is known."""
    item.blocker, item.shortfall = Blocker.SHORT_BALANCE, shortfall


def owe_again(session: Session, item: PayoutItem, code: str, actor: Actor = SITE) -> None:
    """Nothing left: in flight becomes owed, and the next batch may pay it."""
    item.failure, called_off = code, code == CALLED_OFF
    batches.let_go(session, item, ItemState.FAILED)
    person = item.person.public_id
    ledger.post(
        session,
        actor,
        source=item_key(item.public_id),
        event="called_off" if called_off else "refused",
        currency=item.batch.currency,
        lines=[
            (chart.expert_in_flight(person), item.amount),
            (chart.expert_payable(person), -item.amount),
        ],
        occurred_at=clock.now(),
        memo=_("Payout called off") if called_off else _("Transfer refused by Stripe"),
    )
    withheld.give_back(session, actor, item)
    if not called_off:
        audit.record(session, SITE, "refuse", "payout_item", item.public_id, code=code)
    _tell(session, item, called_off)


def _tell(session: Session, item: PayoutItem, called_off: bool) -> None:
    refused = _(
        "Stripe did not accept it. Your pay is owed to you as before. "
        "Look at your set-up with Stripe, then it is sent again."
    )
    waits = _(
        "We took it back before it was sent. Your pay is owed to you as before. Write to us if you ask why."
    )
    notify(
        session,
        item.person_id,
        "payout",
        _("A payment to you could not be sent"),
        waits if called_off else refused,
        SETUP_PATH,
    )


def _held(session: Session, transfer_id: int) -> tuple[Transfer, PayoutItem]:
    """The transfer and its item, locked, the item first as everywhere."""
    return _held_many(session, [transfer_id])[0]


def _held_many(session: Session, transfers: Collection[int]) -> list[tuple[Transfer, PayoutItem]]:
    """The same for many, in order of their items."""
    ids = sa.select(Transfer.payout_item_id).where(Transfer.id == any_of(transfers))
    items = session.scalars(
        sa.select(PayoutItem)
        .where(PayoutItem.id.in_(ids))
        .order_by(PayoutItem.id)
        .options(joinedload(PayoutItem.person), joinedload(PayoutItem.batch))
        .with_for_update(of=PayoutItem)
        .execution_options(populate_existing=True)
    ).all()
    found = session.scalars(
        sa.select(Transfer)
        .where(Transfer.id == any_of(transfers))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    by_item = {transfer.payout_item_id: transfer for transfer in found}
    return [(by_item[item.id], item) for item in items]
