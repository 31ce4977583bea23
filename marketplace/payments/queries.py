"""Reading money for pages: client's lots, finance's batches. Scoped."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace import clock
from marketplace.actor import CLIENT, FINANCE, Actor, Role
from marketplace.contracts.models import Approval
from marketplace.gigs.find import there
from marketplace.money import Money
from marketplace.payments import unpaid
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import (
    ConnectedPayout,
    ConnectedPayoutTransfer,
    Funding,
    PayoutBatch,
    PayoutItem,
    PayoutItemApproval,
    Sweep,
    TopUp,
    Transfer,
)
from marketplace.payments.outcomes import GatewayError
from marketplace.payments.states import CAME_BACK, ItemState

IN_A_RUN = (ItemState.PREPARED, ItemState.RELEASED, ItemState.SENDING, ItemState.UNKNOWN)
LEFT_OUT = (ItemState.BLOCKED, ItemState.CANCELLED)
TROUBLE = (ItemState.UNKNOWN, ItemState.FAILED, ItemState.RETURNED, *CAME_BACK)


@dataclass(frozen=True)
class Cover:
    """Does what Stripe has available, by source type, cover `needed`?"""

    needed: Money
    spendable: Mapping[str, Money]

    @property
    def available(self) -> Money:
        """All source types together."""
        return Money(sum(each.amount for each in self.spendable.values()), self.needed.currency)

    @property
    def short(self) -> Money | None:
        """What is missing, if anything is."""
        missing = self.needed.amount - self.available.amount
        return Money(missing, self.needed.currency) if missing > 0 else None


def fundings_of(actor: Actor, project_id: int) -> sa.Select[Funding]:
    """A project's lots, for its client's people and for finance."""
    return sa.select(Funding).where(Funding.project_id == project_id, _client_side(actor))


def funding(session: Session, actor: Actor, public_id: uuid.UUID) -> Funding:
    """One lot. Raises NotFound."""
    found = session.scalars(
        sa.select(Funding)
        .where(Funding.public_id == public_id, _client_side(actor))
        .options(joinedload(Funding.project))
    ).one_or_none()
    return there(found)


def top_ups_for(actor: Actor) -> sa.Select[TopUp]:
    """All top-ups, for finance."""
    actor.require(*FINANCE)
    return sa.select(TopUp).options(joinedload(TopUp.preparer), joinedload(TopUp.releaser))


def top_up(session: Session, actor: Actor, public_id: uuid.UUID) -> TopUp:
    """One top-up. Raises NotFound."""
    return there(session.scalars(top_ups_for(actor).where(TopUp.public_id == public_id)).one_or_none())


def batches_for(actor: Actor) -> sa.Select[PayoutBatch]:
    """All batches, for finance."""
    actor.require(*FINANCE)
    return sa.select(PayoutBatch).options(joinedload(PayoutBatch.preparer), joinedload(PayoutBatch.releaser))


def sizes(session: Session, ids: Iterable[int]) -> dict[int, tuple[int, int]]:
    """How many experts each batch pays, and how much in all (minor units)."""
    rows = session.execute(
        sa.select(PayoutItem.batch_id, sa.func.count(), sa.func.sum(PayoutItem.amount))
        .where(
            PayoutItem.batch_id.in_(list(ids)),
            PayoutItem.state.not_in(LEFT_OUT),
        )
        .group_by(PayoutItem.batch_id)
    )
    return {batch: (count, int(amount)) for batch, count, amount in rows}


def batch(session: Session, actor: Actor, public_id: uuid.UUID) -> PayoutBatch:
    """One batch. Raises NotFound."""
    return there(session.scalars(batches_for(actor).where(PayoutBatch.public_id == public_id)).one_or_none())


def paid_by(batch: PayoutBatch) -> sa.Select[PayoutItem]:
    """The items that the batch pays, with who they are for."""
    return _items_of(batch).where(PayoutItem.state.not_in(LEFT_OUT))


def left_out_of(batch: PayoutBatch) -> sa.Select[PayoutItem]:
    """The items that are only listed, with who they are for."""
    return _items_of(batch).where(PayoutItem.state.in_(LEFT_OUT))


def by_state(session: Session, batch: PayoutBatch) -> dict[ItemState, tuple[int, Money]]:
    """How many of a batch's items are in each state, and how much they are."""
    rows = session.execute(
        sa.select(PayoutItem.state, sa.func.count(), sa.func.sum(PayoutItem.amount))
        .where(PayoutItem.batch_id == batch.id)
        .group_by(PayoutItem.state)
    )
    return {state: (count, Money(int(amount), batch.currency)) for state, count, amount in rows}


