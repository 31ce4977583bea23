"""Messages through gettext, in the reader's language. Works in the web, the worker and the commands alike."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, get_timezone_location
from babel.numbers import format_decimal
from babel.support import LazyProxy, NullTranslations, Translations

FOLDER = Path(__file__).parent / "translations"
_locale: ContextVar[str] = ContextVar("locale", default="en_US")
_zone: ContextVar[str] = ContextVar("zone", default="UTC")


def current_locale() -> str:
    """The reader's locale, such as `en_US`."""
    return _locale.get()


def current_zone() -> str:
    """The reader's IANA zone."""
    return _zone.get()


@contextmanager
def reading(locale: str = "en_US", zone: str = "UTC") -> Iterator[None]:
    """Speak `locale` and show times in `zone` within this context."""
    tokens = _locale.set(locale), _zone.set(zone)
    try:
        yield
    finally:
        _locale.reset(tokens[0])
        _zone.reset(tokens[1])


def gettext(message: str, /, **values: object) -> str:
    """The message in the reader's language, with `%(name)s` filled from `values`."""
    text = str(_catalog(_locale.get()).gettext(message))
    return text % values if values else text


def lazy(message: str) -> str:
    """As gettext, looked up each time it is shown: for words named once, such as a form's labels."""
    return cast(str, LazyProxy(gettext, message, enable_cache=False))


def ngettext(one: str, many: str, n: int, /, **values: object) -> str:
    """As gettext, choosing by the count `n`, which the message may use as `%(n)s`."""
    return str(_catalog(_locale.get()).ngettext(one, many, n)) % {"n": n, **values}


def number(value: int) -> str:
    """`12,345`, in the reader's language."""
    return format_decimal(value, locale=_locale.get())


def day(value: date) -> str:
    """`Tue 3 Nov 2026`, in the reader's language."""
    return format_date(value, "EEE d MMM y", locale=_locale.get())


def time_of_day(value: datetime) -> str:
    """`14:05`, on the reader's clock."""
    return format_datetime(value, "HH:mm", tzinfo=ZoneInfo(_zone.get()), locale=_locale.get())


def moment(value: datetime, zone: str | None = None) -> str:
    """`Tue 3 Nov 2026, 14:05`, in the reader's language, on the clock of `zone` (None: the reader's)."""
    there = ZoneInfo(zone or _zone.get())
    return format_datetime(value, "EEE d MMM y, HH:mm", tzinfo=there, locale=_locale.get())


def zoned(value: datetime, zone: str | None = None) -> str:
    """`Tue 3 Nov 2026, 14:05, New York time`: as `moment`, with its zone named."""
    return f"{moment(value, zone)}, {zone_name(zone)}"


def zone_name(zone: str | None = None) -> str:
    """`New York time` for the IANA zone `America/New_York` (the reader's own, if None)."""
    there = get_timezone_location(zone or _zone.get(), locale=_locale.get(), return_city=True)
    place = there.rpartition("/")[2]
    return place if place.startswith(("UTC", "GMT")) else gettext("%(place)s time", place=place)


def titles_of(
    file: Iterable[bytes], _keywords: object, _comment_tags: object, options: object
) -> Iterator[tuple[int, str, str, list[str]]]:
    """What Babel collects for translators from a table: the titles in its rows."""
    lines = [line.decode() for line in file]
    kept = [(number, line) for number, line in enumerate(lines, 1) if not line.startswith("#")]
    rows = csv.DictReader(line for _number, line in kept)
    for (number, _line), row in zip(kept[1:], rows, strict=True):
        yield number, "_", row["title"], []


@cache
def _catalog(locale: str) -> NullTranslations:
    return Translations.load(FOLDER, [locale])
