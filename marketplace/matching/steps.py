"""Rates in steps, each a fifth above the one before, for an index in which whoever asks for more than a gig
pays well is passed over without being looked at."""

from __future__ import annotations

from bisect import bisect_right

# The least of each step, in minor units an hour of any currency; the first and the last have all beyond.
LEAST = (0, *(round(3_000 * 2 ** (step / 4)) for step in range(34)))


def step(rate: int) -> int:
    """The step of a rate in minor units."""
    return bisect_right(LEAST, rate) - 1
