"""What the processes of a run do: people's clicks, the worker's work, the site that receives webhooks.

Each finds what it acts on by itself, as a person looking at a page would, so that an act may be done again
after a death, twice at once, or when there is nothing left to do.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.orm import Session, configure_mappers
from werkzeug.serving import WSGIRequestHandler, make_server

from marketplace import clock, jobs, settings, tasks
from marketplace.accounts.grants import actor_for
from marketplace.actor import Actor
from marketplace.app import create_app
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.models import Timesheet
from marketplace.contracts.states import TimesheetState
from marketplace.db import engine, new_session
from marketplace.demo.stripe_server import __main__ as stripe_server
from marketplace.errors import DomainError
from marketplace.payments import batches, fundings, gateway
from marketplace.payments.models import Funding, PayoutBatch
from marketplace.payments.states import BatchState, FundingState, Rail
from tests.faults import mutants

SITE = "http://localhost:8000"
REFUSED, LOST, BROKEN = 3, 4, 5
# What may come of a fault, in any process: the site says it in words, the worker tries again.
EXPECTED = (DomainError, psycopg.OperationalError, PendingRollbackError)
SURPRISES = "surprises.jsonl"
SUMS = (1_000_00, 2_500_00, 777_77)

# One engine, so that a fork inherits what its parent has compiled; where it connects to is said at its birth.
URL = "postgresql+psycopg://faults@127.0.0.1/faults"

tasks.register()
# Walking the tree of time zones takes longer than most acts do.
settings.available_timezones = cache(settings.available_timezones)
configure_mappers()
# Put together once: a fork of it costs nothing.
_app = create_app(settings.current(), new_session=lambda: new_session(URL))


@sa.event.listens_for(engine(URL), "do_connect")
def _where(dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]) -> None:
    url = sa.make_url(os.environ["FAULTS_DATABASE"])
    parameters.update(dialect.create_connect_args(url)[1])


def click(url: str, stripe: str, act: str, *arguments: Any, patience: int = 20) -> int:
    """One act of one person; how it ended for them."""
    _live_in(url, stripe, patience)
    try:
        with new_session(URL) as session:
            CLICKS[act](session, *arguments)
    except DomainError as error:
        print(f"{act}: {type(error).__name__}: {error.sentence}", file=sys.stderr)
        return REFUSED
    except Exception as error:
        return LOST if _expected(error) else _surprised(act, error)
    return 0


def work(url: str, stripe: str, names: list[str], patience: int = 20) -> int:
    """A worker's round: these periodic jobs are due, and what waits is done. It lives until nothing waits."""
    _live_in(url, stripe, patience)
    try:
        with new_session(URL) as session:
            for name in names:
                jobs.defer(session, name, once=f"{name} woken")
            session.commit()
            while _one_job(session):
                pass
    except Exception as error:
        return LOST if _expected(error) else _surprised("worker", error)
    return 0


def site(url: str, stripe: str, port: int) -> int:
    """The site, until it is killed: it receives what Stripe tells it."""
    _live_in(url, stripe, 20)
    make_server("127.0.0.1", port, _app, threaded=True, request_handler=_Quiet).serve_forever()
    return 0


def stripe(port: int, folder: str, endpoints: list[dict[str, Any]]) -> int:
    """The local Stripe server, until it is killed."""
    os.environ.update(STRIPE_LOCAL_KEY="sk_test_local", STRIPE_LOCAL_ENDPOINTS=json.dumps(endpoints))
    sys.argv = ["stripe", "--port", str(port), "--data", folder]
    return stripe_server.main()


def rest() -> None:
    """Let go of all connections: what is forked from here has none."""
    engine(URL).dispose()
    gateway.connect.cache_clear()
    settings.current.cache_clear()


def open_checkout(session: Session, carla: int, project: str, amount: int) -> None:
    """Carla asks to pay, and is led to Stripe's page."""
    actor, door = _actor(session, carla), gateway.connect(settings.current())
    lot = fundings.prepare_funding(session, actor, UUID(project), amount, Rail.CARD)
    fundings.open_checkout(session, door, actor, lot.public_id, return_url=SITE, cancel_url=SITE)


