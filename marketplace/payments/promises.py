"""When pay is expected: a pay run leaves each Friday, and Stripe's payout takes a few business days."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from marketplace import clock
from marketplace.settings import current

PAY_WEEKDAY = 4  # Friday
# Stripe pays out on the day after the transfer, and the bank takes two business days more.
BANK_DAYS = 3


def pay_day(after: datetime) -> date:
    """The day of the first pay run after a moment, in the zone of the books."""
    day = after.astimezone(current().books_zone).date()
    return day + timedelta(days=(PAY_WEEKDAY - day.weekday()) % 7)


def arrives(sent: date) -> date:
    """The day on which what is sent on `sent` should be in the bank."""
    return clock.add_business_days(sent, BANK_DAYS)
