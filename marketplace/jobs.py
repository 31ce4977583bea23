"""Background jobs on the same PostgreSQL, so that a job and the change that asks for it commit together.

A handler is registered with `@task("slice.verb")` and called as `handler(session, **arguments)` by the
worker, on the application's role. Every job may run twice, or late: handlers look at the state again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import AlreadyEnqueued, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import QUEUEING_LOCK_CONSTRAINT, JobManager
from sqlalchemy.orm import Session

from marketplace import clock, logs
from marketplace.db import engine

P = ParamSpec("P")
R = TypeVar("R")
Handler = Callable[..., Any]

# Jobs asked for while the clock is set back belong to the one who set it, not to the worker.
PRESENT, PAST = "present", "past"
PAST_LOCK = 0x70617374
STALLED_SECONDS = 30
PUT_BACK = "* * * * * */10"
# A job that was running each time when this many workers died is likely what kills them.
DEATHS = 3
# Takes those that wait, and looks at those that another worker had when it died, or has now.
TAKE_TWINS = """
    WITH waiting AS (
        DELETE FROM procrastinate_jobs
        WHERE queueing_lock = %(name)s AND queue_name = %(queue)s AND status = 'todo' RETURNING priority
    )
    SELECT priority FROM waiting UNION ALL SELECT priority FROM procrastinate_jobs
    WHERE queueing_lock = %(name)s AND queue_name = %(queue)s AND status = 'doing'
"""
RETRY = RetryStrategy(max_attempts=10, exponential_wait=3)

log = logging.getLogger(__name__)
_handlers: dict[str, Handler] = {}
_schedule: dict[str, str] = {}
_by_the_clock: set[str] = set()
# Called with the session before each job.
before_each: list[Callable[[Session], object]] = []
# Only builds the SQL of a new job; each job goes in on its session's own connection.
_writer = App(connector=PsycopgConnector())


def task(name: str) -> Callable[[Callable[Concatenate[Session, P], R]], Callable[Concatenate[Session, P], R]]:
    """Register the function as the handler of jobs called `name`."""

    def register(handler: Callable[Concatenate[Session, P], R]) -> Callable[Concatenate[Session, P], R]:
        if name in _handlers:
            raise ValueError(f"two handlers for {name}")
        _handlers[name] = handler
        return handler

    return register


def periodic(cron: str, name: str, *, by_the_clock: bool = False) -> None:
    """Queue the job `name` by a cron line; of six fields the first counts seconds.

    `by_the_clock` marks what acts on deadlines that have passed: it rests while a past is being written.
    """
    if by_the_clock:
        _by_the_clock.add(name)
    *seconds, minutes, hours, days, months, weekdays = cron.split()
    # The library wants the seconds last.
    _schedule[name] = " ".join([minutes, hours, days, months, weekdays, *seconds])


def defer(
    session: Session, name: str, *, once: str | None = None, lock: str | None = None, **arguments: Any
) -> None:
    """Queue a job in the session's transaction. JSON arguments only.

    `once` names the job: while one of that name is waiting, a second is not added, and the first runs after
    this transaction has ended. Jobs with the same `lock` never run at the same time.
    """
    if name not in _handlers:
        raise ValueError(f"no handler for {name}")
    session.flush()
    connection = session.connection()
    if once is not None and _waits(connection, once):
        return
    job = _writer.configure_task(
        name,
        allow_unknown=True,
        queue=PAST if clock.overridden() else PRESENT,
        queueing_lock=once,
        lock=lock,
        connection=connection.connection.driver_connection,
    )
    # The constraint has the last word: of two who look at the same moment both find nothing.
    with suppress(AlreadyEnqueued), connection.begin_nested():
        job.defer(**arguments)


def _waits(connection: sa.Connection, once: str) -> bool:
    """Does a job of that name wait? Held from the workers, which would not see what is not committed yet."""
    query = "SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = :once AND status = 'todo' FOR SHARE"
    return connection.scalar(sa.text(query), {"once": once}) is not None


def wake(session: Session) -> None:
    """Queue every periodic job now, once: for when the clock was moved."""
    for name in _schedule:
        defer(session, name, once=f"{name} woken")


def one_by_one(session: Session, work: Callable[[Session, int], object], ids: Iterable[int]) -> int:
    """Run the use case `work` for each id; for how many it did something.

    One that fails is logged and met again by the next run: it keeps none of the others from their turn.
    """
    done = 0
    for each in ids:
        try:
            done += bool(work(session, each))
        except Exception:
            session.rollback()
            log.exception("One of many could not be done", extra={"work": work.__qualname__, "id": each})
    return done


def run_due(session: Session, *, limit: int = 100_000) -> int:
    """Run what is waiting, here and now, in order; how many jobs ran.

    Takes the jobs of the set-back clock when the clock is set back. For the demo's history and for tests.
    """
    ran = 0
    while ran < limit and (job := _take(session)):
        _run(session, job.task_name, job.args)
        ran += 1
    return ran


@dataclass(frozen=True)
class GivenUp:
    """Jobs of one kind that failed for good: each try of theirs raised an error, or killed its worker."""

    name: str
    count: int
    last: datetime


def given_up(connection: sa.Connection, since: timedelta) -> list[GivenUp]:
    """What was given up within that time before now, by the database's clock."""
    query = """
        SELECT job.task_name AS name, count(*) AS count, max(event.at) AS last
        FROM procrastinate_jobs AS job JOIN procrastinate_events AS event ON event.job_id = job.id
        WHERE job.status = 'failed' AND event.type = 'failed' AND event.at > now() - :since
        GROUP BY job.task_name ORDER BY job.task_name
    """
    return [GivenUp(*row) for row in connection.execute(sa.text(query), {"since": since})]


