"""What items pay, as plain rows: for batches of many."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval
from marketplace.payments.models import (
    PayoutItemAdjustment,
    PayoutItemApproval,
    PayoutItemReversal,
    TransferReversal,
)
from marketplace.payments.payees import any_of


class Hours(NamedTuple):
    """An approval, by internal id, that is paid by, or to, the `owner` (an item or a person)."""

    owner: int
    id: int
    public_id: uuid.UUID
    lines_sha256: bytes
    expert_amount: int


class More(NamedTuple):
    """A bonus or a correction, by internal id, of an `owner` as above."""

    owner: int
    id: int
    public_id: uuid.UUID
    amount: int


class Again(NamedTuple):
    """What came back of a transfer, by internal id, and is paid to the `owner` once more."""

    owner: int
    id: int
    public_id: uuid.UUID
    amount: int


@dataclass(slots=True)
class Contents:
    """All that is paid at once, in minor units together."""

    hours: list[Hours] = field(default_factory=list)
    more: list[More] = field(default_factory=list)
    again: list[Again] = field(default_factory=list)

    @property
    def amount(self) -> int:
        besides = sum(each.amount for each in self.more) + sum(each.amount for each in self.again)
        return sum(each.expert_amount for each in self.hours) + besides


def contents(session: Session, items: Sequence[int]) -> Mapping[int, Contents]:
    """What each of these items (internal ids) pays."""
    found: dict[int, Contents] = defaultdict(Contents)
    for hours in session.execute(
        sa.select(
            PayoutItemApproval.payout_item_id,
            Approval.id,
            Approval.public_id,
            Approval.lines_sha256,
            Approval.expert_amount,
        )
        .join(PayoutItemApproval.approval)
        .where(PayoutItemApproval.payout_item_id == any_of(items))
    ):
        found[hours[0]].hours.append(Hours._make(hours))
    for more in session.execute(
        sa.select(PayoutItemAdjustment.payout_item_id, Adjustment.id, Adjustment.public_id, Adjustment.amount)
        .join(PayoutItemAdjustment.adjustment)
        .where(PayoutItemAdjustment.payout_item_id == any_of(items))
    ):
        found[more[0]].more.append(More._make(more))
    for again in session.execute(
        sa.select(
            PayoutItemReversal.payout_item_id,
            TransferReversal.id,
            TransferReversal.public_id,
            TransferReversal.amount,
        )
        .join(PayoutItemReversal.reversal)
        .where(PayoutItemReversal.payout_item_id == any_of(items))
    ):
        found[again[0]].again.append(Again._make(again))
    return found
