"""The items of a batch: all of one batch held at once, and let go when they are not paid after all."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from marketplace import clock
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.payments.models import (
    PayoutBatch,
    PayoutItem,
    PayoutItemAdjustment,
    PayoutItemApproval,
    PayoutItemReversal,
)
from marketplace.payments.payees import any_of
from marketplace.payments.setup import wishes
from marketplace.payments.states import Blocker, ItemState, move


def hold(session: Session, public_id: uuid.UUID) -> PayoutBatch:
    """The batch, held until the transaction ends. Raises NotFound."""
    batch = session.scalars(
        sa.select(PayoutBatch)
        .filter_by(public_id=public_id)
        .with_for_update(of=PayoutBatch)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if batch is None:
        raise NotFound(_("There is no such batch."))
    return batch


def locked(session: Session, public_id: uuid.UUID) -> PayoutBatch:
    """The batch with all its items, held until the transaction ends. Raises NotFound."""
    batch = session.scalars(
        sa.select(PayoutBatch)
        .filter_by(public_id=public_id)
        .with_for_update(of=PayoutBatch)
        .options(selectinload(PayoutBatch.items).joinedload(PayoutItem.person))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if batch is None:
        raise NotFound(_("There is no such batch."))
    return batch


def going(batch: PayoutBatch) -> list[PayoutItem]:
    """The items that are, or were, part of the run; the blocked and the cancelled are only listed."""
    return [item for item in batch.items if item.state not in (ItemState.BLOCKED, ItemState.CANCELLED)]


def total(items: Iterable[PayoutItem]) -> int:
    """Minor units."""
    return sum(item.amount for item in items)


def let_go(session: Session, item: PayoutItem, to: ItemState) -> None:
    """End the item without payment, so that another may pay what it was to pay, as soon as was wished."""
    move(item, to)
    item.changed_at = clock.now()
    session.flush()
    _end(session, [item.id])


def let_prepared_go(
    session: Session, items: Sequence[int], to: ItemState, blocker: Blocker | None = None
) -> None:
    """The same for many that are prepared, by internal id; with the `blocker` that is why."""
    session.execute(
        sa.update(PayoutItem)
        .where(PayoutItem.id == any_of(items), PayoutItem.state == ItemState.PREPARED)
        .values(state=to, changed_at=clock.now(), blocker=sa.func.coalesce(blocker, PayoutItem.blocker))
        .execution_options(synchronize_session=False)
    )
    _end(session, items)


def _end(session: Session, items: Sequence[int]) -> None:
    wishes.give_back(session, items)
    for table in (PayoutItemApproval, PayoutItemAdjustment, PayoutItemReversal):
        session.execute(
            sa.update(table)
            .where(table.payout_item_id == any_of(items), table.ended_at.is_(None))
            .values(ended_at=clock.now())
        )
