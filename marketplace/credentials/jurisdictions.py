"""Where credentials are issued, and the zone in which a day of validity ends there.

For a state in two zones, the zone of its capital.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale

from marketplace import clock
from marketplace.i18n import current_locale

EASTERN, CENTRAL, MOUNTAIN, PACIFIC = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)
STATES: dict[str, tuple[str, str]] = {
    "US-AL": ("Alabama", CENTRAL),
    "US-AK": ("Alaska", "America/Juneau"),
    "US-AZ": ("Arizona", "America/Phoenix"),
    "US-AR": ("Arkansas", CENTRAL),
    "US-CA": ("California", PACIFIC),
    "US-CO": ("Colorado", MOUNTAIN),
    "US-CT": ("Connecticut", EASTERN),
    "US-DE": ("Delaware", EASTERN),
    "US-DC": ("District of Columbia", EASTERN),
    "US-FL": ("Florida", EASTERN),
    "US-GA": ("Georgia", EASTERN),
    "US-HI": ("Hawaii", "Pacific/Honolulu"),
    "US-ID": ("Idaho", "America/Boise"),
    "US-IL": ("Illinois", CENTRAL),
    "US-IN": ("Indiana", "America/Indiana/Indianapolis"),
    "US-IA": ("Iowa", CENTRAL),
    "US-KS": ("Kansas", CENTRAL),
    "US-KY": ("Kentucky", EASTERN),
    "US-LA": ("Louisiana", CENTRAL),
    "US-ME": ("Maine", EASTERN),
    "US-MD": ("Maryland", EASTERN),
    "US-MA": ("Massachusetts", EASTERN),
    "US-MI": ("Michigan", "America/Detroit"),
    "US-MN": ("Minnesota", CENTRAL),
    "US-MS": ("Mississippi", CENTRAL),
    "US-MO": ("Missouri", CENTRAL),
    "US-MT": ("Montana", MOUNTAIN),
    "US-NE": ("Nebraska", CENTRAL),
    "US-NV": ("Nevada", PACIFIC),
    "US-NH": ("New Hampshire", EASTERN),
    "US-NJ": ("New Jersey", EASTERN),
    "US-NM": ("New Mexico", MOUNTAIN),
    "US-NY": ("New York", EASTERN),
    "US-NC": ("North Carolina", EASTERN),
    "US-ND": ("North Dakota", CENTRAL),
    "US-OH": ("Ohio", EASTERN),
    "US-OK": ("Oklahoma", CENTRAL),
    "US-OR": ("Oregon", PACIFIC),
    "US-PA": ("Pennsylvania", EASTERN),
    "US-RI": ("Rhode Island", EASTERN),
    "US-SC": ("South Carolina", EASTERN),
    "US-SD": ("South Dakota", CENTRAL),
    "US-TN": ("Tennessee", CENTRAL),
    "US-TX": ("Texas", CENTRAL),
    "US-UT": ("Utah", MOUNTAIN),
    "US-VT": ("Vermont", EASTERN),
    "US-VA": ("Virginia", EASTERN),
    "US-WA": ("Washington", PACIFIC),
    "US-WV": ("West Virginia", EASTERN),
    "US-WI": ("Wisconsin", CENTRAL),
    "US-WY": ("Wyoming", MOUNTAIN),
}
COUNTRIES = {"US": EASTERN, "GB": "Europe/London"}
EVERYWHERE = "UTC"


def name(code: str) -> str:
    """`California` or `United Kingdom`, in the reader's language where that is known."""
    if code in STATES:
        return STATES[code][0]
    return str(Locale.parse(current_locale()).territories.get(code, code))


def zone(code: str | None) -> str:
    """The IANA zone in which a credential's last day ends."""
    if code in STATES:
        return STATES[code][1]
    return COUNTRIES.get(code or "", EVERYWHERE)


def end_of(last_day: date, code: str | None) -> datetime:
    """The UTC moment at which a credential valid through `last_day` stops being valid."""
    return clock.midnight(last_day + timedelta(days=1), zone(code))


def last_day(end: datetime, code: str | None) -> date:
    """The last whole day that lies before `end`, in the place that issued it."""
    return (end - timedelta(microseconds=1)).astimezone(ZoneInfo(zone(code))).date()
