"""When pay is expected: a pay run leaves once a week, and Stripe's payout takes a few business days."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from babel.dates import get_day_names

from marketplace import clock
from marketplace.i18n import current_locale
from marketplace.settings import current

# Stripe pays out on the day after the transfer, and the bank takes two business days more.
BANK_DAYS = 3


def pay_day(after: datetime) -> date:
    """The day of the first pay run after a moment, in the zone of the books."""
    day = after.astimezone(current().books_zone).date()
    return day + timedelta(days=(current().pay_weekday - day.weekday()) % 7)


def weekday() -> str:
    """The day of the week on which pay runs leave, in the reader's language."""
    names = get_day_names("wide", locale=current_locale())
    return str(names[current().pay_weekday])


def arrives(sent: date) -> date:
    """The day on which what is sent on `sent` should be in the bank."""
    return clock.add_business_days(sent, BANK_DAYS)
