"""A real browser for whoever looks at pages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

FIND = Path(__file__).parent.parent / "scripts" / "find-chromium"
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@cache
def executable() -> str:
    """Where the browser is; the empty text when there is none."""
    return subprocess.run([FIND], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a module; each opens a context of its own in it."""
    if not executable():
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=QUIET)
        yield browser
        browser.close()
