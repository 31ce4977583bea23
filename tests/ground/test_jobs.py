"""Jobs commit with the change that asks for them, run at least once, and outlive a dead worker."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import croniter
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from tests.conftest import Committed

seen: list[str] = []


@jobs.task("test.note")
def note(session: Session, word: str) -> None:
    seen.append(word)


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()


def test_a_job_runs_with_its_arguments(session: Session) -> None:
    jobs.defer(session, "test.note", word="here")
    session.commit()
    assert jobs.run_due(session) == 1
    assert seen == ["here"]


def test_a_job_of_a_change_that_was_undone_never_runs(session: Session) -> None:
    jobs.defer(session, "test.note", word="undone")
    session.rollback()
    assert jobs.run_due(session) == 0


def test_the_same_waiting_job_is_queued_once(session: Session) -> None:
    jobs.defer(session, "test.note", once="one", word="first")
    jobs.defer(session, "test.note", once="one", word="second")
    session.commit()
    jobs.run_due(session)
    assert seen == ["first"]


def test_jobs_of_a_set_back_clock_wait_for_whoever_set_it(session: Session) -> None:
    with clock.at(datetime(2026, 1, 5, tzinfo=UTC)):
        jobs.defer(session, "test.note", word="past")
        session.commit()
    assert jobs.run_due(session) == 0
    with clock.at(datetime(2026, 1, 6, tzinfo=UTC)):
        assert jobs.run_due(session) == 1


def test_nobody_can_queue_a_job_without_a_handler(session: Session) -> None:
    with pytest.raises(ValueError, match="no handler"):
        jobs.defer(session, "test.unknown")


WORKER = """
import pathlib, sys, time
from marketplace import jobs

@jobs.task("test.write")
def write(session, path, hang=False):
    file = pathlib.Path(path)
    if hang and not file.exists():
        file.write_text("started")
        time.sleep(60)
    file.write_text("done")

jobs.STALLED_SECONDS = 1
jobs.run_worker(sys.argv[1])
"""


def test_a_worker_does_the_work_and_another_finishes_what_a_killed_one_left(
    committed: Committed, tmp_path: Path
) -> None:
    @jobs.task("test.write")
    def write(session: Session, path: str, hang: bool = False) -> None:
        raise AssertionError("only the worker's own handler runs")

    file = tmp_path / "out"
    with committed.session() as session:
        jobs.defer(session, "test.write", path=str(file), hang=True)
        session.commit()
    first = start_worker(committed.url)
    until(file.exists)
    first.kill()
    first.wait()
    second = start_worker(committed.url)
    try:
        until(lambda: file.read_text() == "done")
    finally:
        second.terminate()
        assert second.wait(30) == 0
    with committed.session() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")) == 0


def start_worker(url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORKER, url])


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def test_every_schedule_is_one_that_the_job_library_reads() -> None:
    """Its seconds come last and ours first; a line put the wrong way round would run at odd times."""
    from marketplace import tasks

    tasks.register()
    for name, cron in jobs._schedule.items():
        runs = croniter.croniter(cron, datetime(2026, 11, 2, tzinfo=UTC))
        times = [runs.get_next(float) for _ in range(4)]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert min(gaps) >= 10, (name, cron)
        assert max(gaps) <= 24 * 3600, (name, cron)


def test_deadlines_rest_while_a_past_is_written(committed: Committed) -> None:
    with committed.session() as session:
        with jobs.writing_the_past(committed.url):
            assert jobs._past_is_written(session)
        assert not jobs._past_is_written(session)
