"""`marketplace worker`: the background jobs of every slice."""

from __future__ import annotations

import argparse

from marketplace import embedded, jobs, logs, settings, tasks


def main(arguments: argparse.Namespace) -> int:
    chosen = settings.current()
    logs.start(chosen.log_level)
    server = embedded.ensure(chosen)
    try:
        tasks.register()
        jobs.run_worker(server.app_url, concurrency=arguments.concurrency)
    finally:
        server.stop()
    return 0
