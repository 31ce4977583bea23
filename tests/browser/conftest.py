"""The whole site as `marketplace demo` starts it, and real browsers in front of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.walker import Walk
from tests.ports import free_pair

PATIENCE = 120


@pytest.fixture
def data() -> Iterator[Path]:
    """The folder in which a site of its own keeps everything."""
    made = Path(tempfile.mkdtemp(prefix="walk-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def site(data: Path) -> Iterator[str]:
    """The address of a site of its own: database, local Stripe, worker and web; the cast, and no history."""
    port = free_pair()
    command = [sys.executable, "-m", "marketplace.cli", "demo", "--port", str(port), "--no-history"]
    process = subprocess.Popen(
        command, env={**os.environ, "MARKETPLACE_DATA": str(data)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        _until_open(process)
        yield f"http://localhost:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


@pytest.fixture
def walk(request: pytest.FixtureRequest, chromium: Browser, site: str) -> Iterator[Walk]:
    """A walk at the width, and with or without JavaScript, that the test asks for."""
    made = Walk(chromium, site, **request.param)
    yield made
    made.close()


def _until_open(process: subprocess.Popen[str]) -> None:
    """Wait until the demo has said that it is open."""
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if "Ctrl-C" in line:
            return
    raise AssertionError("the demo did not open: " + "".join(said))
