"""Starting: the private PostgreSQL, the schema, a database cloned for tests, the site itself."""

import statistics
import time
from collections.abc import Callable, Iterator

from marketplace import embedded, schema, settings
from marketplace.app import create_app
from tests.bench import Row


def rows() -> Iterator[Row]:
    chosen = settings.current()
    yield measured("make and start PostgreSQL", 1, lambda: embedded.ensure(chosen).stop())
    yield measured("start PostgreSQL again, and stop it", 5, lambda: embedded.ensure(chosen).stop())
    server = embedded.ensure(chosen)
    try:
        yield measured("attach to it", 20, lambda: embedded.ensure(chosen).stop())
        yield measured("all migrations on an empty database", 1, lambda: schema.upgrade(server.owner_url))
        yield measured("migrations when there is nothing to do", 3, lambda: schema.upgrade(server.owner_url))
        yield measured("clone the database for a test, and drop it", 5, lambda: clone_and_drop(server))
        yield measured("put the site together", 3, lambda: create_app(chosen))
    finally:
        server.stop()


def measured(what: str, runs: int, act: Callable[[], object]) -> Row:
    times = []
    for _run in range(runs):
        started = time.perf_counter()
        act()
        times.append((time.perf_counter() - started) * 1000)
    return Row(what, runs, min(times), statistics.median(times))


def clone_and_drop(server: embedded.Server) -> None:
    embedded.create_database(server, "cloned", "marketplace")
    embedded.drop_database(server, "cloned")
