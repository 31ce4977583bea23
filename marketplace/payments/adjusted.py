"""Bonuses and corrections among what is owed: which wait, and which go out with a contract's hours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager

from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval, Contract
from marketplace.contracts.states import OfferState
from marketplace.payments.models import PayoutItemAdjustment


def waiting(currency: str, cut_off_at: datetime | None = None) -> sa.Select[Adjustment]:
    """Those that are decided and in no live item. Of what takes from the pay all count, whenever agreed: the
    books have taken it off already."""
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
        .options(contains_eager(Adjustment.contract))
        .order_by(Adjustment.id)
    )
    if cut_off_at is None:
        return query
    return query.where(sa.or_(Adjustment.amount < 0, Adjustment.decided_at <= cut_off_at))


def going_out(
    rows: Sequence[sa.Row[Approval, int]], adjustments: Sequence[Adjustment]
) -> tuple[dict[int, list[Approval]], dict[int, list[Adjustment]]]:
    """What each person (internal id) is paid for hours, and besides, of approvals with who they are owed to.

    A contract of which more is to be taken off than goes out by the cut-off waits whole for the next batch.
    """
    waits = _not_covered([approval for approval, _person in rows], adjustments)
    hours: dict[int, list[Approval]] = defaultdict(list)
    for approval, person_id in rows:
        if not waits or approval.timesheet.contract_id not in waits:
            hours[person_id].append(approval)
    more: dict[int, list[Adjustment]] = defaultdict(list)
    for each in adjustments:
        if each.contract_id not in waits:
            more[each.contract.person_id].append(each)
    return hours, more


def _not_covered(approvals: Iterable[Approval], adjustments: Sequence[Adjustment]) -> set[int]:
    sums: dict[int, int] = defaultdict(int)
    for adjustment in adjustments:
        sums[adjustment.contract_id] += adjustment.amount
    # Only these are looked up, as most contracts never have any.
    if min(sums.values(), default=0) < 0:
        for approval in approvals:
            sums[approval.timesheet.contract_id] += approval.expert_amount
    return {contract for contract, amount in sums.items() if amount < 0}
