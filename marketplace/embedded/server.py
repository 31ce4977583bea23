"""Attach to the database server, starting the private one when it is not up."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import sqlalchemy as sa
from psycopg import sql

from marketplace.embedded import cluster, keeper, place
from marketplace.embedded.errors import ServerError
from marketplace.embedded.logfile import open_log
from marketplace.embedded.place import Place
from marketplace.embedded.roles import APP_ROLE, OWNER_ROLE, ensure_owner, ensure_roles
from marketplace.settings import Settings, keep_secret

DATABASE = "marketplace"
LOCK_FILE = "postgres.lock"
START_SECONDS = 60
STOP_SECONDS = 15


@dataclass(frozen=True)
class Server:
    """A database server in use. `started` says that this call brought it up; `notes` are for the console."""

    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)
    started: bool = False
    notes: tuple[str, ...] = ()
    _use: int | None = field(default=None, repr=False)
    _keeper: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def stop(self) -> None:
        """Use it no longer. The private server goes down with its last user; its starter waits for that."""
        if self._use is not None:
            with contextlib.suppress(OSError):
                os.close(self._use)
        if self._keeper is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._keeper.wait(STOP_SECONDS)

    @property
    def app_password(self) -> str | None:
        """What the application's role signs in with."""
        return sa.make_url(self.app_url).password

    def database(self, name: str) -> Server:
        """The same server, with another database of it in the addresses."""
        owner, app = (
            sa.make_url(url).set(database=name).render_as_string(hide_password=False)
            for url in (self.owner_url, self.app_url)
        )
        return replace(self, owner_url=owner, app_url=app, started=False, _use=None, _keeper=None)


def ensure(settings: Settings) -> Server:
    """The server that the settings name, or the private one of the data folder, started if need be.

    Safe to call from many processes at once. Raises ServerError with a sentence.
    """
    if settings.database_url:
        return _named(settings, settings.database_url)
    try:
        return _private(settings)
    except OSError as error:
        raise ServerError(
            f"The database cannot be kept in {settings.data}: {error.strerror}. Check the folder, "
            "or set another MARKETPLACE_DATA."
        ) from error


def create_database(server: Server, name: str, template: str | None = None) -> Server:
    """Make a database that the owner owns and only the application may enter besides. For tests."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    database = sql.Identifier(name)
    _administer(
        server,
        statement.format(database, sql.Identifier(template or "template1")),
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(APP_ROLE)),
    )
    return server.database(name)


def drop_database(server: Server, name: str) -> None:
    """Remove a database, whoever is still connected to it. For tests."""
    _administer(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _administer(server: Server, *statements: sql.Composed) -> None:
    conninfo = sa.make_url(server.owner_url).set(drivername="postgresql")
    with psycopg.connect(conninfo.render_as_string(hide_password=False), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _named(settings: Settings, owner_url: str) -> Server:
    """A real server. The application's address is derived when not set, its password kept with the data."""
    owner = sa.make_url(owner_url)
    app = settings.app_database_url
    if app is None:
        password = keep_secret(settings.data / "app_password", place.new_password)
        app = owner.set(username=APP_ROLE, password=password).render_as_string(hide_password=False)
    return Server(owner.render_as_string(hide_password=False), app)


def _private(settings: Settings) -> Server:
    data = settings.data
    with _locked(data / LOCK_FILE):
        use = os.open(data / keeper.USERS_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(use, fcntl.LOCK_SH)
            chosen = place.choose(data)
            up = _answers(chosen)
            process = None if up else _start(chosen, durable=settings.environment != "test")
        except BaseException:
            os.close(use)
            raise
    return replace(_addresses(chosen), started=not up, notes=place.notes(chosen), _use=use, _keeper=process)


def _start(chosen: Place, durable: bool) -> subprocess.Popen[bytes] | None:
    """Start the keeper, unless one is just bringing the server back; wait until the server answers."""
    process = None
    log = chosen.data / "logs" / "postgres.log"
    before = log.stat().st_size if log.exists() else 0
    deadline = time.monotonic() + START_SECONDS
    try:
        while not _answers(chosen):
            if process is None and not _held(chosen.data / keeper.KEEPER_FILE):
                process = _spawn_keeper(chosen, durable, log)
            if time.monotonic() > deadline or (process is not None and process.poll() is not None):
                raise ServerError(
                    f"PostgreSQL did not start: {_last_words(log, before)} All it said is in {log}."
                )
            time.sleep(0.03)
        _furnish(chosen)
    except BaseException:
        if process is not None:
            process.terminate()
            process.wait()
        raise
    return process


def _spawn_keeper(chosen: Place, durable: bool, log: Path) -> subprocess.Popen[bytes]:
    binaries = cluster.prepare(chosen, durable)
    place.remember(chosen)
    cluster.forget_dead(chosen)
    plan = {
        "data": str(chosen.data),
        "command": cluster.command(chosen, binaries, durable),
        "environment": cluster.ENVIRONMENT,
        "rights": chosen.rights(),
        "folder": str(chosen.socket),
    }
    with open_log(log) as output:
        process = subprocess.Popen(
            # A session of its own: Ctrl-C in the terminal is for us, and we end before the server does.
            [sys.executable, "-I", keeper.__file__],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    assert process.stdin is not None
    with process.stdin as stdin:
        stdin.write(json.dumps(plan).encode())
    return process


def _furnish(chosen: Place) -> None:
    """The roles and the database, each start: what was interrupted the first time is finished the next."""
    url = _url(chosen, cluster.ADMIN, chosen.admin_password, "postgres")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        ensure_owner(connection, chosen.owner_password)
        ensure_roles(connection, chosen.app_password)
        query = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
        known = connection.scalar(query, {"name": DATABASE})
    if known is None:
        create_database(_addresses(chosen).database("postgres"), DATABASE)


def _addresses(chosen: Place) -> Server:
    return Server(
        _url(chosen, OWNER_ROLE, chosen.owner_password, DATABASE),
        _url(chosen, APP_ROLE, chosen.app_password, DATABASE),
    )


def _answers(chosen: Place) -> bool:
    """Whether the server is up. Raises ServerError when it refuses our password."""
    try:
        psycopg.connect(
            host=str(chosen.socket),
            user=cluster.ADMIN,
            password=chosen.admin_password,
            dbname="postgres",
            connect_timeout=3,
        ).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise ServerError(
                f"The database in {chosen.cluster} does not accept the password kept in {chosen.data}. "
                f"Put {place.STATE_FILE} back, or start anew in another folder (MARKETPLACE_DATA)."
            ) from None
        return False
    return True


def _url(chosen: Place, user: str, password: str, database: str) -> str:
    url = sa.URL.create(
        "postgresql+psycopg", user, password, database=database, query={"host": str(chosen.socket)}
    )
    return url.render_as_string(hide_password=False)


def _last_words(log: Path, before: int) -> str:
    """What PostgreSQL gave as its reason since the log had `before` bytes, on one line."""
    said = log.read_bytes()
    lines = said[before if len(said) >= before else 0 :].decode(errors="replace").splitlines()
    # "The database system is starting up" was only said to us, who asked too early.
    reasons = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:  the database" not in line]
    return ([*filter(None, reasons)] or lines or ["no reason given"])[-1].rstrip(".") + "."


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone among all processes on this data folder."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
