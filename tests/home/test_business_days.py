"""Business days: weekends and bank holidays of the place are left out."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace.home.finance import business_days
from marketplace.home.finance.business_days import is_one

# As the Federal Reserve, the European Central Bank and gov.uk publish them; weekends are not listed.
CLOSED = {
    "US": {
        2026: "01-01 01-19 02-16 05-25 06-19 09-07 10-12 11-11 11-26 12-25",
        2027: "01-01 01-18 02-15 05-31 07-05 09-06 10-11 11-11 11-25",
    },
    "DE": {2026: "01-01 04-03 04-06 05-01 12-25", 2027: "01-01 03-26 03-29"},
    "GB": {
        2026: "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28",
        2027: "01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28",
    },
}


@pytest.mark.parametrize(("country", "year"), [(each, year) for each in CLOSED for year in CLOSED[each]])
def test_banks_are_closed_on_these_days_of_the_week_and_no_other(country: str, year: int) -> None:
    days = (date(year, 1, 1) + timedelta(days=number) for number in range(365))
    closed = [day for day in days if day.weekday() < 5 and not is_one(country, day)]
    assert " ".join(f"{day:%m-%d}" for day in closed) == CLOSED[country][year]


def test_elsewhere_only_weekends_are_known() -> None:
    assert is_one("JP", date(2026, 1, 1))
    assert not is_one("JP", date(2026, 1, 3))


def test_days_are_counted_over_weekends_and_holidays(session: Session) -> None:
    # Nobody has said where the site is run, so it is the United States: 2026-11-26 is Thanksgiving.
    assert business_days.following(session, date(2026, 11, 25), 3) == [
        date(2026, 11, 25), date(2026, 11, 27), date(2026, 11, 30),
    ]  # fmt: skip
    assert business_days.before(session, date(2026, 11, 30), 3) == date(2026, 11, 24)