def come_back(session: Session) -> None:
    """The browser comes back from Stripe's page."""
    door = gateway.connect(settings.current())
    for found in _open_sessions(session):
        fundings.settle_funding(session, door, found)


def approve(session: Session, dev: int, which: int) -> None:
    """Dev approves one of the sheets that wait for him."""
    waiting = session.scalars(
        sa.select(Timesheet).filter_by(state=TimesheetState.SUBMITTED).order_by(Timesheet.id)
    ).all()
    if waiting:
        sheet = waiting[which % len(waiting)]
        approve_timesheet(session, _actor(session, dev), sheet.public_id, sheet.version)


def prepare(session: Session, fin: int) -> None:
    """Fin gathers what is owed."""
    batches.prepare_batch(session, _actor(session, fin), clock.now())


def release(session: Session, gil: int) -> None:
    """Gil releases what was prepared, one after another."""
    query = sa.select(PayoutBatch.public_id).filter_by(state=BatchState.PREPARED).order_by(PayoutBatch.id)
    for batch in session.scalars(query).all():
        batches.release_batch(session, _actor(session, gil), batch)


def cancel(session: Session, gil: int) -> None:
    """Gil drops what was prepared and nobody released."""
    query = sa.select(PayoutBatch.public_id).filter_by(state=BatchState.PREPARED)
    for batch in session.scalars(query).all():
        batches.cancel_batch(session, _actor(session, gil), batch)


CLICKS: dict[str, Callable[..., None]] = {
    act.__name__: act for act in (open_checkout, come_back, approve, prepare, release, cancel)
}
PROCESSES: dict[str, Callable[..., int]] = {act.__name__: act for act in (click, work, site, stripe)}


class _Quiet(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:
        """Requests are not logged."""


class _Watch(logging.Handler):
    """Writes down errors that no fault explains; a round over many logs them and goes on."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not _expected(error):
            _surprised(record.name, error)


def _live_in(url: str, stripe: str, patience: int) -> None:
    """This process's surroundings: its own wires to the database and to Stripe."""
    os.environ.update(MARKETPLACE_STRIPE_API_BASE=stripe, FAULTS_DATABASE=url)
    settings.current.cache_clear()
    gateway.TIMEOUT_SECONDS = patience
    if not any(isinstance(each, _Watch) for each in logging.getLogger().handlers):
        logging.getLogger().addHandler(_Watch())
        mutants.install(os.environ["FAULTS_MUTANT"])


def _one_job(session: Session) -> bool:
    try:
        return jobs.run_due(session, limit=1) > 0
    except Exception as error:
        # As in production: it is logged, the worker goes on, and the next round does what was left.
        session.rollback()
        if not _expected(error):
            _surprised("job", error)
        if not _away(error):
            return True
        raise


def _away(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _expected(error: BaseException) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, EXPECTED)


def _surprised(where: str, error: BaseException) -> int:
    frames = [
        each for each in traceback.extract_tb(error.__traceback__) if "site-packages" not in each.filename
    ]
    told = {
        "where": where,
        "error": f"{type(error).__name__}: {str(error)[:200]}",
        "trace": " < ".join(f"{each.name}:{each.lineno}" for each in reversed(frames[-8:])),
    }
    with open(os.path.join(os.environ["FAULTS_FOLDER"], SURPRISES), "a") as file:
        file.write(json.dumps(told) + "\n")
    return BROKEN


def _actor(session: Session, person: int) -> Actor:
    return actor_for(session, person, second_factor_at=clock.now())


def _open_sessions(session: Session) -> list[str]:
    open_ones = (FundingState.OPEN, FundingState.PROCESSING)
    query = sa.select(Funding.session_id).where(Funding.state.in_(open_ones))
    found = [each for each in session.scalars(query.order_by(Funding.id)) if each]
    session.rollback()
    return found