def trouble(session: Session, actor: Actor, limit: int = 50) -> Sequence[PayoutItem]:
    """Items that somebody should know of, newest first: unknown, failed, returned, or short of money."""
    actor.require(*FINANCE)
    recent = clock.now() - timedelta(days=30)
    return session.scalars(
        sa.select(PayoutItem)
        .where(
            sa.or_(
                sa.and_(PayoutItem.state.in_(TROUBLE), PayoutItem.changed_at >= recent),
                sa.and_(PayoutItem.state == ItemState.RELEASED, PayoutItem.blocker.is_not(None)),
            )
        )
        .options(joinedload(PayoutItem.person), joinedload(PayoutItem.batch))
        .order_by(PayoutItem.changed_at.desc())
        .limit(limit)
    ).all()


def item(session: Session, actor: Actor, public_id: uuid.UUID) -> PayoutItem:
    """One payment with its tries and what it pays. Raises NotFound."""
    actor.require(*FINANCE)
    return there(
        session.scalars(
            sa.select(PayoutItem)
            .filter_by(public_id=public_id)
            .options(
                joinedload(PayoutItem.person),
                joinedload(PayoutItem.batch),
                selectinload(PayoutItem.transfers),
                selectinload(PayoutItem.approvals)
                .joinedload(PayoutItemApproval.approval)
                .joinedload(Approval.timesheet),
                selectinload(PayoutItem.adjustments),
                selectinload(PayoutItem.reversals),
            )
        ).one_or_none()
    )


def owed(session: Session, currency: str) -> tuple[int, Money]:
    """How many experts are owed approved pay that is in no batch, and how much."""
    people, amount = unpaid.owed_in_all(session, currency)
    return people, Money(amount, currency)


def cover(gateway: Gateway, needed: Money) -> Cover | None:
    """What Stripe has available for it; None when Stripe does not say."""
    try:
        spendable = gateway.balance().spendable(needed.currency)
    except GatewayError:
        return None
    return Cover(needed, {kind: Money(amount, needed.currency) for kind, amount in spendable.items()})


def sweeps_for(actor: Actor) -> sa.Select[Sweep]:
    """All sweeps, for finance."""
    actor.require(*FINANCE)
    return sa.select(Sweep).options(joinedload(Sweep.preparer), joinedload(Sweep.releaser))


def sweep(session: Session, actor: Actor, public_id: uuid.UUID) -> Sweep:
    """One sweep. Raises NotFound."""
    return there(session.scalars(sweeps_for(actor).where(Sweep.public_id == public_id)).one_or_none())


def payouts_of(session: Session, item: PayoutItem) -> Sequence[ConnectedPayout]:
    """The payouts to the expert's bank that carry the item, the latest last: it may have come back."""
    return [payout for _item_id, payout in carrying(session, [item.id])]


def payouts_status(session: Session) -> list[dict[str, object]]:
    """For the command line: batches that are not settled, with the number and sum of items by state."""
    rows = session.execute(
        sa.select(
            PayoutBatch.public_id,
            PayoutBatch.state,
            PayoutBatch.currency,
            PayoutItem.state,
            sa.func.count(),
            sa.func.sum(PayoutItem.amount),
        )
        .join(PayoutBatch.items)
        .where(PayoutBatch.state.not_in(("settled", "cancelled")))
        .group_by(PayoutBatch.id, PayoutItem.state)
        .order_by(PayoutBatch.id, PayoutItem.state)
    )
    return [
        {
            "batch": str(batch),
            "batch_state": batch_state.value,
            "item_state": item_state.value,
            "items": count,
            "amount": int(amount),
            "currency": currency,
        }
        for batch, batch_state, currency, item_state, count, amount in rows
    ]


def _items_of(batch: PayoutBatch) -> sa.Select[PayoutItem]:
    return (
        sa.select(PayoutItem)
        .where(PayoutItem.batch_id == batch.id)
        .options(joinedload(PayoutItem.person), joinedload(PayoutItem.account))
    )


def _client_side(actor: Actor) -> sa.ColumnElement[bool]:
    if actor.has(Role.OPERATOR, *FINANCE):
        return sa.true()
    return Funding.organization_id.in_(actor.organizations(*CLIENT))


def carrying(session: Session, item_ids: Iterable[int]) -> Sequence[sa.Row[int, ConnectedPayout]]:
    return session.execute(
        sa.select(Transfer.payout_item_id, ConnectedPayout)
        .join(ConnectedPayoutTransfer, ConnectedPayoutTransfer.transfer_id == Transfer.id)
        .join(ConnectedPayout, ConnectedPayout.id == ConnectedPayoutTransfer.payout_id)
        .where(Transfer.payout_item_id.in_(list(item_ids)))
        .order_by(ConnectedPayout.created_at, ConnectedPayout.id)
    ).all()
