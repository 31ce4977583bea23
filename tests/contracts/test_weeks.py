"""Weeks and clocks, where the clocks change and where they do not."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from marketplace.contracts.weeks import Repeated, Week, interval, split, week_of
from marketplace.errors import Invalid

NEW_YORK = "America/New_York"
SPRING, AUTUMN = date(2026, 3, 8), date(2026, 11, 1)


@pytest.mark.parametrize(
    ("zone", "monday", "hours"),
    [
        (NEW_YORK, date(2026, 3, 2), 167),
        (NEW_YORK, date(2026, 10, 26), 169),
        ("Europe/London", date(2026, 3, 23), 167),
        ("Australia/Sydney", date(2026, 3, 30), 169),
        ("Australia/Lord_Howe", date(2026, 3, 30), 168.5),
        ("Asia/Kathmandu", date(2026, 3, 2), 168),
    ],
)
def test_a_week_has_the_hours_that_really_pass(zone: str, monday: date, hours: float) -> None:
    week = Week(monday, zone)
    assert week.end - week.start == timedelta(hours=hours)
    assert week.next.start == week.end


def test_a_week_begins_on_monday_where_the_expert_lives() -> None:
    sunday_evening_there = datetime(2026, 6, 8, 3, 30, tzinfo=UTC)
    assert week_of(sunday_evening_there, NEW_YORK).monday == date(2026, 6, 1)
    assert week_of(sunday_evening_there, "Asia/Kathmandu").monday == date(2026, 6, 8)


def test_work_over_sunday_midnight_is_cut_there() -> None:
    midnight = datetime(2026, 6, 8, 4, 0, tzinfo=UTC)
    hour = timedelta(hours=1)
    assert split(midnight - hour, midnight + hour, NEW_YORK) == [
        (midnight - hour, midnight),
        (midnight, midnight + hour),
    ]


def test_spring_an_hour_that_never_was_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        interval(SPRING, time(2, 30), time(4), NEW_YORK)
    assert refusal.value.field == "begins"


def test_spring_real_time_counts() -> None:
    start, end = interval(SPRING, time(1), time(4), NEW_YORK)
    assert end - start == timedelta(hours=2)


def test_autumn_an_hour_that_was_twice_asks_which() -> None:
    with pytest.raises(Invalid) as refusal:
        interval(AUTUMN, time(1, 30), time(3), NEW_YORK)
    assert refusal.value.field == "repeated"


@pytest.mark.parametrize(
    ("repeated", "begins", "ends", "minutes"),
    [
        (Repeated.FIRST, time(1, 30), time(3), 150),
        (Repeated.SECOND, time(1, 30), time(3), 90),
        (Repeated.FIRST, time(1), time(1, 30), 30),
        (Repeated.ACROSS, time(1, 30), time(1, 15), 45),
        (Repeated.ACROSS, time(1, 30), time(1, 30), 60),
    ],
)
def test_autumn_real_time_counts(repeated: Repeated, begins: time, ends: time, minutes: int) -> None:
    start, end = interval(AUTUMN, begins, ends, NEW_YORK, repeated)
    assert end - start == timedelta(minutes=minutes)


def test_an_end_before_the_start_is_on_the_next_day() -> None:
    start, end = interval(date(2026, 6, 3), time(23), time(1), NEW_YORK)
    assert end - start == timedelta(hours=2)


@pytest.mark.parametrize(
    ("day", "repeated"), [(date(2026, 6, 3), None), (AUTUMN, Repeated.FIRST), (AUTUMN, Repeated.SECOND)]
)
def test_equal_times_are_no_day_and_night_of_work(day: date, repeated: Repeated | None) -> None:
    with pytest.raises(Invalid, match="no time has passed") as refusal:
        interval(day, time(1, 30), time(1, 30, 59), NEW_YORK, repeated)
    assert refusal.value.field == "ends"


def test_equal_times_in_the_hour_that_was_twice_ask_which() -> None:
    with pytest.raises(Invalid) as refusal:
        interval(AUTUMN, time(1, 30), time(1, 30), NEW_YORK)
    assert refusal.value.field == "repeated"
