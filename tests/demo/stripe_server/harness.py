"""Starts the real Local Stripe as a process of its own, for any test that needs one."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import stripe

from marketplace import settings
from marketplace.demo.stripe_server import hands
from marketplace.demo.stripe_server.store import PLATFORM

KEY = "sk_test_local"
PATIENCE = 20.0  # seconds until a wait is given up

__all__ = ["KEY", "PLATFORM", "Handle", "client_for", "start_stripe", "stripe_of_the_settings", "until"]


@dataclass
class Handle:
    """A running Local Stripe: where it is, and how to end it or bring it back."""

    url: str
    port: int
    data: Path
    clock_file: Path
    endpoints: Sequence[dict[str, Any]]
    process: subprocess.Popen[str] = field(repr=False)

    def stop(self) -> int:
        """End it as an operator would (SIGTERM); answers its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it as a crash would (SIGKILL)."""
        return self._end(signal.SIGKILL)

    def start_again(self) -> Handle:
        """The same data on the same port, after `stop` or `kill`."""
        self.process = _spawn(self.port, self.data, self.clock_file, self.endpoints)[0]
        return self

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask for a page."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path)
        answer = connection.getresponse()
        try:
            return answer.status, answer.read()
        finally:
            connection.close()

    def post(self, path: str, body: str, headers: dict[str, str]) -> int:
        """Send a form as something other than the hands would; the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, body, {**form, **headers})
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    def settle(self) -> None:
        """Wait until everything due by the shared clock is done."""
        hands.rest(self.url, PATIENCE)

    def client(self, **options: Any) -> stripe.StripeClient:
        return client_for(self.url, **options)

    def _end(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()
        return code


def start_stripe(
    tmp_path: Path, clock_file: Path | None = None, endpoints: Sequence[dict[str, Any]] = (), port: int = 0
) -> Handle:
    """Start it on a free port with its data under `tmp_path`, and wait until it answers."""
    data = tmp_path / "stripe"
    clock_file = clock_file or tmp_path / "clock.json"
    process, url = _spawn(port, data, clock_file, endpoints)
    return Handle(url, int(url.rsplit(":", 1)[1]), data, clock_file, endpoints, process)


def stripe_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handle]:
    """A Local Stripe for a fixture to yield from: on its clock, and where the settings lead."""
    running = start_stripe(tmp_path)
    monkeypatch.setenv("MARKETPLACE_CLOCK_FILE", str(running.clock_file))
    monkeypatch.setenv("MARKETPLACE_STRIPE_API_BASE", running.url)
    monkeypatch.setenv("MARKETPLACE_STRIPE_KEY", KEY)
    settings.current.cache_clear()
    try:
        yield running
    finally:
        running.kill()
        monkeypatch.undo()
        settings.current.cache_clear()


def client_for(url: str, key: str = KEY, **options: Any) -> stripe.StripeClient:
    """The official client, pointed at a Local Stripe."""
    addresses = {"api": url, "files": url, "connect": url, "meter_events": url}
    return stripe.StripeClient(key, base_addresses=addresses, **options)  # type: ignore[arg-type]


def until(true: Callable[[], object], patience: float = PATIENCE) -> None:
    """Poll until it holds; fails when it does not in time."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _spawn(
    port: int, data: Path, clock_file: Path, endpoints: Sequence[dict[str, Any]]
) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "marketplace.demo.stripe_server", "--port", str(port), "--data", str(data),
         "--clock-file", str(clock_file)],
        env={**os.environ, "STRIPE_LOCAL_KEY": KEY, "STRIPE_LOCAL_ENDPOINTS": json.dumps(list(endpoints))},
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.readline()
    assert "listens on" in said, f"Local Stripe did not start (exit code {process.poll()})"
    return process, said.split()[-1]
