"""What earlier runs took, kept beside the code: a slower one is seen, and by how much.

Days and machines differ, so a row is compared with the floor of its own run, and with earlier runs only by
what that ratio became.
"""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import Row

FILE = Path(__file__).with_name("history.csv")
COLUMNS = ("day", "commit", "sizes", "topic", "what", "runs", "median_ms", "p99_ms")
SIZES = (
    "BENCH_EXPERTS", "BENCH_GIGS", "BENCH_ROWS", "BENCH_ENTRIES", "BENCH_POSTINGS", "BENCH_LINES",
    "BENCH_PEOPLE", "BENCH_SENT", "BENCH_LIMITED",
)  # fmt: skip


def before() -> dict[tuple[str, str, str], dict[str, str]]:
    """The last time that each row was recorded at these sizes, by sizes, topic and name."""
    return {(row["sizes"], row["topic"], row["what"]): row for row in _rows()}


def sizes() -> str:
    """How much this run looks at, where it is not the default."""
    return " ".join(
        f"{name.removeprefix('BENCH_').lower()}={os.environ[name]}" for name in SIZES if name in os.environ
    )


def record(topic: str, row: Row) -> None:
    """Keep a row of this run, when `BENCH_RECORD` asks for it."""
    if not os.environ.get("BENCH_RECORD"):
        return
    new = not FILE.exists()
    with FILE.open("a", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        if new:
            table.writerow(COLUMNS)
        p99 = "" if row.p99 is None else f"{row.p99:.1f}"
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        table.writerow([day, _commit(), sizes(), topic, row.what, row.runs, f"{row.median:.1f}", p99])


def _rows() -> Iterator[dict[str, str]]:
    if FILE.exists():
        with FILE.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()
