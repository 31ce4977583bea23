"""Jobs commit with the change that asks for them, run at least once, and outlive a dead worker."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import croniter
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.cli import doctor
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


def test_asking_again_for_a_waiting_job_is_no_error_in_the_database(session: Session) -> None:
    undone: list[str] = []
    jobs.defer(session, "test.note", once="one", word="first")
    sa.event.listen(session.connection(), "rollback_savepoint", lambda *about: undone.append(str(about)))
    jobs.defer(session, "test.note", once="one", word="second")
    assert undone == []


def test_two_who_ask_at_the_same_moment_ask_once(committed: Committed) -> None:
    with committed.session() as session, committed.session() as other:
        jobs.defer(session, "test.note", once="one", word="first")
        asking = Thread(
            target=jobs.defer, args=(other, "test.note"), kwargs={"once": "one", "word": "second"}
        )
        asking.start()
        until(lambda: session.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
        session.commit()
        asking.join(10)
        other.commit()
        jobs.run_due(session)
    assert seen == ["first"]


def test_a_waiting_job_sees_what_the_last_who_asked_for_it_changed(committed: Committed) -> None:
    with committed.session() as session, committed.session() as other:
        jobs.defer(session, "test.note", once="one", word="first")
        session.commit()
        jobs.defer(other, "test.note", once="one", word="second")
        assert jobs.run_due(session) == 0, "the change that asks for it is not committed yet"
        other.commit()
        assert jobs.run_due(session) == 1


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
import os, pathlib, signal, sys, time
from marketplace import jobs, logs

@jobs.task("test.write")
def write(session, path, hang=False):
    file = pathlib.Path(path)
    if hang and not file.exists():
        file.write_text("started")
        time.sleep(60)
    file.write_text("done")

@jobs.task("test.kill")
def kill(session):
    os.kill(os.getpid(), signal.SIGKILL)

@jobs.task("test.ask_and_fail")
def ask_and_fail(session, path):
    file = pathlib.Path(path)
    if not file.exists():
        file.write_text("asked for another")
        jobs.defer(session, "test.ask_and_fail", once="ask", path=path)
        session.commit()
        raise ValueError("the first try")
    file.write_text("done")

@jobs.task("test.tick")
def tick(session):
    pathlib.Path(sys.argv[2]).write_text("ticked")

logs.start("WARNING")
jobs.RETRY.exponential_wait = 1
jobs.STALLED_SECONDS, jobs.PUT_BACK = 1, "* * * * * *"
if sys.argv[2]:
    jobs.periodic("0 0 1 1 *", "test.tick")
jobs.run_worker(sys.argv[1], concurrency=1)
"""
# What a worker runs that the test's own process only asks for.
ELSEWHERE = ("test.write", "test.kill", "test.ask_and_fail")


@pytest.fixture(autouse=True)
def only_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ELSEWHERE:
        monkeypatch.setitem(jobs._handlers, name, lambda _session: pytest.fail("only the worker runs it"))


def test_a_worker_does_the_work_and_another_finishes_what_a_killed_one_left(
    committed: Committed, tmp_path: Path
) -> None:
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
    assert waiting(committed) == []


def test_a_job_that_kills_each_worker_is_given_up_and_named(committed: Committed, tmp_path: Path) -> None:
    """Also when it is asked for once more after the first death: the count goes on.

    The second asking may die on its own before the two are made one; then neither is tried once more.
    """
    ask_to_kill(committed)
    log, deaths = tmp_path / "log", 0
    while not given_up(committed):
        worker = start_worker(committed.url, log=log)
        try:
            until(lambda: worker.poll() is not None or given_up(committed))  # noqa: B023
        finally:
            deaths += worker.poll() == -signal.SIGKILL
            worker.kill()
            worker.wait()
        if deaths == 1:
            ask_to_kill(committed)
    [(name, askings)] = given_up(committed)
    assert name == "test.kill"
    assert askings in (1, 2)
    assert jobs.DEATHS <= deaths <= jobs.DEATHS + 1
    assert "A job was given up: its worker died each time" in log.read_text()
    with committed.session() as session:
        (finding,) = doctor.look_at_jobs(session.connection())
    assert finding.verdict is doctor.Verdict.WRONG
    assert "test.kill was given up" in finding.sentence


def test_a_turn_of_a_schedule_that_failed_is_over() -> None:
    """The next comes by itself, so that it is no job that somebody has to look after."""

    turns = []

    def fail() -> None:
        turns.append("begun")
        raise ValueError("not this time")

    turn = jobs._on_schedule(fail)
    for timestamp in (1, 2):
        turn(timestamp=timestamp)
    assert turns == ["begun", "begun"]


def ask_to_kill(committed: Committed) -> None:
    with committed.session() as session:
        jobs.defer(session, "test.kill", once="kill")
        session.commit()


def test_a_schedule_goes_on_after_its_worker_died_while_the_next_turn_waited(
    committed: Committed, tmp_path: Path
) -> None:
    add = """
        INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, status)
        VALUES ('present', 'test.tick@', 'test.tick@', 'test.tick@', '{"timestamp": 1}', :status)
    """
    with committed.session() as session:
        for status in ("doing", "todo"):
            session.execute(sa.text(add), {"status": status})
        session.commit()
    file = tmp_path / "out"
    worker = start_worker(committed.url, str(file))
    try:
        until(file.exists)
        until(lambda: waiting(committed) == [])
    finally:
        worker.terminate()
        assert worker.wait(30) == 0


def test_a_job_that_fails_while_another_of_its_name_waits_leaves_the_work_to_that_one(
    committed: Committed, tmp_path: Path
) -> None:
    file = tmp_path / "out"
    with committed.session() as session:
        jobs.defer(session, "test.ask_and_fail", once="ask", path=str(file))
        session.commit()
    worker = start_worker(committed.url)
    try:
        until(lambda: file.exists() and file.read_text() == "done")
        until(lambda: waiting(committed) == [])
    finally:
        worker.terminate()
        assert worker.wait(30) == 0


def start_worker(url: str, tick: str = "", log: Path = Path(os.devnull)) -> subprocess.Popen[bytes]:
    with log.open("ab") as said:
        return subprocess.Popen([sys.executable, "-c", WORKER, url, tick], stderr=said)


def waiting(committed: Committed) -> Sequence[str]:
    """What waits or runs, besides the putting back."""
    query = """
        SELECT task_name FROM procrastinate_jobs
        WHERE status IN ('todo', 'doing') AND task_name <> 'jobs.put_back'
    """
    with committed.session() as session:
        return session.scalars(sa.text(query)).all()


def given_up(committed: Committed) -> list[tuple[str, int]]:
    with committed.session() as session:
        lost = jobs.given_up(session.connection(), since=timedelta(days=7))
    return [(each.name, each.count) for each in lost]


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
