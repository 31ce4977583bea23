"""Payout batches: one person prepares, another releases. What is released is what was shown, to the cent."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.payments.frozen import fingerprint, is_unchanged, paid_by
from marketplace.payments.items import going, hold, let_go, let_prepared_go, locked, total
from marketplace.payments.models import PayoutBatch, PayoutItem
from marketplace.payments.preparing import prepare_batch
from marketplace.payments.releasing import release_batch
from marketplace.payments.states import BatchState, ItemState, move
from marketplace.payments.unpaid import payable_for, unpaid

__all__ = [
    "amount_of",
    "cancel_batch",
    "cancel_item",
    "fingerprint",
    "going",
    "is_unchanged",
    "let_go",
    "locked",
    "paid_by",
    "payable_for",
    "prepare_batch",
    "release_batch",
    "total",
    "unpaid",
]


@use_case
def cancel_batch(session: Session, actor: Actor, public_id: uuid.UUID) -> PayoutBatch:
    """Drop a batch that was not released; what it would have paid is offered again."""
    actor.require(Role.FINANCE_PREPARER, Role.FINANCE_RELEASER)
    batch = hold(session, public_id)
    move(batch, BatchState.CANCELLED)
    prepared = session.scalars(
        sa.select(PayoutItem.id).filter_by(batch_id=batch.id, state=ItemState.PREPARED)
    ).all()
    let_prepared_go(session, prepared, ItemState.CANCELLED)
    audit.record(session, actor, "cancel", "payout_batch", batch.public_id)
    return batch


@use_case
def cancel_item(session: Session, actor: Actor, public_id: uuid.UUID) -> PayoutItem:
    """Take one expert out of a batch that was not released; the pay is offered again in the next."""
    actor.require(Role.FINANCE_PREPARER)
    batch_id = session.scalar(
        sa.select(PayoutBatch.public_id).join(PayoutBatch.items).where(PayoutItem.public_id == public_id)
    )
    if batch_id is None:
        raise NotFound(_("There is no such payment."))
    hold(session, batch_id)
    item = session.scalars(
        sa.select(PayoutItem).filter_by(public_id=public_id).execution_options(populate_existing=True)
    ).one()
    let_go(session, item, ItemState.CANCELLED)
    audit.record(session, actor, "cancel", "payout_item", item.public_id)
    return item


def amount_of(batch: PayoutBatch) -> Money:
    """What the batch pays in all."""
    return Money(total(going(batch)), batch.currency)
