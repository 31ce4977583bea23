"""Working hours that two places share."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

WORKING_HOURS = 8


@lru_cache(maxsize=10_000)
def shared_hours(one: str | None, other: str, day: date) -> int:
    """Whole hours that 09:00 to 17:00 in both IANA zones have in common on `day`; all when `one` is None."""
    if one is None:
        return WORKING_HOURS
    noon = datetime.combine(day, time(12), UTC)
    apart = abs(_offset(one, noon) - _offset(other, noon)) % timedelta(days=1)
    apart = min(apart, timedelta(days=1) - apart)
    return max(0, WORKING_HOURS - -(-apart // timedelta(hours=1)))


def _offset(zone: str, at: datetime) -> timedelta:
    return at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0)
