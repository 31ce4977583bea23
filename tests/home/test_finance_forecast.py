"""The arithmetic of the forecast: by hand, and for whatever may come."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from marketplace.home.finance.forecast import Flow, Forecast, Why, lay_out

MON = date(2026, 3, 2)
# Two weeks of business days: Monday to Friday, twice.
DAYS = [MON + timedelta(days=week * 7 + day) for week in range(2) for day in range(5)]
SATURDAY = MON + timedelta(days=5)


def flow(day: int, amount: int, kind: str | None = None, why: Why = Why.PENDING) -> Flow:
    return Flow(MON + timedelta(days=day), "USD", kind, amount, why)


def ends(found: Forecast) -> list[tuple[int, int, int]]:
    """Card, bank and what waits, at the end of each day."""
    return [(each.left.get("card", 0), each.left.get("bank_account", 0), each.waiting) for each in found.days]


def test_two_weeks_worked_out_by_hand() -> None:
    found = lay_out(
        "USD",
        {"card": 1_000, "bank_account": 300},
        [
            flow(-3, -200, why=Why.RELEASED),  # overdue: taken today, from the part that covers it tightly
            flow(1, 500, "card"),
            flow(2, -400, "card", Why.REFUND),
            flow(3, -2_000, why=Why.PAYABLE),  # more than there is
            flow(5, 900, "bank_account", Why.TOP_UP),  # a Saturday: there on Monday
            flow(9, -50, why=Why.SWEEP),  # a Wednesday
            flow(14, 1_000, "card"),  # after the last day
        ],
        DAYS,
    )
    assert ends(found) == [
        (1_000, 100, 0),
        (1_500, 100, 0),
        (1_100, 100, 0),
        (0, 0, 800),
        (0, 0, 800),
        (0, 100, 0),
        (0, 100, 0),
        (0, 50, 0),
        (0, 50, 0),
        (0, 50, 0),
    ]
    assert (found.short, found.short_on) == (800, MON + timedelta(days=3))
    assert found.kinds == ["card", "bank_account"]


def test_what_one_part_covers_is_taken_from_it_alone() -> None:
    found = lay_out("USD", {"card": 500, "bank_account": 900}, [flow(0, -600)], DAYS)
    assert ends(found)[0] == (500, 300, 0)


def test_a_part_that_does_not_cover_what_names_it_is_helped_by_the_others() -> None:
    found = lay_out("USD", {"card": 100, "bank_account": 900}, [flow(0, -600, "card")], DAYS)
    assert ends(found)[0] == (0, 400, 0)


def test_a_balance_below_zero_waits_for_money_first() -> None:
    found = lay_out("USD", {"card": -250, "bank_account": 100}, [flow(1, 400, "card")], DAYS)
    assert ends(found)[:2] == [(0, 0, 150), (250, 0, 0)]


MINOR = st.integers(-10_000, 10_000).filter(bool)
FLOWS = st.lists(
    st.builds(
        Flow,
        st.integers(-5, 20).map(lambda days: MON + timedelta(days=days)),
        st.just("USD"),
        st.sampled_from(["card", "bank_account", None]),
        MINOR,
        st.sampled_from(Why),
    ),
    max_size=40,
)
OPENING = st.fixed_dictionaries({"card": st.integers(-5_000, 20_000), "bank_account": st.integers(0, 20_000)})


@given(OPENING, FLOWS)
def test_what_is_there_at_the_end_is_what_was_there_and_came_less_what_went(opening, flows) -> None:
    found = lay_out("USD", opening, flows, DAYS)
    for day in found.days:
        moved = sum(each.amount for each in flows if each.day <= day.day)
        assert day.end == sum(opening.values()) + moved
        assert min(day.left.values()) >= 0
        # Nothing waits while anything is left to pay it from.
        assert not day.waiting or not any(day.left.values())
    assert sum(len(day.flows) for day in found.days) == sum(each.day <= DAYS[-1] for each in flows)


@given(OPENING, FLOWS)
def test_the_top_up_that_is_asked_for_is_enough_and_not_more(opening, flows) -> None:
    found = lay_out("USD", opening, flows, DAYS)
    if found.short_on is None:
        return

    def short_with(amount: int) -> int:
        top_up = Flow(found.short_on or MON, "USD", "bank_account", amount, Why.TOP_UP)
        return lay_out("USD", opening, [*flows, top_up], DAYS).short

    assert short_with(found.short) == 0
    assert short_with(found.short - 1) == 1


def test_days_on_which_nothing_moves_share_a_row() -> None:
    found = lay_out("USD", {"card": 100}, [flow(1, -10), flow(4, 10)], DAYS)
    assert [(DAYS.index(first.day), DAYS.index(last.day)) for first, last in found.rows] == [
        (0, 0),
        (1, 1),
        (2, 3),
        (4, 4),
        (5, 9),
    ]
