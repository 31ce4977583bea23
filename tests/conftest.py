"""Databases for tests: one server for the whole run, a template with all migrations, clones of it.

`session` is the fast one: everything happens in a transaction that is rolled back. `committed` is a
database of the test's own, for what really commits: workers, deferred constraints, faults.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
# Databases are made and thrown away by the hundred, which takes a disk ten times as long as memory.
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
# Parallel workers inherit the name of the run, and with it the server that they share.
RUN = os.environ.setdefault("PYTEST_MARKETPLACE_RUN", uuid.uuid4().hex[:12])
DATA = Path(tempfile.gettempdir()) / f"marketplace-test-{RUN}"
for _name in [name for name in os.environ if name.startswith("MARKETPLACE_")]:
    if not _name.endswith("DATABASE_URL"):
        del os.environ[_name]
os.environ.update(MARKETPLACE_ENVIRONMENT="test", MARKETPLACE_DATA=str(DATA))

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy.orm import Session

from marketplace import embedded, schema, settings
from marketplace.db import engine
from marketplace.embedded import Server
from marketplace.settings import Settings

TEMPLATE = f"template_{RUN}"
pytest_plugins = ("tests.cast", "tests.chromium")


# By path, where people work as they do on the site itself: only once they could be paid.
PAY_FIRST = ("demo", "stories", "walk")
# By path, the longest first.
LONG = (
    "tests/browser", "tests/faults/test_random_runs", "tests/walk/test_every_look",
    "tests/stories/test_killed", "tests/demo/test_history", "tests/walk", "tests/matching/test_criteria",
    "tests/ground/test_jobs",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests first: whoever is done takes short ones from the end, and nobody waits for another."""
    items.sort(key=lambda item: next((n for n, p in enumerate(LONG) if item.nodeid.startswith(p)), len(LONG)))


def pytest_collection_finish() -> None:
    """What was loaded stays to the end, so nothing looks through it for garbage again and again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """The one who began the run removes its folder."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(DATA, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The database server of this run, with the migrated template in it."""
    running = embedded.ensure(settings.current())
    try:
        with _alone("template"):
            if not _exists(running, TEMPLATE):
                template = embedded.create_database(running, TEMPLATE)
                schema.upgrade(template.owner_url)
        yield running
    finally:
        running.stop()


@contextmanager
def _alone(name: str) -> Iterator[None]:
    with (DATA / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _exists(running: Server, name: str) -> bool:
    with sa.create_engine(running.owner_url, poolclass=sa.NullPool).connect() as connection:
        found = connection.scalar(sa.text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name})
    return found is not None


@contextmanager
def clone(running: Server, name: str) -> Iterator[Server]:
    """A database of its own, with all migrations, dropped at the end."""
    # PostgreSQL copies a template only while nobody else does.
    with _alone("template"):
        made = embedded.create_database(running, name, TEMPLATE)
    try:
        yield made
    finally:
        engine(made.app_url).dispose()
        engine(made.owner_url).dispose()
        embedded.drop_database(running, name)


@pytest.fixture(scope="session")
def database(server: Server) -> Iterator[Server]:
    """This worker's database, which no test leaves anything in."""
    with clone(server, f"test_{RUN}_{os.environ.get('PYTEST_XDIST_WORKER', 'one')}") as made:
        yield made


@pytest.fixture(autouse=True)
def fresh_openings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test has published is not what the next one finds, and nobody waits to find it."""
    from marketplace.matching import openings, rules

    openings.forget()
    rules.forget()
    monkeypatch.setattr(openings, "FRESH_FOR", -1.0)


@pytest.fixture(autouse=True)
def paid_or_not(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests are about something else, and their experts work without an account at Stripe."""
    from marketplace.gigs import payable

    # What registers a check does so now, and not into the list that is undone with the test.
    importlib.import_module("marketplace.payments.setup.payable")
    asks = request.node.get_closest_marker("pay_first") or any(
        request.node.nodeid.startswith(f"tests/{each}") for each in PAY_FIRST
    )
    if not asks:
        monkeypatch.setattr(payable, "checks", [])


@pytest.fixture
def session(database: Server) -> Iterator[Session]:
    """A session whose commits are undone at the end; deferred constraints are checked at once."""
    with engine(database.app_url).connect() as connection:
        outer = connection.begin()
        connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
        # On the site a transaction that idles for a minute is ended; a test may think for longer.
        connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = '15min'"))
        with Session(connection, join_transaction_mode="create_savepoint") as made:
            yield made
        outer.rollback()


@dataclass(frozen=True)
class Committed:
    """A database of a test's own. `session()` really commits; `owner` may do what the application may not."""

    server: Server

    @property
    def url(self) -> str:
        return self.server.app_url

    def session(self) -> Session:
        return Session(engine(self.server.app_url))

    def owner(self) -> Session:
        return Session(engine(self.server.owner_url))


@pytest.fixture
def committed(server: Server) -> Iterator[Committed]:
    """A really committed database, cloned for this test."""
    with clone(server, f"committed_{uuid.uuid4().hex[:12]}") as made:
        yield Committed(made)


@cache
def site(chosen: Settings) -> Flask:
    """The site by these settings. Putting one together takes longer than most pages do."""
    from marketplace.app import create_app

    app = create_app(chosen, new_session=Session, end_session=Session.rollback)
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(DATA))
    return app


def site_on(session: Session, chosen: Settings) -> Flask:
    """The site by these settings, on this session from now on."""
    app = site(chosen)
    app.extensions["new_session"] = lambda: session
    return app


@pytest.fixture
def app(session: Session) -> Flask:
    """The site on the test's own session."""
    return site_on(session, settings.current())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that nobody signed in with."""
    return app.test_client()
