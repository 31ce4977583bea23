"""Business days of the place from which the site is run: no weekend, no bank holiday as far as known.

Known are the days of the Federal Reserve (United States), of TARGET (the euro area) and of banks in England
(United Kingdom). Elsewhere only weekends are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from functools import cache

from sqlalchemy.orm import Session

from marketplace.payments.setup.countries import operators_country

EURO = [
    "AT",
    "BE",
    "BG",
    "CY",
    "DE",
    "EE",
    "ES",
    "FI",
    "FR",
    "GR",
    "HR",
    "IE",
    "IT",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "PT",
    "SI",
    "SK",
]
MONDAY, THURSDAY, SATURDAY = 0, 3, 5


def following(session: Session, start: date, count: int) -> list[date]:
    """The first `count` business days from `start` on, which may be the first."""
    country, days, day = operators_country(session), list[date](), start
    while len(days) < count:
        if is_one(country, day):
            days.append(day)
        day += timedelta(days=1)
    return days


def before(session: Session, day: date, count: int) -> date:
    """The business day that lies `count` business days before `day`."""
    country = operators_country(session)
    while count > 0:
        day -= timedelta(days=1)
        count -= is_one(country, day)
    return day


def is_one(country: str, day: date) -> bool:
    """Do banks of the country (ISO 3166-1 alpha-2) work on this day?"""
    return day.weekday() < SATURDAY and day not in _holidays(country, day.year)


@cache
def _holidays(country: str, year: int) -> frozenset[date]:
    rule = _RULES.get(country)
    return frozenset(rule(year)) if rule else frozenset()


def _united_states(year: int) -> Iterator[date]:
    """A holiday on a Sunday is kept on the Monday after it; on a Saturday it closes no other day."""
    for month, day in ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25)):
        fixed = date(year, month, day)
        yield fixed + timedelta(days=1) if fixed.weekday() == 6 else fixed
    yield from (_nth(year, 1, MONDAY, 3), _nth(year, 2, MONDAY, 3), _last_monday(year, 5))
    yield from (_nth(year, 9, MONDAY, 1), _nth(year, 10, MONDAY, 2), _nth(year, 11, THURSDAY, 4))


def _euro_area(year: int) -> Iterator[date]:
    yield from (date(year, 1, 1), date(year, 5, 1), date(year, 12, 25), date(year, 12, 26))
    yield from (_easter(year) - timedelta(days=2), _easter(year) + timedelta(days=1))


def _united_kingdom(year: int) -> Iterator[date]:
    """A holiday on a weekend is kept on the next working day."""
    yield from (_easter(year) - timedelta(days=2), _easter(year) + timedelta(days=1))
    yield from (_nth(year, 5, MONDAY, 1), _last_monday(year, 5), _last_monday(year, 8))
    kept: set[date] = set()
    for fixed in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        day = fixed
        while day.weekday() >= SATURDAY or day in kept:
            day += timedelta(days=1)
        kept.add(day)
    yield from kept


_RULES: Mapping[str, Callable[[int], Iterator[date]]] = {
    "US": _united_states,
    "GB": _united_kingdom,
    **dict.fromkeys(EURO, _euro_area),
}


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th such weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _last_monday(year: int, month: int) -> date:
    last = date(year, month + 1, 1) - timedelta(days=1)
    return last - timedelta(days=last.weekday())


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar, by the rule of Meeus, Jones and Butcher."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    leaps, skipped = divmod(century, 4)
    moon = (century + 8) // 25
    epact = (19 * golden + century - leaps - (century - moon + 1) // 3 + 15) % 30
    weekday = (32 + 2 * skipped + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
