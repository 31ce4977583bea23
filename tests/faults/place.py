"""Where one run happens: a database, a Stripe, a site that receives webhooks, and the wires to them."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.db import new_session
from marketplace.embedded import Server
from tests.faults import acts
from tests.faults.nursery import Nursery
from tests.faults.wire import DatabaseWire, StripeWire
from tests.faults.world import World

SECRETS = {"platform": "whsec_faultsplatform", "connect": "whsec_faultsconnect", "thin": "whsec_faultsthin"}


@dataclass
class Place:
    """Where one run happens."""

    server: Server
    nursery: Nursery
    here: World
    database: Server
    folder: Path
    stripe_port: int
    site_port: int
    healthy: bool = True
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
        with suppress(psycopg.OperationalError), admin(self.server) as connection:
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
                with admin(self.server):
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
        if self._site is not None and self.nursery.lives(self._site[0]):
            return self._site[1]
        self.close_site()
        first, second = wires or [self.database_wire({}), self.stripe_wire({})]
        pid = self.nursery.start(
            "site", self.through(first), f"http://127.0.0.1:{second.port}", self.site_port
        )
        first.belongs_to(pid)
        second.belongs_to(pid)
        self._site = pid, [first, second]
        return self._site[1]

    def close_site(self) -> None:
        if self._site is not None:
            self.nursery.kill(self._site[0])
            for wire in self._site[1]:
                wire.close()
        self._site = None

    def start_stripe(self) -> None:
        endpoints = [
            {"url": f"http://127.0.0.1:{self.site_port}/stripe/webhooks/{name}", "secret": secret,
             "connect": name == "connect", "thin": name == "thin"}
            for name, secret in SECRETS.items()
        ]  # fmt: skip
        self._stripe = self.nursery.start("stripe", self.stripe_port, str(self.folder / "stripe"), endpoints)
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
            self.nursery.kill(self._stripe)
        acts.rest()


def _upstream(url: str) -> Path | tuple[str, int]:
    parts = sa.make_url(url)
    port = parts.port or 5432
    folder = parts.query.get("host")
    if isinstance(folder, str) and folder.startswith("/"):
        return Path(folder) / f".s.PGSQL.{port}"
    return parts.host or "127.0.0.1", port


def admin(server: Server) -> psycopg.Connection[Any]:
    """The owner's connection to the server itself, outside of all transactions."""
    url = sa.make_url(server.owner_url).set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True, connect_timeout=5)
