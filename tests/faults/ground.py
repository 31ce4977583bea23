"""The ground of the runs: PostgreSQL and the forked processes stay up; each run has a database, a Stripe and
a clock of its own, copied from the world as it was built, so that a seed means the same each time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from psycopg import sql

from marketplace import clock, embedded, schema, settings, tasks
from marketplace.db import engine, new_session
from marketplace.embedded import Server
from tests.demo.stripe_server.harness import start_stripe
from tests.faults import world
from tests.faults.nursery import Nursery
from tests.faults.place import SECRETS, Place, admin
from tests.faults.world import World
from tests.ports import free_pair


@dataclass
class Ground:
    """What is shared by all runs of one driver."""

    folder: Path
    server: Server
    nursery: Nursery
    here: World
    moment: datetime
    mutant: str = ""
    runs: int = field(default=0)

    @property
    def log(self) -> Path:
        return self.nursery.log

    @property
    def template(self) -> str:
        return _template(self.folder)

    def breed(self, mutant: str) -> None:
        """From now on all processes are forked from a product that is broken so; see mutants.py."""
        self.nursery.close()
        os.environ["FAULTS_MUTANT"] = self.mutant = mutant
        self.nursery = Nursery(self.log)
        self.nursery.ready()

    def close(self) -> None:
        self.nursery.close()
        embedded.drop_database(self.server, self.template)
        self.server.stop()


@contextmanager
def prepared(folder: Path) -> Iterator[Ground]:
    """Servers up and the world built, in a folder that is ours alone."""
    clock_file = folder / "clock.json"
    environment = {
        "MARKETPLACE_CLOCK_FILE": str(clock_file),
        "MARKETPLACE_STRIPE_KEY": "sk_test_local",
        **{f"MARKETPLACE_STRIPE_{name.upper()}_SECRET": secret for name, secret in SECRETS.items()},
    }
    os.environ.update(environment, FAULTS_FOLDER=str(folder), FAULTS_MUTANT="")
    nursery = Nursery(folder / "processes.log")
    server = embedded.ensure(settings.current())
    template = embedded.create_database(server, _template(folder))
    schema.upgrade(template.owner_url)
    tasks.register()
    stripe = start_stripe(folder / "template", clock_file)
    os.environ["MARKETPLACE_STRIPE_API_BASE"] = stripe.url
    settings.current.cache_clear()
    with new_session(template.app_url) as session:
        here = world.build(session, stripe)
    stripe.stop()
    _forget_reserved_numbers(template)
    for url in (template.app_url, template.owner_url):
        engine(url).dispose()
    ground = Ground(folder, server, nursery, here, clock.now())
    nursery.ready()
    try:
        yield ground
    finally:
        ground.close()


@contextmanager
def a_place(ground: Ground) -> Iterator[Place]:
    """A copy of the world to be broken."""
    ground.runs += 1
    name = f"{ground.template}_{ground.runs}"
    folder = ground.folder / name
    shutil.copytree(ground.folder / "template", folder)
    database = embedded.create_database(ground.server, name, ground.template)
    _durable(ground.server, name)
    stripe_port = free_pair()
    place = Place(
        ground.server, ground.nursery, ground.here, database, folder, stripe_port, stripe_port + 1,
        healthy=not ground.mutant,
    )  # fmt: skip
    _set_clock(ground.moment)
    try:
        place.start_stripe()
        yield place
    finally:
        place.close()
        place.await_database()
        embedded.drop_database(ground.server, name)
        shutil.rmtree(folder, ignore_errors=True)


def _template(folder: Path) -> str:
    """Of a name that no other driver on the same server has."""
    return f"faults_{folder.name[-8:]}"


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
    with admin(server) as connection:
        statement = sql.SQL("ALTER DATABASE {} SET synchronous_commit = 'on'")
        connection.execute(statement.format(sql.Identifier(name)))


def _set_clock(moment: datetime) -> None:
    """The clock goes back for each run: no process of the last one is left to see it."""
    path = Path(os.environ["MARKETPLACE_CLOCK_FILE"])
    path.write_text(json.dumps({"offset": (moment - datetime.now(UTC)).total_seconds()}))
