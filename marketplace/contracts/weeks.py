"""Weeks and wall clocks. A week begins on Monday at 00:00 in the contract's zone and is kept as UTC bounds,
so it has 167 or 169 hours when the clocks change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from marketplace import clock
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Week:
    """Seven days of a zone: [start, end) in UTC. `monday` is its first day there."""

    monday: date
    zone: str

    @property
    def start(self) -> datetime:
        return clock.midnight(self.monday, self.zone)

    @property
    def end(self) -> datetime:
        return clock.midnight(self.monday + WEEK, self.zone)

    @property
    def next(self) -> Week:
        return Week(self.monday + WEEK, self.zone)

    @property
    def days(self) -> tuple[date, ...]:
        return tuple(self.monday + timedelta(days=n) for n in range(7))


class Repeated(StrEnum):
    """Which of the two is meant when the clocks go back and an hour happens twice."""

    FIRST = "first"
    SECOND = "second"
    ACROSS = "across"


def week_of(moment: datetime, zone: str) -> Week:
    """The week that a moment lies in."""
    return week_on(moment.astimezone(ZoneInfo(zone)).date(), zone)


def week_on(day: date, zone: str) -> Week:
    """The week that a day lies in."""
    return Week(day - timedelta(days=day.weekday()), zone)


def to_minute(moment: datetime) -> datetime:
    """The moment without its seconds."""
    return moment.replace(second=0, microsecond=0)


def split(
    start: datetime, end: datetime, zone: str, cuts: Iterable[datetime] = ()
) -> list[tuple[datetime, datetime]]:
    """[start, end) cut where weeks begin and at `cuts`, so that each piece lies in one week, at one rate."""
    pieces, also = [], list(cuts)
    while start < end:
        cut = min(end, week_of(start, zone).end, *(each for each in also if each > start))
        pieces.append((start, cut))
        start = cut
    return pieces


def interval(
    day: date, begins: time, ends: time, zone: str, repeated: Repeated | None = None
) -> tuple[datetime, datetime]:
    """What a person means by a day and two times on their clock, in UTC; an end before the start is on the
    next day.

    Raises Invalid for a time that the clocks skip, for one that happens twice until `repeated` says which,
    and when no time lies between the two.
    """
    over_midnight = to_time(ends) < to_time(begins) and repeated is not Repeated.ACROSS
    next_day = day + timedelta(days=1) if over_midnight else day
    second_start = repeated is Repeated.SECOND
    second_end = repeated in (Repeated.SECOND, Repeated.ACROSS)
    start = _moment(day, begins, zone, "begins", None if repeated is None else second_start)
    end = _moment(next_day, ends, zone, "ends", None if repeated is None else second_end)
    if start == end:
        raise Invalid(
            _("Start and end are the same, so no time has passed. Enter when you stopped."), field="ends"
        )
    return start, end


def twice(local: datetime) -> bool:
    """Does this time on the wall happen twice, because the clocks go back?"""
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _moment(day: date, at: time, zone: str, field: str, second: bool | None) -> datetime:
    local = datetime.combine(day, to_time(at), ZoneInfo(zone))
    later = local.replace(fold=1)
    if local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise Invalid(
            _(
                "The clocks went forward that day: %(time)s did not happen. Check the time.",
                time=f"{at:%H:%M}",
            ),
            field=field,
        )
    if twice(local) and second is None:
        raise Invalid(
            _(
                "The clocks went back that day: %(time)s happened twice. Say which one you mean.",
                time=f"{at:%H:%M}",
            ),
            field="repeated",
        )
    return (later if second else local).astimezone(UTC)


def to_time(at: time) -> time:
    """The time of day without its seconds."""
    return at.replace(second=0, microsecond=0)
