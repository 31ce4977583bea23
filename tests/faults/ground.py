"""The ground of the runs: PostgreSQL and the forked processes stay up; each run has a database, a Stripe and
a clock of its own, copied from the world as it was built, so that a seed means the same each time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.orm import Session

from marketplace import clock, embedded, schema, settings, tasks
from marketplace.db import engine, new_session
from marketplace.embedded import Server
from tests.demo.stripe_server.harness import start_stripe
from tests.faults import acts, world
from tests.faults.nursery import Nursery
from tests.faults.wire import DatabaseWire, StripeWire
from tests.faults.world import World
from tests.ports import free_pair

SECRETS = {"platform": "whsec_faultsplatform", "connect": "whsec_faultsconnect", "thin": "whsec_faultsthin"}
TEMPLATE = "faults_template"


@dataclass
class Ground:
    """What is shared by all runs of one driver."""

    folder: Path
    server: Server
    nursery: Nursery
    here: World
    moment: datetime
    experts: int
    runs: int = field(default=0)

    @property
    def log(self) -> Path:
        return self.nursery.log

    def close(self) -> None:
        self.nursery.close()
        self.server.stop()


@dataclass
class Place:
    """Where one run happens."""

    ground: Ground
    database: Server
    folder: Path
    stripe_port: int
    site_port: int
    _stripe: int = 0
    _site: tuple[int, list[Any]] | None = None

    @property
    def stripe_url(self) -> str:
        return f"http://127.0.0.1:{self.stripe_port}"

    @property
    def state(self) -> Path:
        """Stripe's own record: the oracle."""
        return self.folder / "stripe" / "stripe.sqlite3"

    def database_wire(self, strikes: Mapping[int, str]) -> DatabaseWire:
        return DatabaseWire(_upstream(self.database.app_url), strikes, self.crash_database)

    def stripe_wire(self, strikes: Mapping[int, str], *, away: bool = False) -> StripeWire:
        return StripeWire(self.stripe_port, strikes, away=away)

    def through(self, wire: DatabaseWire) -> str:
        """The address of the database through that wire."""
        url = sa.make_url(self.database.app_url).set(host="127.0.0.1", port=wire.port)
        return url.set(query={"sslmode": "disable", "gssencmode": "disable"}).render_as_string(
            hide_password=False
        )

    def session(self) -> Session:
        """A session of the driver's own."""
        os.environ["FAULTS_DATABASE"] = self.database.app_url
        return new_session(acts.URL)

    def crash_database(self) -> None:
        """One of the server's processes dies as by a bad memory chip: PostgreSQL ends all others, recovers
        from its log and comes back. A server that is not ours only loses all connections."""
        name = sa.make_url(self.database.app_url).database
        with suppress(psycopg.OperationalError), _admin(self.ground.server) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", [name]
            ).fetchall()
            if rows and os.environ.get("MARKETPLACE_DATABASE_URL") is None:
                os.kill(rows[0][0], signal.SIGKILL)
            else:
                for (pid,) in rows:
                    connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        self.await_database()

    def await_database(self, patience: float = 30.0) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                with _admin(self.ground.server):
                    return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.03)

    def pass_time(self, by: timedelta) -> None:
        """Move the clock of all processes, and wait until Stripe has done what fell due."""
        clock.advance(by)
        deadline = time.monotonic() + 20
        while self.health()["due"] and time.monotonic() < deadline:
            time.sleep(0.01)

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.stripe_url}/healthz", timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def open_site(self, wires: list[Any] | None = None) -> list[Any]:
        """The site that receives webhooks, up; again if it was killed. Its two wires."""
        if self._site is not None and self.ground.nursery.lives(self._site[0]):
            return self._site[1]
        self.close_site()
        first, second = wires or [self.database_wire({}), self.stripe_wire({})]
        pid = self.ground.nursery.start(
            "site", self.through(first), f"http://127.0.0.1:{second.port}", self.site_port
        )
        first.belongs_to(pid)
        second.belongs_to(pid)
        self._site = pid, [first, second]
        return self._site[1]

    def close_site(self) -> None:
        if self._site is not None:
            self.ground.nursery.kill(self._site[0])
            for wire in self._site[1]:
                wire.close()
        self._site = None

    def start_stripe(self) -> None:
        endpoints = [
            {"url": f"http://127.0.0.1:{self.site_port}/stripe/webhooks/{name}", "secret": secret,
             "connect": name == "connect", "thin": name == "thin"}
            for name, secret in SECRETS.items()
        ]  # fmt: skip
        self._stripe = self.ground.nursery.start(
            "stripe", self.stripe_port, str(self.folder / "stripe"), endpoints
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                self.health()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def close(self) -> None:
        self.close_site()
        if self._stripe:
            self.ground.nursery.kill(self._stripe)
        acts.rest()


@contextmanager
def prepared(folder: Path, *, experts: int = 4, owed: int = 2, mutant: str = "") -> Iterator[Ground]:
    """Servers up and the world built, in a folder that is ours alone."""
    clock_file = folder / "clock.json"
    environment = {
        "MARKETPLACE_CLOCK_FILE": str(clock_file),
        "MARKETPLACE_STRIPE_KEY": "sk_test_local",
        **{f"MARKETPLACE_STRIPE_{name.upper()}_SECRET": secret for name, secret in SECRETS.items()},
    }
    os.environ.update(environment, FAULTS_FOLDER=str(folder), FAULTS_MUTANT=mutant)
    nursery = Nursery(folder / "processes.log")
    server = embedded.ensure(settings.current())
    embedded.drop_database(server, TEMPLATE)
    template = embedded.create_database(server, TEMPLATE)
    schema.upgrade(template.owner_url)
    tasks.register()
    stripe = start_stripe(folder / "template", clock_file)
    os.environ["MARKETPLACE_STRIPE_API_BASE"] = stripe.url
    settings.current.cache_clear()
    with new_session(template.app_url) as session:
        here = world.build(session, stripe, experts, owed)
    stripe.stop()
    _forget_reserved_numbers(template)
    for url in (template.app_url, template.owner_url):
        engine(url).dispose()
    ground = Ground(folder, server, nursery, here, clock.now(), experts)
    nursery.ready()
    try:
        yield ground
    finally:
        ground.close()


@contextmanager
def a_place(ground: Ground) -> Iterator[Place]:
    """A copy of the world to be broken."""
    ground.runs += 1
    name = f"faults_run_{ground.runs}"
    folder = ground.folder / name
    shutil.copytree(ground.folder / "template", folder)
    database = embedded.create_database(ground.server, name, TEMPLATE)
    _durable(ground.server, name)
    stripe_port = free_pair()
    place = Place(ground, database, folder, stripe_port, stripe_port + 1)
    _set_clock(ground.moment)
    try:
        place.start_stripe()
        yield place
    finally:
        place.close()
        place.await_database()
        embedded.drop_database(ground.server, name)
        shutil.rmtree(folder, ignore_errors=True)


def describe(ground: Ground) -> str:
    return json.dumps({**asdict(ground.here), "moment": ground.moment.isoformat()})


def _forget_reserved_numbers(template: Server) -> None:
    """A sequence logs 32 numbers ahead. A copy has them without the log, so that after a crash it would give
    out again what it gave out before; with none ahead the first number of each copy is logged."""
    with new_session(template.owner_url) as session:
        session.execute(sa.text(
            "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, last_value)"
            " FROM pg_sequences WHERE last_value IS NOT NULL AND schemaname = 'public'"
        ))  # fmt: skip
        session.commit()


def _durable(server: Server, name: str) -> None:
    """Servers of tests answer before a commit is written; here it is written, as in production, because the
    server is going to die. (What the machine itself may lose is left out: it does not.)"""
    with _admin(server) as connection:
        statement = sql.SQL("ALTER DATABASE {} SET synchronous_commit = 'on'")
        connection.execute(statement.format(sql.Identifier(name)))


def _set_clock(moment: datetime) -> None:
    """The clock goes back for each run: no process of the last one is left to see it."""
    path = Path(os.environ["MARKETPLACE_CLOCK_FILE"])
    path.write_text(json.dumps({"offset": (moment - datetime.now(UTC)).total_seconds()}))


def _upstream(url: str) -> Path | tuple[str, int]:
    parts = sa.make_url(url)
    port = parts.port or 5432
    folder = parts.query.get("host")
    if isinstance(folder, str) and folder.startswith("/"):
        return Path(folder) / f".s.PGSQL.{port}"
    return parts.host or "127.0.0.1", port


def _admin(server: Server) -> psycopg.Connection[Any]:
    url = sa.make_url(server.owner_url).set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True, connect_timeout=5)
