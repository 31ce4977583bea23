"""Months of the books: opened by what happens in them, put on hold by one person, closed by another."""

from __future__ import annotations

from datetime import date, datetime

from marketplace import settings


def day_of(moment: datetime) -> date:
    """The day of the books in which a UTC moment lies (`MARKETPLACE_BOOKS_ZONE`)."""
    return moment.astimezone(settings.current().books_zone).date()
