"""Matching at scale: the best of many experts, the best of many gigs, beside what it could at best cost.

The floor is one SQL statement with the same criteria and the same score over the same tables, ids only; its
peer is NumPy over arrays in memory.
`BENCH_EXPERTS` says how many experts at most (default 100,000; the promise is for 1,000,000).
"""

from __future__ import annotations

import gc
import os
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Event, Thread

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, embedded, schema, settings
from marketplace.db import new_session
from marketplace.gigs.finding import alerts
from marketplace.matching import candidates, counting, ranking, scoring
from marketplace.matching.counting import Sought
from tests.bench import Row, crowd
from tests.bench.arrays import Arrays

EXPERTS = int(os.environ.get("BENCH_EXPERTS", "100000"))
GIGS = min(EXPERTS, 100_000)
ASKED, WARM = 200, 200


def rows() -> Iterator[Row]:
    server = embedded.ensure(settings.current())
    try:
        schema.upgrade(server.owner_url)
        plain = server.owner_url.replace("postgresql+psycopg", "postgresql")
        yield once(f"write {EXPERTS:,} experts, {GIGS:,} gigs", lambda: crowd.fill(plain, EXPERTS, GIGS))
        with new_session(server.app_url) as session, clock.at(clock.midnight(crowd.DAY, "UTC")):
            arrays = Arrays(plain, crowd.NUMBERS)
            # As `marketplace serve` does.
            gc.collect()
            gc.freeze()
            yield from _measured(session, arrays)
    finally:
        server.stop()


def _measured(session: Session, arrays: Arrays) -> Iterator[Row]:
    dice = Random(3)
    asked = dice.sample(range(1, GIGS + 1), WARM + ASKED)
    people = dice.sample(range(1, EXPERTS + 1), WARM + ASKED)
    yield each("floor: 50 experts, one statement, ids only", asked, lambda gig: _floor(session, gig))
    yield each("NumPy over arrays in memory, ids only", asked, lambda gig: _brute_force(session, arrays, gig))
    yield each("50 experts for a gig, explained", asked, lambda gig: ranking.best_experts(session, gig))
    yield each("experts counted for a gig, with all gains", asked, lambda gig: _count(session, gig))
    yield each("50 gigs for an expert, explained", people, lambda who: ranking.best_gigs(session, who))
    with most_memory(session) as used:
        yield each("one gig told to all whom it suits", asked, lambda gig: alerts.announce(session, gig))
    yield Row("the same, most memory (MB)", ASKED, used[0], used[0])
    yield _spread(session)


FLOOR = """
    SELECT person_id FROM ({scored}) AS each GROUP BY person_id
    ORDER BY max(score) DESC, {lot}, person_id LIMIT 50
"""


def _floor(session: Session, gig_id: int) -> object:
    """The same predicate and score with nothing left out beforehand."""
    gig = ranking.gigs(session, [gig_id])[gig_id]
    scored, values = candidates.scored(session, gig, crowd.DAY)
    lot = candidates.LOT.format(one="person_id", other="CAST(:gig AS bigint)")
    query = FLOOR.format(scored=scored, lot=lot)
    return scoring.run(session, query, values | {"gig": gig_id}).scalars().all()


def _count(session: Session, gig_id: int) -> object:
    """What a client sees beside the form."""
    return counting.count(session, Sought.of(ranking.gigs(session, [gig_id])[gig_id], crowd.DAY))


def _brute_force(session: Session, arrays: Arrays, gig_id: int) -> object:
    return arrays.best(ranking.gigs(session, [gig_id])[gig_id], 50)


def _spread(session: Session) -> Row:
    """What comes afterwards, aside: everybody gets a row."""
    started = time.perf_counter()
    rows = max(alerts.spread(session), 1)
    took = (time.perf_counter() - started) * 1_000_000 / rows
    return Row("a thousand of them given a row each", rows, took, took)


@contextmanager
def most_memory(session: Session) -> Iterator[list[float]]:
    """The most private memory, in MB, that this process and the database's process for it had together,
    beyond what they had at the beginning."""
    backend = session.scalar(sa.text("SELECT pg_backend_pid()"))
    session.rollback()
    files = [Path(f"/proc/{pid}/status") for pid in ("self", backend)]
    began, used, over = sum(map(_private, files)), [0.0], Event()

    def watch() -> None:
        while not over.wait(0.005):
            used[0] = max(used[0], (sum(map(_private, files)) - began) / 1024)

    watching = Thread(target=watch)
    watching.start()
    try:
        yield used
    finally:
        over.set()
        watching.join()


def _private(status: Path) -> int:
    """KB that a process shares with nobody."""
    found = re.search(r"RssAnon:\s+(\d+)", status.read_text())
    return int(found.group(1)) if found else 0


def each(what: str, ids: Sequence[int], act: Callable[[int], object]) -> Row:
    warm, asked = ids[:WARM], ids[WARM:]
    for id_ in warm:
        act(id_)
    times = []
    for id_ in asked:
        started = time.perf_counter()
        act(id_)
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return Row(what, len(asked), times[0], statistics.median(times), times[int(len(times) * 0.99)])


def once(what: str, act: Callable[[], object]) -> Row:
    started = time.perf_counter()
    act()
    took = (time.perf_counter() - started) * 1000
    return Row(what, 1, took, took)
