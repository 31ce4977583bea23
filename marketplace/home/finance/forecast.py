"""What will lie at Stripe on each of the next ten business days, by currency and source type.

Pure arithmetic: what moves comes as flows, see `flows`. Money that becomes available may be spent on that
day. What goes out is taken from the part that it names, then from the part that covers it most tightly, then
from all parts; what none covers waits, and is paid as soon as money is there. What waited most is what a
top-up has to bring, by the first day on which anything waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from marketplace.money import Money
from marketplace.payments.models import TopUp

DAYS = 10


class Why(StrEnum):
    """Why money moves."""

    PENDING = "pending"
    TOP_UP = "top_up"
    RELEASED = "released"
    PREPARED = "prepared"
    SENT_SINCE = "sent_since"
    PAYABLE = "payable"
    DEADLINE = "deadline"
    REFUND = "refund"
    CHARGEBACK = "chargeback"
    SWEEP = "sweep"


@dataclass(frozen=True)
class Flow:
    """`amount` minor units of `currency`, above zero when they come in, move on `day` because of so many
    things of one kind; in or out of `source_type`, or of any."""

    day: date
    currency: str
    source_type: str | None
    amount: int
    why: Why
    count: int = 1


@dataclass(frozen=True)
class Day:
    """How a day ends: what is left of each part, and what is `waiting` for money, in minor units."""

    day: date
    flows: Sequence[Flow]
    left: Mapping[str, int]
    waiting: int

    @property
    def coming(self) -> Sequence[Flow]:
        return [flow for flow in self.flows if flow.amount > 0]

    @property
    def going(self) -> Sequence[Flow]:
        return [flow for flow in self.flows if flow.amount < 0]

    @property
    def end(self) -> int:
        """What is left, less what waits."""
        return sum(self.left.values()) - self.waiting


@dataclass(frozen=True)
class TopUpNeeded:
    """`amount` has to be at Stripe on day `by`, so it has to be released on day `release_on`. `prepared` is
    one that waits to be released; another is not made before that."""

    amount: Money
    by: date
    release_on: date
    at_bank: Money
    prepared: TopUp | None = None

    @property
    def covered(self) -> bool:
        """Does the account for clients' money hold that much?"""
        return self.amount.amount <= self.at_bank.amount


@dataclass(frozen=True)
class Forecast:
    """The days of one currency, from what is available (`opening`, minor units by source type)."""

    currency: str
    opening: Mapping[str, int]
    days: Sequence[Day] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        """The source types that it speaks of: card first."""
        return sorted(
            {kind for day in self.days for kind in day.left}, key=lambda kind: (kind != "card", kind)
        )

    @property
    def rows(self) -> list[tuple[Day, Day]]:
        """The first and the last day of each row of a table: days on which nothing moves share one."""
        rows: list[tuple[Day, Day]] = []
        for day in self.days:
            if rows and not day.flows and not rows[-1][0].flows:
                rows[-1] = (rows[-1][0], day)
            else:
                rows.append((day, day))
        return rows

    @property
    def short(self) -> int:
        """The most that waits at the end of a day, in minor units: so much is to be topped up."""
        return max((day.waiting for day in self.days), default=0)

    @property
    def short_on(self) -> date | None:
        """The first day at whose end something waits."""
        return next((day.day for day in self.days if day.waiting), None)


def lay_out(
    currency: str, opening: Mapping[str, int], flows: Iterable[Flow], days: Sequence[date]
) -> Forecast:
    """Put the flows on the days (rising, the first is today): what is overdue on the first, what falls
    between two on the later one. What comes after the last is left out."""
    by_day: dict[date, list[Flow]] = {day: [] for day in days}
    for flow in flows:
        landed = next((day for day in days if flow.day <= day), None)
        if landed is not None:
            by_day[landed].append(flow)
    left = {kind: max(0, amount) for kind, amount in opening.items()}
    waiting = -sum(min(0, amount) for amount in opening.values())
    found = []
    for day in days:
        left, waiting = _ended(left, waiting, by_day[day])
        found.append(Day(day, by_day[day], left, waiting))
    return Forecast(currency, dict(opening), found)


def _ended(left: Mapping[str, int], waiting: int, flows: Sequence[Flow]) -> tuple[dict[str, int], int]:
    """What is left of each part and what waits, after the flows of a day."""
    after, any_part = dict(left), waiting
    for flow in flows:
        if flow.amount > 0:
            kind = flow.source_type or "bank_account"
            after[kind] = after.get(kind, 0) + flow.amount
    for flow in flows:
        if flow.amount < 0:
            taken = min(-flow.amount, after.get(flow.source_type or "", 0))
            any_part += -flow.amount - taken
            if flow.source_type and taken:
                after[flow.source_type] -= taken
    return after, _draw(after, any_part)


def _draw(left: dict[str, int], amount: int) -> int:
    """Take it from the part that covers it tightest, else from all, the fullest first; what is missing."""
    enough = [kind for kind, held in left.items() if held >= amount]
    tightest = sorted(enough, key=lambda kind: (left[kind], kind))[:1]
    for kind in tightest or sorted(left, key=lambda kind: (-left[kind], kind)):
        taken = min(left[kind], amount)
        left[kind], amount = left[kind] - taken, amount - taken
    return amount
