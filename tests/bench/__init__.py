"""`make bench`: what takes how long. Each `bench_<topic>.py` has `rows()`, which yields `Row`s."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured thing; times in milliseconds: the best and the median of `runs`, and the one that 99 in a
    hundred stay below, where there are enough."""

    what: str
    runs: int
    best: float
    median: float
    p99: float | None = None
