"""Imports: experts and gigs from a file, beside what the same rows cost when nothing is done with them.

The floor reads the file row by row and copies its texts into a table without indexes.
`BENCH_ROWS` says how many rows (default 50,000; the promise is for 1,000,000).
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from marketplace import bulk, embedded, schema, settings
from marketplace.gigs import importing_experts, importing_gigs
from tests.bench import Row, crowd

ROWS = int(os.environ.get("BENCH_ROWS", "50000"))
GIGS = max(1, ROWS // 2)
AT_ONCE = 2_000


def rows() -> Iterator[Row]:
    server = embedded.ensure(settings.current())
    try:
        schema.upgrade(server.owner_url)
        plain = server.owner_url.replace("postgresql+psycopg", "postgresql")
        with TemporaryDirectory() as folder:
            people, gigs = Path(folder) / "experts.csv", Path(folder) / "gigs.csv"
            _write(people, importing_experts.COLUMNS, crowd.expert_rows(ROWS))
            yield a_thousand("floor: read and copy texts", ROWS, lambda: _floor(plain, people))
            yield from _imported("experts", people, ROWS)
            yield a_thousand("the same again: nothing changes", ROWS, lambda: _run("experts", people))
            _write(gigs, importing_gigs.COLUMNS, crowd.gig_rows(GIGS))
            yield from _imported("gigs", gigs, GIGS)
    finally:
        server.stop()


def _imported(what: str, file: Path, count: int) -> Iterator[Row]:
    used: list[int] = []
    yield a_thousand(f"{what}, a thousand rows", count, lambda: used.append(_run(what, file)))
    yield Row(f"{what}, most memory (MB)", count, used[0] / 1024, used[0] / 1024)


def a_thousand(what: str, count: int, act: Callable[[], Any]) -> Row:
    """Milliseconds for a thousand of `count` rows."""
    started = time.perf_counter()
    act()
    took = (time.perf_counter() - started) * 1_000_000 / count
    return Row(what, count, took, took)


def _run(what: str, file: Path) -> int:
    """Import as an operator does; the most memory that it had, in KB."""
    command = [sys.executable, "-m", "marketplace.cli", "import", what, str(file)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _pid, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"the import of {what} ended with {child.returncode}")
    return used.ru_maxrss


def _floor(url: str, file: Path) -> None:
    with file.open(encoding="utf-8", newline="") as lines, psycopg.connect(url) as connection:
        table = csv.DictReader(lines)
        names = table.fieldnames or ()
        connection.execute(f"CREATE TABLE bench_floor ({', '.join(f'{name} text' for name in names)})")
        while batch := list(islice(table, AT_ONCE)):
            with connection.cursor().copy(bulk.into("bench_floor", names)) as into:
                for text in bulk.lines(batch):
                    into.write(text)
        connection.execute("DROP TABLE bench_floor")


def _write(file: Path, columns: tuple[str, ...], told: Iterator[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as into:
        table = csv.DictWriter(into, columns)
        table.writeheader()
        table.writerows(told)
