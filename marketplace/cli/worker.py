"""`marketplace worker`: the background jobs of every slice."""

from __future__ import annotations

import argparse
import pkgutil
from importlib import import_module
from importlib.util import find_spec

import marketplace
from marketplace import embedded, jobs, logs, settings


def main(arguments: argparse.Namespace) -> int:
    chosen = settings.current()
    logs.start(chosen.log_level)
    server = embedded.ensure(chosen)
    try:
        register_jobs()
        jobs.run_worker(server.app_url, concurrency=arguments.concurrency)
    finally:
        server.stop()
    return 0


def register_jobs() -> None:
    """Import what registers jobs: mail, and the `tasks` of every slice that has them."""
    import_module("marketplace.mail")
    for found in pkgutil.iter_modules(marketplace.__path__, "marketplace."):
        if found.ispkg and find_spec(f"{found.name}.tasks"):
            import_module(f"{found.name}.tasks")
