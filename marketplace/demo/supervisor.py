"""`marketplace demo`: database, local Stripe, site, worker and history, started and stopped in order."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from marketplace import embedded, schema, settings
from marketplace.db import engine, new_session
from marketplace.demo.cast import CAST, Player
from marketplace.demo.console import Console
from marketplace.demo.preflight import DemoError, alone, check_disk, check_ports, secrets_of
from marketplace.demo.processes import Child, Family
from marketplace.embedded import Server

READY_SECONDS = 60
SECRETS = {
    "STRIPE_KEY": "sk_test_",
    "STRIPE_PLATFORM_SECRET": "whsec_",
    "STRIPE_CONNECT_SECRET": "whsec_",
    "STRIPE_THIN_SECRET": "whsec_",
}


class Demo:
    """One run of the demo on one data folder."""

    def __init__(self, console: Console, port: int, history: bool) -> None:
        self._console = console
        self._port = port
        self._wants_history = history
        self._family = Family()
        self._data = _settle_environment(port)
        self._server: Server | None = None
        self._site = self._child("site", "marketplace.cli", "serve", "--bind", f"127.0.0.1:{port}")
        self._worker = self._child("worker", "marketplace.cli", "worker")
        self._stripe = self._stripe_child()
        self._history = self._child("history", "marketplace.demo.history", once=True, niceness=5)

    @property
    def address(self) -> str:
        return f"http://localhost:{self._port}"

    def run(self) -> None:
        """Run until told to stop. Raises DemoError, ServerError or SettingsError with a sentence."""
        check_disk(self._data)
        with alone(self._data, self.address):
            check_ports(self._port, self._port + 1)
            started = time.monotonic()
            try:
                self._start()
                self._announce(time.monotonic() - started)
                self._watch()
            finally:
                self._stop()

    def _start(self) -> None:
        self._family.start(self._stripe)
        with self._console.step("Starting PostgreSQL"):
            self._server = embedded.ensure(settings.current())
        for note in self._server.notes:
            self._console.say(f"    {note}")
        with self._console.step("Bringing the database up to date"):
            schema.upgrade(self._server.owner_url, app_password=self._server.app_password)
        with self._console.step("Starting the local Stripe"):
            self._await(self._stripe, self._port + 1)
        self._family.start(self._worker)
        self._family.start(self._site)
        self._bring_in_people(self._server)
        with self._console.step("Starting the site and the worker"):
            self._await(self._site, self._port)
        if self._wants_history and not self._progress().get("finished"):
            self._family.start(self._history)

    def _bring_in_people(self, server: Server) -> None:
        """The cast: quick, and needed before anybody can sign in."""
        with self._console.step("Bringing in the people of the demo"):
            # Imported here, because it brings every slice along and the console should speak first.
            from marketplace.demo.seed import raise_curtain

            with new_session(server.app_url) as session:
                raise_curtain(session, settings.current().operator_name)
            engine(server.app_url).dispose()

    def _await(self, child: Child, port: int) -> None:
        """Wait until `child` answers on `port`. Raises DemoError when it ends or stays silent."""
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(port):
            if not child.running or time.monotonic() > deadline:
                raise DemoError(
                    f"The {child.name} did not start: {child.last_words()}\nAll it said is in {child.log}."
                )
            time.sleep(0.05)

    def _announce(self, seconds: float) -> None:
        say = self._console
        say.heading(f"The marketplace is open, after {seconds:.1f} s.")
        pages = [
            ("The site", self.address),
            ("One hour of work, step by step", f"{self.address}/demo"),
            ("Mails and one-time codes", f"{self.address}/demo/outbox"),
            ("The local Stripe", f"http://127.0.0.1:{self._port + 1}"),
        ]
        say.table(pages)
        say.heading("Sign in as")
        say.table([("Name", "E-mail", "Password", "Role"), *map(_row, CAST)], head=True)
        say.say()
        say.say(f"  Data and logs are in {self._data}. Ctrl-C stops everything and keeps the data.")
        say.say()

    def _watch(self) -> None:
        """Until interrupted: mend what dies, show how the history is coming along."""
        told = not self._history.running
        while True:
            self._family.mend(self._console.warn)
            if not told:
                told = self._show_progress()
            time.sleep(0.25)

    def _show_progress(self) -> bool:
        """Draw how far the history is; whether it is complete."""
        told = self._progress()
        if told.get("finished"):
            self._console.end_progress("The history is complete.")
            return True
        stage = f"Filling in twelve weeks of history: {told.get('stage', 'it begins')}"
        self._console.progress(stage, told.get("done", 0), told.get("total", 0))
        return False

    def _progress(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads((self._data / "progress.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return told

    def _stop(self) -> None:
        _ignore_signals()
        with self._console.step("Stopping"):
            self._family.stop([self._history, self._worker, self._site], 6)
            self._family.stop([self._stripe], 3)
            if self._server is not None:
                self._server.stop()
            self._family.close()

    def _child(self, name: str, module: str, *arguments: str, once: bool = False, niceness: int = 0) -> Child:
        command = [sys.executable, "-m", module, *arguments]
        return Child(name, command, self._data / "logs" / f"{name}.log", once=once, niceness=niceness)

    def _stripe_child(self) -> Child:
        child = self._child(
            "local Stripe",
            "marketplace.demo.stripe_server",
            *("--port", str(self._port + 1)),
            *("--data", str(self._data / "stripe")),
            *("--clock-file", os.environ["MARKETPLACE_CLOCK_FILE"]),
        )
        child.log = self._data / "logs" / "stripe.log"
        child.environment = {
            "STRIPE_LOCAL_KEY": os.environ["MARKETPLACE_STRIPE_KEY"],
            "STRIPE_LOCAL_ENDPOINTS": json.dumps(
                [_endpoint(self._port, kind) for kind in ("platform", "connect", "thin")]
            ),
        }
        return child


def main(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 after Ctrl-C, 1 with a sentence when it cannot run."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    console = Console()
    try:
        Demo(console, arguments.port, history=not arguments.no_history).run()
    except KeyboardInterrupt:
        console.say("  Stopped. The data is kept; make demo continues from here.")
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _settle_environment(port: int) -> Path:
    """Put what every process of the demo must know into the environment; the data folder."""
    os.environ["MARKETPLACE_ENVIRONMENT"] = "demo"
    data = settings.current().data
    settings.current.cache_clear()
    kept = secrets_of(data, SECRETS)
    os.environ.update({f"MARKETPLACE_{name}": kept[name] for name in SECRETS})
    os.environ.update(
        MARKETPLACE_DATA=str(data),
        MARKETPLACE_LEGAL_NAME="Marginalia Demonstration Inc.",
        MARKETPLACE_LEGAL_ADDRESS="1 Example Street|New York, NY 10001|United States",
        # Where the made-up experts live besides those countries to which Stripe pays for all.
        MARKETPLACE_PAYOUT_COUNTRIES="AU,IN",
        MARKETPLACE_TAX_NUMBER="00-0000000",
        MARKETPLACE_TAX_REASON="No tax is charged: services of experts to a business, in a demonstration.",
        MARKETPLACE_CLIENT_BANK="Marginalia Client Money|Example Bank|440600098765|EXAMUS33",
        MARKETPLACE_BASE_URL=f"http://localhost:{port}",
        MARKETPLACE_CLOCK_FILE=str(data / "clock.json"),
        MARKETPLACE_STRIPE_API_BASE=f"http://127.0.0.1:{port + 1}",
        # A proxy that this machine uses for the outside knows nothing of these addresses.
        NO_PROXY=",".join(filter(None, ("localhost,127.0.0.1", os.environ.get("NO_PROXY")))),
    )
    return settings.current().data


def _endpoint(port: int, kind: str) -> dict[str, object]:
    """What the local Stripe must know about one of our webhook addresses."""
    return {
        "url": f"http://127.0.0.1:{port}/stripe/webhooks/{kind}",
        "connect": kind == "connect",
        "thin": kind == "thin",
        "secret": os.environ[f"MARKETPLACE_STRIPE_{kind.upper()}_SECRET"],
        "enabled_events": ["*"],
    }


def _row(player: Player) -> tuple[str, str, str, str]:
    roles = ", ".join(role.value.replace("_", " ") for role in player.roles)
    return player.name, player.email, player.password, roles or "none"


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _ignore_signals() -> None:
    """A second Ctrl-C must not break off the stopping half-way; it takes seconds at most."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
