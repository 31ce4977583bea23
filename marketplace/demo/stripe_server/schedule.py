"""Things that fall due: rows executed in order of time by one thread, each stamped with its own due time.

So a transfer made "twelve weeks ago" gets its payout at once, dated the day after the transfer; and moving
the shared clock forward makes happen what should have happened in between.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping

from marketplace import clock
from marketplace.demo.stripe_server import moments
from marketplace.demo.stripe_server.store import Store, Transaction

Step = Callable[[Transaction, str], None]
_AT_ONCE = 20
_LOOK_EVERY = 0.25  # seconds between looks at the shared clock
_BREATH = 0.001  # lets a waiting request have its turn at the writer
_PATIENCE = 20.0  # seconds of real time that a request dated in the past waits for its past

log = logging.getLogger(__name__)


def plan(transaction: Transaction, step: str, subject: str, due: int) -> None:
    """Have `step` done for `subject` at `due`; keep the earlier plan when there is one already."""
    planned = transaction.run(
        "INSERT INTO schedule (due, step, subject) VALUES (?, ?, ?) ON CONFLICT (step, subject) DO NOTHING",
        due,
        step,
        subject,
    )
    transaction.news.update(["plan"] if planned else [])


def forget(transaction: Transaction, step: str, subject: str) -> None:
    transaction.run("DELETE FROM schedule WHERE step = ? AND subject = ?", step, subject)


def waiting(transaction: Transaction) -> int:
    """How many steps are due by the shared clock and not yet done."""
    row = transaction.row("SELECT COUNT(*) FROM schedule WHERE due <= ? AND failed IS NULL", moments.now())
    return int(row[0]) if row else 0


def catch_up(store: Store) -> None:
    """Wait until what was due by the request's own moment is done: one dated in the past finds it whole."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with store.reading() as transaction:
            if not waiting(transaction):
                return
        time.sleep(_BREATH)
    log.warning("What was due by %s is still not done", moments.iso(moments.now()))


class Scheduler(threading.Thread):
    """Does what is due, until stopped."""

    def __init__(self, store: Store, steps: Mapping[str, Step]) -> None:
        super().__init__(name="schedule", daemon=True)
        self._store, self._steps = store, steps
        self._wake, self._ended = threading.Event(), threading.Event()
        store.when_committed("plan", self._wake.set)

    def run(self) -> None:
        while not self._ended.is_set():
            if self._anything_due():
                self._do_some()
                self._ended.wait(_BREATH)
            else:
                self._wake.wait(_LOOK_EVERY)
                self._wake.clear()

    def stop(self) -> None:
        self._ended.set()
        self._wake.set()
        self.join(timeout=5)

    def _anything_due(self) -> bool:
        with self._store.reading() as transaction:
            return _next(transaction) is not None

    def _do_some(self) -> None:
        with self._store.writing() as transaction:
            for _ in range(_AT_ONCE):
                row = _next(transaction)
                if row is None:
                    return
                self._do(transaction, row)

    def _do(self, transaction: Transaction, row: sqlite3.Row) -> None:
        transaction.run("DELETE FROM schedule WHERE id = ?", row["id"])
        try:
            with transaction.undoable(), clock.at(moments.moment(row["due"])):
                self._steps[row["step"]](transaction, row["subject"])
        except Exception as error:
            # Set aside, so that one broken step does not stop every later one.
            log.exception("%s of %s failed", row["step"], row["subject"])
            transaction.run(
                "INSERT OR REPLACE INTO schedule (id, due, step, subject, failed) VALUES (?, ?, ?, ?, ?)",
                row["id"], row["due"], row["step"], row["subject"], repr(error),
            )  # fmt: skip


def _next(transaction: Transaction) -> sqlite3.Row | None:
    return transaction.row(
        "SELECT id, due, step, subject FROM schedule WHERE failed IS NULL AND due <= ?"
        " ORDER BY due, id LIMIT 1",
        moments.now(),
    )
