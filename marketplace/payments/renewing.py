"""Payments that Stripe was asked for and put off: a no to the call, not to the payment.

While its key lives, the same transfer is sent another time. Later it is looked up first, and sent as another
try with a key of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.i18n import gettext as _
from marketplace.payments import transfers
from marketplace.payments.gateway import Gateway
from marketplace.payments.keys import KEY_LIVES
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.rounds import Round
from marketplace.payments.states import ItemState, TransferState
from marketplace.payments.transfers import Order

KEY_OVER = "key_over"


def renew(session: Session, gateway: Gateway, batch: uuid.UUID) -> None:
    """Look up what the batch asked for under keys that are over, so that it may be sent as another try."""
    turn = Round(session, gateway)
    for order in turn.over(_put_off_long_ago(session, batch)):
        with turn.one(order.public_id):
            if not was_made(session, gateway, order):
                transfers.give_up(session, order.transfer_id, KEY_OVER)


def was_made(session: Session, gateway: Gateway, order: Order) -> bool:
    """Does Stripe have it after all? Then that is recorded. Raises the gateway's errors."""
    session.rollback()
    found = gateway.find_transfer(order.group, order.destination)
    if found is None:
        return False
    if not transfers.still_ours(order, found):
        raise GatewayUnknown("another_transfer", _("Stripe's transfer differs from what was asked for."))
    transfers.record_sent(session, order.transfer_id, found)
    return True


def _put_off_long_ago(session: Session, batch: uuid.UUID) -> Sequence[Order]:
    found = session.scalars(
        sa.select(Transfer)
        .join(Transfer.item)
        .join(PayoutItem.batch)
        .where(
            PayoutBatch.public_id == batch,
            PayoutItem.state == ItemState.RELEASED,
            Transfer.state == TransferState.INTENDED,
            Transfer.last_tried_at <= clock.now() - KEY_LIVES,
        )
        .options(joinedload(Transfer.item))
        .order_by(Transfer.id)
    )
    orders = [transfers.order_of(each) for each in found]
    session.rollback()
    return orders
