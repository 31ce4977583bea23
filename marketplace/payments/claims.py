"""Claiming what is sent next: many items in one transaction, each with its transfer, its key and its lease.

A claim is committed before the call. Whoever holds one for longer than a lease is gone, and `resolving` takes
it up with the same key.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace import clock
from marketplace.db import use_case
from marketplace.payments.contents import Contents, contents
from marketplace.payments.frozen import fingerprint
from marketplace.payments.keys import KEY_LIVES
from marketplace.payments.models import PayoutItem, Transfer
from marketplace.payments.payees import any_of
from marketplace.payments.purse import Purse
from marketplace.payments.setup import stops
from marketplace.payments.states import Blocker, ItemState, TransferState, move
from marketplace.payments.transfers import Order, become, let_try_go, order_of, owe_again, wait_for_money

# A call gives up after twenty seconds, and is made within half a minute of the claim.
LEASE = timedelta(minutes=2)

# A payment that Stripe put off is taken from another part of the balance, under a key of its own.
ANOTHER_SOURCE = "another_source"

log = logging.getLogger(__name__)


def claim(session: Session, item_id: int, purse: Purse) -> tuple[Order | None, Purse]:
    """As `claim_many`, for one."""
    orders, left = claim_many(session, [item_id], purse)
    return (orders[0] if orders else None), left


@use_case
def claim_many(session: Session, items: Sequence[int], purse: Purse) -> tuple[list[Order], Purse]:
    """Commit that the transfers of these items (internal ids) are being sent, as far as the purse covers
    them; with what is left in it.

    An item that waits for money names the shortfall. One that another worker holds is left to it, and one
    whose key is over waits until it was looked up.
    """
    free = [item for item in _free(session, items) if not _waits_for_a_look(item)]
    pays, found = contents(session, [item.id for item in free]), stops.stops_of(session, free)
    orders = []
    for item in free:
        kind = _kind(session, item, pays[item.id], found.get(item.id), purse)
        if kind is not None:
            purse = purse.without(kind, item.amount)
            orders.append((item, kind))
    for item, kind in orders:
        _begin_anew(item, kind)
    session.flush()
    started = [_start(session, item, kind) for item, kind in orders]
    session.flush()
    return [order_of(transfer) for transfer in started], purse


def _free(session: Session, items: Sequence[int]) -> Sequence[PayoutItem]:
    """Those of the items, locked, that still wait and that no other worker holds."""
    return session.scalars(
        sa.select(PayoutItem)
        .where(PayoutItem.id == any_of(items), PayoutItem.state == ItemState.RELEASED)
        .order_by(PayoutItem.id)
        .with_for_update(of=PayoutItem, skip_locked=True)
        .options(
            joinedload(PayoutItem.batch),
            joinedload(PayoutItem.person),
            joinedload(PayoutItem.account),
            selectinload(PayoutItem.transfers),
        )
        .execution_options(populate_existing=True)
    ).all()


def _kind(
    session: Session, item: PayoutItem, pays: Contents, stopped: Blocker | None, purse: Purse
) -> str | None:
    """The part of the balance that pays the item now; None when it is not sent, which is noted."""
    if not _is_unchanged(item, pays):
        _refuse_changed(session, item)
    elif stopped is not None:
        _stop(session, item, stopped)
    elif (kind := purse.choose(item.amount)) is None:
        wait_for_money(item, purse.short_of(item.amount))
    else:
        return kind
    return None


def _is_unchanged(item: PayoutItem, pays: Contents) -> bool:
    destination = item.account.stripe_id if item.account else None
    to = (item.person.public_id, destination or "")
    frozen = fingerprint(*to, pays.hours, pays.more, pays.again, item.withheld)
    return pays.amount == item.amount + item.withheld and frozen == item.frozen_sha256


def start(session: Session, item: PayoutItem, kind: str) -> Transfer:
    """The item's transfer, as one that is being sent out of this part of the balance: as it was begun, if it
    was. Needs its lock."""
    transfer = _start(session, item, kind)
    session.flush()
    return transfer


def group_of(item: PayoutItem, attempt: int) -> str:
    """Stripe's name for this try, by which it is found again."""
    return f"item_{item.public_id}_{attempt}"


def _start(session: Session, item: PayoutItem, kind: str) -> Transfer:
    transfer = _put_off(item) or _new_transfer(session, item, kind)
    move(transfer, TransferState.SENDING)
    transfer.last_tried_at = clock.now()
    transfer.first_tried_at = transfer.first_tried_at or transfer.last_tried_at
    transfer.tries += 1
    transfer.retry_at = clock.now() + LEASE
    item.blocker = item.shortfall = None
    become(item, ItemState.SENDING)
    return transfer


def _put_off(item: PayoutItem) -> Transfer | None:
    """The item's try that Stripe answered with a no to each call."""
    return next((each for each in item.transfers if each.state == TransferState.INTENDED), None)


def _waits_for_a_look(item: PayoutItem) -> bool:
    before = _put_off(item)
    return (
        before is not None
        and before.last_tried_at is not None
        and before.last_tried_at <= clock.now() - KEY_LIVES
    )


def _begin_anew(item: PayoutItem, kind: str) -> None:
    """As no call before had an effect, the next counts as the first; a key is used for one request only."""
    before = _put_off(item)
    if before is not None and before.source_type != kind:
        let_try_go(before, ANOTHER_SOURCE)
    elif before is not None:
        before.first_tried_at = None


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
        transfer_group=group_of(item, attempt),
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


def _refuse_changed(session: Session, item: PayoutItem) -> None:
    log.error("An item no longer pays what was released", extra={"item": str(item.public_id)})
    become(item, ItemState.SENDING)
    owe_again(session, item, "changed_after_release")