def run_worker(url: str, *, concurrency: int = 2) -> None:
    """Work until told to stop by SIGTERM or SIGINT; jobs that are running are finished first."""
    asyncio.run(_work(url, concurrency))


@contextmanager
def writing_the_past(url: str) -> Iterator[None]:
    """Keep the worker from what deadlines ask for, while somebody plays months that have long passed.

    Otherwise it would close in the present the weeks that are about to be worked in the past.
    """
    with engine(url).connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(PAST_LOCK)))
        connection.commit()
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(PAST_LOCK)))
            connection.commit()


def _past_is_written(session: Session) -> bool:
    free = session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock_shared(PAST_LOCK)))
    session.rollback()
    return not free


def _take(session: Session) -> sa.Row[Any] | None:
    """Claim the next waiting job by removing it: its handler is at hand, and sweeps find what it leaves."""
    session.rollback()
    with session.begin():
        return session.execute(
            sa.text("""
                DELETE FROM procrastinate_jobs WHERE id = (
                    SELECT id FROM procrastinate_jobs
                    WHERE status = 'todo' AND queue_name = :queue ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
                ) RETURNING task_name, args
            """),
            {"queue": PAST if clock.overridden() else PRESENT},
        ).first()


async def _work(url: str, concurrency: int) -> None:
    app = _worker_app(url)
    async with app.open_async():
        await app.run_worker_async(
            queues=[PRESENT],
            concurrency=concurrency,
            fetch_job_polling_interval=1.0,
            delete_jobs="successful",
            shutdown_graceful_timeout=20,
            stalled_worker_timeout=STALLED_SECONDS,
            update_heartbeat_interval=STALLED_SECONDS / 3,
        )


def _worker_app(url: str) -> App:
    dsn = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    app = _App(connector=PsycopgConnector(conninfo=dsn, max_size=4))
    for name in _handlers:
        registered = app.task(name=name, retry=RETRY)(_in_session(name, url))
        if name in _schedule:
            app.periodic(cron=_schedule[name])(
                app.task(name=f"{name}@", queue=PRESENT, queueing_lock=f"{name}@", lock=f"{name}@")(
                    _on_schedule(registered.func)
                )
            )
    _put_back_stalled(app)
    return app


def _run(session: Session, name: str, arguments: dict[str, Any]) -> None:
    for prepare in before_each:
        prepare(session)
    session.rollback()
    _handlers[name](session, **arguments)


def _in_session(name: str, url: str) -> Handler:
    def run(**arguments: Any) -> None:
        with logs.about(), Session(engine(url)) as session:
            if name in _by_the_clock and _past_is_written(session):
                return
            try:
                _run(session, name, arguments)
            except Exception:
                log.exception("A job failed", extra={"job": name})
                raise

    return run


def _on_schedule(run: Handler) -> Handler:
    def tick(timestamp: int) -> None:
        # It was logged, and the next one comes by itself.
        with suppress(Exception):
            run()

    return tick


class _Manager(JobManager):
    """Tries a job again, unless one of the same name waits already: that one does its work."""

    async def retry_job(self, job: Job, *args: Any, **kwargs: Any) -> None:
        try:
            await super().retry_job(job, *args, **kwargs)
        except UniqueViolation as error:
            if error.constraint_name != QUEUEING_LOCK_CONSTRAINT:
                raise
            await self.finish_job(job, Status.SUCCEEDED, delete_job=True)


class _App(App):
    def __init__(self, *, connector: BaseConnector) -> None:
        super().__init__(connector=connector)
        self.job_manager = _Manager(connector)


def _put_back_stalled(app: App) -> None:
    """A job whose worker died goes back into the queue; its handler looks at the state again."""

    @app.periodic(cron=PUT_BACK)
    @app.task(name="jobs.put_back", queue=PRESENT, queueing_lock="jobs.put_back")
    async def put_back(timestamp: int) -> None:
        stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS)
        for nth, job in enumerate(stalled):
            try:
                await _put_back(app, job, after=timedelta(seconds=nth * STALLED_SECONDS / 3))
            except Exception:
                log.exception("A job could not be put back", extra={"job": job.task_name, "id": job.id})


async def _put_back(app: App, job: Job, after: timedelta) -> None:
    """Try the job again, or give it up: it may be what killed its worker, each time.

    Its priority counts the workers that died with it, so that it also comes after all others. What died
    together does not start together, so that the next time it hits only the one to blame.
    """
    twins = await app.connector.execute_query_all_async(TAKE_TWINS, name=job.queueing_lock, queue=job.queue)
    # Whoever asked again meanwhile is served by this one, which goes on counting, their deaths too.
    deaths = 1 - min([job.priority, *(twin["priority"] for twin in twins)])
    about = {"job": job.task_name, "id": job.id, "deaths": deaths}
    if deaths >= DEATHS:
        log.error("A job was given up: its worker died each time", extra=about)
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=False)
        return
    log.warning("A job is put back: its worker died", extra=about)
    await app.job_manager.retry_job(job, retry_at=datetime.now(UTC) + after, priority=-deaths)
