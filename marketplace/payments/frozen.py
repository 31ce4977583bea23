"""What an item pays, to whom and where, as a hash: equal when it is prepared, released and sent."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from typing import Protocol

from marketplace.payments.models import PayoutItem


class Hours(Protocol):
    """What of an approval is frozen."""

    @property
    def public_id(self) -> uuid.UUID: ...
    @property
    def lines_sha256(self) -> bytes: ...
    @property
    def expert_amount(self) -> int: ...


class More(Protocol):
    """What of a bonus or a correction is frozen, and of what came back and is paid once more."""

    @property
    def public_id(self) -> uuid.UUID: ...
    @property
    def amount(self) -> int: ...


def fingerprint(
    person: uuid.UUID,
    destination: str,
    approvals: Iterable[Hours],
    adjustments: Iterable[More] = (),
    reversals: Iterable[More] = (),
    withheld: int = 0,
) -> bytes:
    """The hash, 32 bytes; `destination` is empty for whoever has no account, `withheld` in minor units."""
    lines = [f"{each.public_id}:{each.lines_sha256.hex()}:{each.expert_amount}" for each in approvals]
    lines += [f"adjustment:{each.public_id}:{each.amount}" for each in adjustments]
    lines += [f"reversal:{each.public_id}:{each.amount}" for each in reversals]
    lines += [f"withheld:{withheld}"] if withheld else []
    return hashlib.sha256("\n".join([str(person), destination, *sorted(lines)]).encode()).digest()


def is_unchanged(item: PayoutItem) -> bool:
    """Does the item still pay exactly what was frozen when it was prepared?"""
    approvals = [each.approval for each in item.approvals]
    adjustments = [each.adjustment for each in item.adjustments]
    reversals = [each.reversal for each in item.reversals]
    destination = item.account.stripe_id if item.account else None
    frozen = fingerprint(
        item.person.public_id, destination or "", approvals, adjustments, reversals, item.withheld
    )
    return paid_by(item) == item.amount + item.withheld and frozen == item.frozen_sha256


def paid_by(item: PayoutItem) -> int:
    """Minor units of what the item pays, as it was approved."""
    hours = sum(each.approval.expert_amount for each in item.approvals)
    again = sum(each.reversal.amount for each in item.reversals)
    return hours + sum(each.adjustment.amount for each in item.adjustments) + again
