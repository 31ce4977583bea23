"""`make bench`: what takes how long. Each `bench_<topic>.py` has `rows()`, which yields `Row`s."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured thing; times in milliseconds, the best and the median of `runs`."""

    what: str
    runs: int
    best: float
    median: float
