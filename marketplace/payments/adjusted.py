"""Bonuses and corrections among what is owed: which wait, and which go out with a contract's hours."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager

from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval, Contract
from marketplace.contracts.states import OfferState
from marketplace.payments.models import PayoutItemAdjustment
from marketplace.payments.payees import any_of


def waiting(currency: str, cut_off_at: datetime | None = None) -> sa.Select[Adjustment]:
    """Those that are decided and in no live item, with their contracts."""
    query = unpaid(currency, cut_off_at).options(contains_eager(Adjustment.contract))
    return query.order_by(Adjustment.id)


def unpaid(currency: str, cut_off_at: datetime | None = None) -> sa.Select[Adjustment]:
    """The same in no order, joined to their contracts. Of what takes from the pay all count, whenever agreed:
    the books have taken it off already."""
    query = (
        sa.select(Adjustment)
        .join(Adjustment.contract)
        .where(
            Contract.currency == currency,
            Adjustment.state == OfferState.ACCEPTED,
            ~sa.exists().where(
                PayoutItemAdjustment.adjustment_id == Adjustment.id, PayoutItemAdjustment.ended_at.is_(None)
            ),
        )
    )
    if cut_off_at is None:
        return query
    return query.where(sa.or_(Adjustment.amount < 0, Adjustment.decided_at <= cut_off_at))


def not_covered(
    session: Session, currency: str, cut_off_at: datetime, hours: sa.Select[Approval, int]
) -> set[int]:
    """The contracts (internal ids) of which more is to be taken off than the `hours` that go out bring."""
    more = unpaid(currency, cut_off_at).with_only_columns(Contract.id, sa.func.sum(Adjustment.amount))
    sums = {
        contract: int(amount)
        for contract, amount in session.execute(more.group_by(Contract.id))
        if amount < 0
    }
    # Only these are looked up, as most contracts never have any.
    if sums:
        rows = session.execute(
            hours.where(Contract.id == any_of(list(sums)))
            .order_by(None)
            .with_only_columns(Contract.id, sa.func.sum(Approval.expert_amount))
            .group_by(Contract.id)
        )
        for contract, amount in rows:
            sums[contract] += int(amount)
    return {contract for contract, amount in sums.items() if amount < 0}
