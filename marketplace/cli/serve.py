"""`marketplace serve`: the site under gunicorn, with threads, since pages mostly wait for the database."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path
from threading import Thread
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.util import import_app

from marketplace import embedded, settings
from marketplace.matching import openings
from marketplace.settings import Settings

ROOT = Path(__file__).parent.parent.parent
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (gunicorn's own heartbeat files, of random names)


class Site(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn without a command line or a configuration file."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        sys.path.insert(0, str(ROOT))
        app = import_app("wsgi:app")
        # What is there from the start stays to the end, so the collector need not look at it in every round:
        # one in the middle of a request takes 50 ms otherwise.
        gc.collect()
        gc.freeze()
        return app


def main(arguments: argparse.Namespace) -> int:
    chosen = settings.current()
    # Held by the parent of all workers, so that the private server outlives each of them.
    server = embedded.ensure(chosen)
    try:
        Site({**options(chosen, arguments.bind), "post_worker_init": _warm}).run()
    finally:
        server.stop()
    return 0


def _warm(worker: Any) -> None:
    """What takes a second to read is read while nobody waits for it yet."""
    Thread(target=openings.warm, args=(worker.wsgi.extensions["new_session"],), daemon=True).start()


def options(chosen: Settings, bind: str) -> dict[str, Any]:
    """gunicorn's configuration for these settings."""
    found: dict[str, Any] = {
        "bind": bind,
        "chdir": str(ROOT),
        "worker_class": "gthread",
        "workers": chosen.workers,
        "threads": chosen.threads,
        "timeout": 60,
        "graceful_timeout": 10,
        # A connection that is kept stays with its worker, and two of them on one share a processor while the
        # other worker idles: each request goes to whoever is free. Browsers keep theirs with the proxy.
        "keepalive": 0,
        "loglevel": "warning",
        "control_socket_disable": True,
    }
    if SHARED_MEMORY.is_dir():
        # A heartbeat on a busy disk can wait long enough for a healthy worker to be killed.
        found["worker_tmp_dir"] = str(SHARED_MEMORY)
    return found
