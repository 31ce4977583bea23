"""`marketplace db`: the schema, by the owner's address."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from marketplace import embedded, schema, settings
from marketplace.embedded import Server


def upgrade(arguments: argparse.Namespace) -> int:
    with _server() as server:
        schema.upgrade(server.owner_url, app_password=server.app_password)
    print("The database is up to date.")
    return 0


def downgrade(arguments: argparse.Namespace) -> int:
    with _server() as server:
        schema.downgrade(server.owner_url, arguments.to)
    print(f"The database is at {arguments.to}.")
    return 0


@contextmanager
def _server() -> Iterator[Server]:
    server = embedded.ensure(settings.current())
    try:
        yield server
    finally:
        server.stop()
