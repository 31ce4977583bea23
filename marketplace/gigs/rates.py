"""What a gig pays beside what others pay: its band, the public wages of the occupation, and what was earned.

Wages: U.S. Bureau of Labor Statistics, OEWS May 2025, in matching/domains.csv, with its limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace.gigs.models import Gig
from marketplace.matching import domains
from marketplace.money import Money

# Of fewer experts nothing is said, so that nobody's pay can be read from it.
LEAST_EXPERTS = 5
WAGES_IN = "USD"
AN_HOUR = 60


@dataclass(frozen=True)
class Earned:
    """What approved weeks of a gig come to: `experts` people, `paid` minor units in all, and all `minutes`
    that they gave, the unpaid ones (waiting, reading, revising) included."""

    experts: int
    paid: int
    minutes: int


@dataclass(frozen=True)
class Wages:
    """What a quarter of the employees in an occupation earn less than, and three quarters; an hour."""

    occupation: str
    low: Money
    high: Money


@dataclass(frozen=True)
class Rates:
    """`effective` is what an hour really brought, None until enough experts were paid. `below` says that the
    highest rate is less than the lower of the wages."""

    wages: Wages | None
    below: bool
    effective: Money | None


# What was earned on gigs (internal ids), of those on which anything was. Filled by the slice above.
earned: list[Callable[[Session, Sequence[int]], Mapping[int, Earned]]] = []


def rates_of(session: Session, gig: Gig) -> Rates:
    """What is known of a gig's pay."""
    currency = gig.project.currency
    found = [each[gig.id] for ask in earned if gig.id in (each := ask(session, [gig.id]))]
    effective = Money(an_hour(found[0]), currency) if found and _enough(found[0]) else None
    return Rates(wages_of(gig.domain), is_below(gig.domain, gig.rate_max, currency), effective)


def an_hour(found: Earned) -> int:
    """Minor units for an hour of all time, rounded half up."""
    return (2 * found.paid * AN_HOUR + found.minutes) // (2 * found.minutes)


def wages_of(domain: str | None) -> Wages | None:
    """The public wages of the occupation that this is or is part of; None for what is wider, and for none."""
    known = domains.occupation_of(domain) if domain else None
    if known is None or known.wage is None:
        return None
    low, high = Money(known.wage.p25, WAGES_IN), Money(known.wage.p75, WAGES_IN)
    return Wages(domains.title(known.code), low, high)


def is_below(domain: str | None, rate_max: int | None, currency: str) -> bool:
    """Does the highest rate stay under what three quarters of employees earn? Only asked in US dollars."""
    wages = wages_of(domain)
    return bool(wages and rate_max and currency == WAGES_IN and rate_max < wages.low.amount)


def _enough(found: Earned) -> bool:
    return found.experts >= LEAST_EXPERTS and found.minutes > 0
