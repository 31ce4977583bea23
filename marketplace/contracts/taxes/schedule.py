"""Which tax applies to our fee for a day's work.

The rule of rounding: the tax of a line is a share of its fee, which is rounded already, rounded once, half
up. Sums are sums of lines and are never rounded themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from marketplace.contracts.taxes.models import TaxDecision


def applies(decisions: Iterable[TaxDecision], on: date) -> TaxDecision | None:
    """Of the decisions about a client, the one for a day's work; None while nothing was ever decided.

    Its own goes before that of clients that have none; of each the last that has begun.
    """
    begun = [each for each in decisions if each.from_on <= on]
    own = [each for each in begun if each.organization_id is not None]
    return max(own or begun, key=lambda each: (each.from_on, each.id), default=None)


def rate_on(decisions: Iterable[TaxDecision], on: date) -> int:
    """The tax on the fee for a day's work, in hundredths of a per cent of the fee."""
    found = applies(decisions, on)
    return found.rate_bps if found else 0


def highest(decisions: Sequence[TaxDecision], first: date, end: date) -> int:
    """The highest of some day from `first` on, before `end`."""
    later = (each.from_on for each in decisions if first < each.from_on < end)
    return max(rate_on(decisions, each) for each in (first, *later))
