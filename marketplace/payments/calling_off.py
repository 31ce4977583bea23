"""A payment that was released and has not begun to be sent is called off: its pay is owed as before.

For what waits under a hold that may last, or what somebody finds wrong only after the release.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.payments import items, renewing, sending, transfers
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer
from marketplace.payments.states import ItemState, TransferState
from marketplace.text import line

MOST_OF_A_REASON = 500


def call_off(
    session: Session, actor: Actor, public_id: uuid.UUID, reason: str, gateway: Gateway | None = None
) -> PayoutItem:
    """Take it out of the run before anything leaves. What Stripe was asked for before, and put off, is looked
    up there first.

    Raises NotFound, Invalid, Refused once it is on its way, or the gateway's errors.
    """
    actor.require(*FINANCE)
    return _call_off(session, actor, public_id, reason, _looked_up(session, gateway, public_id))


@use_case
def _call_off(session: Session, actor: Actor, public_id: uuid.UUID, reason: str, looked: int) -> PayoutItem:
    """The same after the look-up, which was made when its transfer had had so many tries."""
    item = _locked(session, public_id)
    kept = line(reason)
    if not kept or len(kept) > MOST_OF_A_REASON:
        raise Invalid(_("Say why, in at most 500 characters."), field="reason")
    if item.state != ItemState.RELEASED:
        raise Refused(_("Only what is released and not being sent yet can be called off. Look at it again."))
    before = _put_off(session, public_id)
    if before is not None and before.tries != looked:
        raise Refused(_("Stripe is being asked for it at this moment. Try again in a minute."))
    if before is not None:
        transfers.let_try_go(before, transfers.CALLED_OFF)
    item.blocker = item.shortfall = None
    transfers.owe_again(session, item, transfers.CALLED_OFF, actor)
    audit.record(session, actor, "call_off", "payout_item", item.public_id, reason=kept)
    # Also while all is paused, when no job would bring the batch to its end.
    sending.finish_batch(session, item.batch.public_id)
    return item


def _looked_up(session: Session, gateway: Gateway | None, public_id: uuid.UUID) -> int:
    """How many tries Stripe says it made nothing of; what it made is recorded."""
    before = _put_off(session, public_id)
    if before is None or gateway is None:
        return 0
    order, tries = transfers.order_of(before), before.tries
    renewing.was_made(session, gateway, order)
    return tries


def _put_off(session: Session, public_id: uuid.UUID) -> Transfer | None:
    return session.scalars(
        sa.select(Transfer)
        .join(Transfer.item)
        .where(PayoutItem.public_id == public_id, Transfer.state == TransferState.INTENDED)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _locked(session: Session, public_id: uuid.UUID) -> PayoutItem:
    """Its batch first, as everywhere. Waits for a worker that is about to send it, and sees what became of
    it."""
    batch = session.scalar(
        sa.select(PayoutBatch.public_id).join(PayoutBatch.items).where(PayoutItem.public_id == public_id)
    )
    if batch is not None:
        items.hold(session, batch)
    query = sa.select(PayoutItem).filter_by(public_id=public_id)
    item = session.scalars(
        query.with_for_update(of=PayoutItem).execution_options(populate_existing=True)
    ).one_or_none()
    if item is None:
        raise NotFound(_("There is no such payment."))
    return item
