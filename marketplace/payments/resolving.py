"""Transfers whose outcome nobody knows: looked up by their group, and sent again only with the same key.

Stripe keeps an idempotency key for at least 24 hours; after that the same key would pay a second time. So
a key is used again only well within that time after its first use, never before the look-up came back empty,
and never while pay to the expert is stopped. A key may replay a stored 500 for ever, which the look-up, not
the retry, brings to an end. Only a day after its last use it is sure that Stripe has none.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.db import use_case
from marketplace.i18n import gettext as _
from marketplace.payments import sending, transfers
from marketplace.payments.gateway import Gateway
from marketplace.payments.keys import KEY_LIVES, SURELY_NOT_MADE
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer
from marketplace.payments.outcomes import GatewayRefused, GatewayUnknown
from marketplace.payments.rounds import Round
from marketplace.payments.runs import pausing
from marketplace.payments.setup import stops
from marketplace.payments.states import TransferState
from marketplace.payments.transfers import Order

AT_ONCE = 200
OPEN = (TransferState.SENDING, TransferState.UNKNOWN)


def resolve_unknown(session: Session, gateway: Gateway) -> int:
    """Find out about every transfer that is due for it; how many were looked at.

    Also takes up what a worker that died left in `sending`. Stops when Stripe is busy or away.
    """
    session.rollback()
    looked_at, touched, turn = 0, set(), Round(session, gateway)
    for lost in turn.over(islice(iter(lambda: _next(session), None), AT_ONCE)):
        touched.add(lost.batch)
        looked_at += 1
        with turn.one(lost.order.public_id):
            _resolve(session, gateway, lost)
    for batch in touched:
        sending.finish_batch(session, batch)
    return looked_at


@dataclass(frozen=True)
class _Lost:
    """A transfer to find out about: how long ago its key was used first, and last. `was_sending`: a worker
    may still be waiting for the answer."""

    batch: uuid.UUID
    order: Order
    first: timedelta
    last: timedelta
    was_sending: bool


def _resolve(session: Session, gateway: Gateway, lost: _Lost) -> None:
    """Look the transfer up; when Stripe has none, send it again or call it off, by its age.

    A look-up that is refused says nothing about the transfer.
    """
    order = lost.order
    try:
        found = gateway.find_transfer(order.group, order.destination)
        if found is not None and not transfers.still_ours(order, found):
            raise GatewayUnknown("another_transfer", _("Stripe's transfer differs from what was asked for."))
    except (GatewayUnknown, GatewayRefused) as error:
        transfers.record_unknown(session, order.transfer_id, error)
        raise
    if found is not None:
        transfers.record_sent(session, order.transfer_id, found)
    elif lost.first < KEY_LIVES:
        _send_again(session, gateway, order)
    elif lost.was_sending or lost.last < SURELY_NOT_MADE:
        transfers.record_unknown(
            session, order.transfer_id, GatewayUnknown("not_found", _("Stripe has none."))
        )
    else:
        transfers.record_refused(session, order.transfer_id, "not_found_after_a_day")


def _send_again(session: Session, gateway: Gateway, order: Order) -> None:
    """With the same key, unless something came between that stops pay to this expert: then it is looked up
    until it is surely not made, and owed again."""
    if _try_again(session, order.transfer_id):
        sending.send(session, gateway, order)
    else:
        held = GatewayUnknown("held", _("Nothing may be sent to this expert now."))
        transfers.record_unknown(session, order.transfer_id, held)


@use_case
def _try_again(session: Session, transfer_id: int) -> bool:
    """May it be sent again now? Commits that it is, under the lock that a change of bank account takes, and
    that its outcome is open: what Stripe says to the second call, it does not say of the first."""
    item, transfer = session.execute(
        sa.select(PayoutItem, Transfer)
        .join(Transfer.item)
        .where(Transfer.id == transfer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if (
        transfer.state not in OPEN
        or pausing.is_paused(session, item.batch_id)
        or stops.stop_of(session, item) is not None
    ):
        return False
    if transfer.state == TransferState.SENDING:
        transfers.lose_sight(session, transfer, item, "claim_over")
    transfer.last_tried_at = clock.now()
    return True


@use_case
def _next(session: Session) -> _Lost | None:
    """Claim the next transfer that is due, for the time of a lease."""
    now = clock.now()
    transfer = session.scalars(
        sa.select(Transfer)
        .where(
            Transfer.state.in_(OPEN),
            Transfer.retry_at <= now,
        )
        .order_by(Transfer.retry_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if transfer is None:
        return None
    transfer.tries += 1
    transfer.retry_at = now + sending.LEASE
    batch = session.scalars(
        sa.select(PayoutBatch.public_id)
        .join(PayoutBatch.items)
        .where(PayoutItem.id == transfer.payout_item_id)
    ).one()
    first = transfer.first_tried_at or now
    last = transfer.last_tried_at or first
    was_sending = transfer.state == TransferState.SENDING
    return _Lost(batch, transfers.order_of(transfer), now - first, now - last, was_sending)
