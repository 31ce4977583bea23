"""Every rate is in one step, and the steps go up."""

from hypothesis import given
from hypothesis import strategies as st

from marketplace.matching import steps


@given(st.integers(0, 10**9))
def test_a_rate_is_in_the_step_whose_least_it_reaches(rate: int) -> None:
    step = steps.step(rate)
    assert steps.LEAST[step] <= rate
    assert all(rate < least for least in steps.LEAST[step + 1 :])


def test_each_step_begins_above_the_one_before() -> None:
    assert list(steps.LEAST) == sorted(set(steps.LEAST))
