"""The rule: what a position in another currency stands at, and what it is worth at a month's end.

The position of a currency is what we hold in it less what we owe in it: all of 1xxx and 2xxx but 1290, which
is the other side of what was changed. Money that moves between these accounts changes nothing. What makes the
position larger comes in at the rate of its day; what makes it smaller leaves at the average that it stands
at, because that difference is realised. Value less that is what is not realised yet (finance.md A6, 6020).

Fractions are exact; each of the two amounts is rounded once, half up, to minor units of the books' currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from marketplace import money


@dataclass(frozen=True)
class Rate:
    """In force from day `from_on` on; `rate` is for one whole unit, such as 1.08 dollars for a euro."""

    id: int
    rate: Decimal
    from_on: date


@dataclass(frozen=True)
class Step:
    """What moved while one rate was in force (minor units of the currency), and what all of it stood at then,
    exactly, in minor units of the books' currency."""

    rate: Rate
    moved: int
    position: int
    stood_at: Fraction


@dataclass(frozen=True)
class Figures:
    """A currency at a month's end. `booked_before` is what the month's earlier revaluations booked."""

    currency: str
    rate: Rate
    steps: tuple[Step, ...]
    position: int
    stood_at: int
    value: int
    booked_before: int

    @property
    def amount(self) -> int:
        """What is left to book: a gain, or below zero a loss."""
        return self.value - self.stood_at - self.booked_before


def in_force(rates: Sequence[Rate], on: date) -> Rate | None:
    """The rate of a day, of `rates` in the order of their days and of their acceptance."""
    return next((each for each in reversed(rates) if each.from_on <= on), None)


def steps(
    rates: Sequence[Rate], moves: Iterable[tuple[date, int]], currency: str, books: str
) -> tuple[Step, ...]:
    """What the position stood at, rate by rate. `moves` are (day of the books, minor units) by their day.

    LookupError, with the day, for a day without a rate.
    """
    sums: dict[Rate, int] = {}
    for on, amount in moves:
        rate = in_force(rates, on)
        if rate is None:
            raise LookupError(on)
        sums[rate] = sums.get(rate, 0) + amount
    made: list[Step] = []
    position, stood_at = 0, Fraction(0)
    for rate, moved in sums.items():
        stood_at = _after(position, stood_at, moved, worth_of_one(rate.rate, currency, books))
        position += moved
        made.append(Step(rate, moved, position, stood_at))
    return tuple(made)


def worth_of_one(rate: Decimal, currency: str, books: str) -> Fraction:
    """Minor units of the books' currency for one minor unit of `currency`."""
    return Fraction(rate) * Fraction(10) ** (money.exponent(books) - money.exponent(currency))


def written(rate: Decimal) -> str:
    """In plain digits, without zeros at the end."""
    return f"{rate.normalize():f}"


def rounded(amount: Fraction) -> int:
    """To whole minor units, half up, alike on both sides of zero."""
    return money.part(1, amount.numerator, amount.denominator)


def _after(position: int, stood_at: Fraction, moved: int, worth: Fraction) -> Fraction:
    """What stands after a move: more of the same at its rate, less at the average, the other side anew."""
    after = position + moved
    if position * moved >= 0:
        return stood_at + moved * worth
    return stood_at * after / position if position * after >= 0 else after * worth
