"""A month or a year as documents name it, with the moments at which it begins and ends in a zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date

from marketplace import clock
from marketplace.errors import NotFound
from marketplace.i18n import current_locale
from marketplace.i18n import gettext as _

_KEY = re.compile(r"(2\d{3})(?:-(0[1-9]|1[0-2]))?")


@dataclass(frozen=True)
class Period:
    """A month of a year, or the whole year when `month` is None, on the clock of `zone`."""

    year: int
    month: int | None
    zone: ZoneInfo

    @property
    def key(self) -> str:
        """`2026-11` for a month, `2026` for a year."""
        return f"{self.year}-{self.month:02}" if self.month else str(self.year)

    @property
    def label(self) -> str:
        """`November 2026`, in the reader's language."""
        return format_date(self.first_day, "LLLL y", current_locale()) if self.month else str(self.year)

    @property
    def first_day(self) -> date:
        return date(self.year, self.month or 1, 1)

    @property
    def last_day(self) -> date:
        return self._day_after - timedelta(days=1)

    @property
    def start(self) -> datetime:
        """The first moment."""
        return self._midnight(self.first_day)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self._midnight(self._day_after)

    @property
    def is_over(self) -> bool:
        return self.end <= clock.now()

    @property
    def _day_after(self) -> date:
        if self.month is None or self.month == 12:
            return date(self.year + 1, 1, 1)
        return date(self.year, self.month + 1, 1)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone)


def period_of(key: str, zone: ZoneInfo) -> Period:
    """The period of a key such as `2026-11` or `2026`, which has begun. Raises NotFound."""
    found = _KEY.fullmatch(key)
    period = found and Period(int(found.group(1)), int(found.group(2) or 0) or None, zone)
    if not period or period.start > clock.now():
        raise NotFound(_("There is no such month or year."))
    return period


def month_of(day: date, zone: ZoneInfo) -> Period:
    """The month in which a day lies."""
    return Period(day.year, day.month, zone)
