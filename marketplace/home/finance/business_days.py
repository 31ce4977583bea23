"""Business days of the place from which the site is run: no weekend, no bank holiday."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy.orm import Session


def following(session: Session, start: date, count: int) -> list[date]:
    """The first `count` business days from `start` on, which may be the first."""
    days: list[date] = []
    day = start
    while len(days) < count:
        if is_one(session, day):
            days.append(day)
        day += timedelta(days=1)
    return days


def before(session: Session, day: date, count: int) -> date:
    """The business day that lies `count` business days before `day`."""
    while count > 0:
        day -= timedelta(days=1)
        count -= is_one(session, day)
    return day


def is_one(session: Session, day: date) -> bool:
    """Do banks work on this day?"""
    return day.weekday() < 5
