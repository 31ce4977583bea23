"""A real browser for whoever looks at pages, and the site where it finds it."""

from __future__ import annotations

import gc
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock, Thread

import pytest
from flask import Flask
from playwright.sync_api import Browser, sync_playwright
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

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
    yield from _launched()
    # The driver may be gone before Python has noticed, which is nothing that a later test should answer for.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _launched() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=QUIET)
        yield browser
        browser.close()


@contextmanager
def served(site: Flask) -> Iterator[str]:
    """The address of the site, which answers one request at a time: there is one session."""
    turn = Lock()

    @Request.application
    def one_by_one(request: Request) -> Response:
        with turn:
            return Response.from_app(site, request.environ, buffered=True)

    # What never changes is kept by the browser from the first page on.
    whole = SharedDataMiddleware(one_by_one, {"/static": str(site.static_folder)})
    server = make_server("127.0.0.1", 0, whole, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
