"""The one clock. All processes read it; tests and the demo can set it.

`MARKETPLACE_CLOCK_FILE` names a JSON file `{"offset": seconds}` that shifts the system's time for every
process that shares it. `at(moment)` overrides it for the current context only, which is how the demo's
history lives in the past while others use the site.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

_override: ContextVar[datetime | None] = ContextVar("clock_override", default=None)


def now() -> datetime:
    """The present, aware, in UTC."""
    return _override.get() or shared()


def shared() -> datetime:
    """What the clock that all processes share says, whatever is set for this context."""
    return datetime.now(UTC) + _offset()


def overridden() -> datetime | None:
    """The moment set by `at`, or None when the shared clock rules."""
    return _override.get()


def today(zone: str) -> date:
    """The present calendar day in an IANA zone."""
    return now().astimezone(ZoneInfo(zone)).date()


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let `now()` answer `moment` (aware) within this context."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    token = _override.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _override.reset(token)


def advance(by: timedelta) -> None:
    """Move the shared clock forward by `by` for every process that reads the same file.

    Raises ValueError when no clock file is named, or when `by` is negative: what happened stays happened.
    """
    if by < timedelta(0):
        raise ValueError("the clock only moves forward")
    path = _file()
    if path is None:
        raise ValueError("no clock file is named, so the clock cannot be moved")
    _write(path, _offset() + by)


@cache
def zones() -> frozenset[str]:
    """The names of all IANA zones. Finding them walks a folder tree, so they are found once."""
    return frozenset(available_timezones())


def midnight(day: date, zone: str) -> datetime:
    """The UTC moment at which `day` begins in an IANA zone."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def add_business_days(day: date, days: int) -> date:
    """The date `days` weekdays after `day` (bank holidays are not known here)."""
    while days > 0:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return day


def _file() -> Path | None:
    name = os.environ.get("MARKETPLACE_CLOCK_FILE")
    return Path(name) if name else None


def _offset() -> timedelta:
    path = _file()
    if path is None:
        return timedelta(0)
    try:
        return timedelta(seconds=json.loads(path.read_text())["offset"])
    except FileNotFoundError:
        return timedelta(0)


def _write(path: Path, offset: timedelta) -> None:
    """Replace the file in one step, so that no reader ever sees half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"offset": offset.total_seconds()}))
    draft.replace(path)
