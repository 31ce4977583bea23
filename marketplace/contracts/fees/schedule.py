"""Which fee applies to work of a day, and how an amount is made of pay, fee and the tax on the fee.

The rule of rounding (F55): the pay of a line is rounded once to minor units, half up; the fee is a share of
that rounded pay, rounded once, half up, and its tax a share of that fee, rounded the same way. The total is
their sum and is never rounded itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from marketplace import money
from marketplace.contracts.fees.models import FeeChange


@dataclass(frozen=True)
class Split:
    """What a client pays for work, in minor units; below zero for what comes back."""

    pay: int
    fee: int
    tax: int = 0

    @property
    def total(self) -> int:
        return self.pay + self.fee + self.tax


def split(pay: int, fee_bps: int, tax_bps: int = 0) -> Split:
    """The pay (minor units, whole) with its fee, and the tax on that, at so many hundredths of a per cent."""
    fee = money.share(pay, fee_bps)
    return Split(pay, fee, money.share(fee, tax_bps))


def applies(changes: Iterable[FeeChange], on: date) -> FeeChange | None:
    """Of the accepted changes about a project, the one that says the fee of a day's work; None if none does.

    The narrowest scope that has a fee on the day wins; within it, the last that has begun.
    """
    begun = [each for each in changes if each.from_on <= on]
    for breadth in range(3):
        own = [each for each in begun if each.breadth == breadth]
        if own and (newest := max(own, key=lambda each: each.from_on)).fee_bps is not None:
            return newest
    return None


def highest(changes: Sequence[FeeChange], first: date, end: date, agreed: int) -> int:
    """The highest fee of some day from `first` on, before `end`; as `fee_on`."""
    later = (each.from_on for each in changes if first < each.from_on < end)
    return max(fee_on(changes, each, agreed) for each in (first, *later))


def fee_on(changes: Iterable[FeeChange], on: date, agreed: int) -> int:
    """The fee of a day's work, in hundredths of a per cent; what was `agreed` if the schedule is silent."""
    found = applies(changes, on)
    return agreed if found is None or found.fee_bps is None else found.fee_bps
