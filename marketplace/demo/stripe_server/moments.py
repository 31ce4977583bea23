"""Moments as Stripe writes them: Unix seconds in v1, RFC 3339 in v2. Business days are weekdays, in UTC."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, date, datetime, timedelta

from marketplace import clock

DAY = 86_400


def now() -> int:
    """The present by the shared clock (or the request's own), in Unix seconds."""
    return int(clock.now().timestamp())


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def day_of(seconds: int) -> date:
    return moment(seconds).date()


def midnight(day: date) -> int:
    return int(clock.midnight(day, "UTC").timestamp())


def business_midnight(after: int, days: int) -> int:
    """The start of the business day that lies `days` after the day of `after`."""
    return midnight(clock.add_business_days(day_of(after), days))


def next_midnight(after: int) -> int:
    return midnight(day_of(after) + timedelta(days=1))


def iso(seconds: int) -> str:
    """As v2 writes moments: `2026-11-22T20:31:41.000Z`."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def new_id(prefix: str) -> str:
    """An id of Stripe's form, such as `tr_1…`; ids sort by their making, which keeps the indexes small."""
    return f"{prefix}_1{time.time_ns():x}{secrets.token_hex(4)}"
