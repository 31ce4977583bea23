"""The server's state on disk: one SQLite file, one writer at a time, many readers.

Everything Stripe has a name for is an `object` row holding its JSON; what is searched is indexed by
expression. Money is kept twice on purpose: each balance transaction has a `posting`, and `balance` holds
the running total, so that no answer sums a history.

WAL with synchronous=NORMAL loses nothing when the process is killed; only a power cut may lose the last
commits, which a demo can bear.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from marketplace.demo.stripe_server.errors import Json

PLATFORM = "acct_1LocalPlatform00"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    seq     INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    created INTEGER NOT NULL,
    body    TEXT NOT NULL CHECK (json_valid(body))
);
CREATE INDEX IF NOT EXISTS object_by_time ON object (kind, account, created, seq);
CREATE INDEX IF NOT EXISTS transfer_by_group ON object (json_extract(body, '$.transfer_group'))
    WHERE kind = 'transfer';
CREATE INDEX IF NOT EXISTS transfer_by_destination ON object (json_extract(body, '$.destination'))
    WHERE kind = 'transfer';
CREATE INDEX IF NOT EXISTS balance_transaction_by_source ON object (json_extract(body, '$.source'))
    WHERE kind = 'balance_transaction';
CREATE INDEX IF NOT EXISTS charge_by_intent ON object (json_extract(body, '$.payment_intent'))
    WHERE kind = 'charge';
CREATE INDEX IF NOT EXISTS refund_by_charge ON object (json_extract(body, '$.charge'))
    WHERE kind = 'refund';
CREATE INDEX IF NOT EXISTS reversal_by_transfer ON object (json_extract(body, '$.transfer'))
    WHERE kind = 'transfer_reversal';
CREATE INDEX IF NOT EXISTS dispute_by_charge ON object (json_extract(body, '$.charge'))
    WHERE kind = 'dispute';
CREATE INDEX IF NOT EXISTS session_by_intent ON object (json_extract(body, '$.payment_intent'))
    WHERE kind = 'checkout.session';
CREATE TABLE IF NOT EXISTS posting (
    transaction_id TEXT PRIMARY KEY REFERENCES object (id),
    account        TEXT NOT NULL,
    currency       TEXT NOT NULL,
    source_type    TEXT NOT NULL CHECK (source_type IN ('card', 'bank_account')),
    available_on   INTEGER NOT NULL,
    net            INTEGER NOT NULL,
    waits          INTEGER NOT NULL CHECK (waits IN (0, 1)),
    payout         TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS posting_by_availability
    ON posting (account, currency, source_type, available_on, net) WHERE waits = 1;
CREATE INDEX IF NOT EXISTS posting_not_paid_out ON posting (account, currency) WHERE payout IS NULL;
CREATE INDEX IF NOT EXISTS posting_by_payout ON posting (payout) WHERE payout IS NOT NULL;
CREATE TABLE IF NOT EXISTS balance (
    account     TEXT NOT NULL,
    currency    TEXT NOT NULL,
    source_type TEXT NOT NULL,
    total       INTEGER NOT NULL,
    PRIMARY KEY (account, currency, source_type)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS idempotency (
    account TEXT NOT NULL,
    api     TEXT NOT NULL CHECK (api IN ('v1', 'v2')),
    key     TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    asked   TEXT NOT NULL,
    status  INTEGER NOT NULL,
    body    TEXT NOT NULL,
    request TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (account, api, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS schedule (
    id      INTEGER PRIMARY KEY,
    due     INTEGER NOT NULL,
    step    TEXT NOT NULL,
    subject TEXT NOT NULL,
    failed  TEXT,
    UNIQUE (step, subject)
);
CREATE INDEX IF NOT EXISTS schedule_by_due ON schedule (due, id) WHERE failed IS NULL;
CREATE TABLE IF NOT EXISTS listener (
    id      TEXT PRIMARY KEY,
    url     TEXT NOT NULL,
    hears   TEXT NOT NULL CHECK (hears IN ('platform', 'connect', 'thin')),
    secret  TEXT NOT NULL,
    enabled TEXT NOT NULL CHECK (json_valid(enabled))
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivery (
    id       INTEGER PRIMARY KEY,
    event    TEXT NOT NULL REFERENCES object (id),
    listener TEXT NOT NULL REFERENCES listener (id) ON DELETE CASCADE,
    due      REAL NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    answered INTEGER
);
CREATE INDEX IF NOT EXISTS delivery_waiting ON delivery (due, id) WHERE answered IS NULL;
CREATE INDEX IF NOT EXISTS delivery_by_event ON delivery (event);
CREATE TABLE IF NOT EXISTS held_event (
    id    INTEGER PRIMARY KEY,
    event TEXT NOT NULL UNIQUE,
    fault INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS onboarding (
    token   TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    link    TEXT NOT NULL CHECK (json_valid(link)),
    expires INTEGER NOT NULL,
    opened  TEXT UNIQUE,
    answers TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(answers))
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dashboard_login (
    token   TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bank_line (
    id        INTEGER PRIMARY KEY,
    booked_on TEXT NOT NULL,
    amount    INTEGER NOT NULL,
    text      TEXT NOT NULL,
    reference TEXT NOT NULL UNIQUE,
    end_to_end TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS bank_line_by_day ON bank_line (booked_on, id);
CREATE TABLE IF NOT EXISTS fault (
    id     INTEGER PRIMARY KEY,
    kind   TEXT NOT NULL,
    target TEXT NOT NULL,
    left   INTEGER CHECK (left >= 0),
    struck INTEGER NOT NULL DEFAULT 0,
    detail TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(detail))
);
CREATE TABLE IF NOT EXISTS fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
"""


class Transaction:
    """One database transaction: all that a request reads and writes, together or not at all."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.cause: Json = {"id": None, "idempotency_key": None}
        self.news: set[str] = set()

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return self.connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: object) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self.connection.execute(statement, values).fetchone()
        return found

    def run(self, statement: str, *values: object) -> int:
        """Execute, and answer how many rows changed."""
        return self.connection.execute(statement, values).rowcount

    def find(self, id: str, kind: str | None = None, account: str | None = None) -> Json | None:
        """The object with this id, when it is of this kind and belongs to this account."""
        row = self.row("SELECT kind, account, body FROM object WHERE id = ?", id)
        if row is None or kind not in (None, row["kind"]) or account not in (None, row["account"]):
            return None
        body: Json = json.loads(row["body"])
        return body

    def owner(self, id: str) -> str:
        """The account that an object belongs to. KeyError when there is no such object."""
        row = self.row("SELECT account FROM object WHERE id = ?", id)
        if row is None:
            raise KeyError(id)
        return str(row["account"])

    def add(self, body: Json, account: str, kind: str, created: int) -> Json:
        self.run(
            "INSERT INTO object (id, account, kind, created, body) VALUES (?, ?, ?, ?, ?)",
            body["id"], account, kind, created, written(body),
        )  # fmt: skip
        return body

    def save(self, body: Json) -> Json:
        if self.run("UPDATE object SET body = ? WHERE id = ?", written(body), body["id"]) != 1:
            raise KeyError(body["id"])
        return body

    def delete(self, id: str) -> None:
        self.run("DELETE FROM object WHERE id = ?", id)

    @contextmanager
    def undoable(self) -> Iterator[None]:
        """Undo what happens inside when it raises, and leave the rest of the transaction as it is."""
        self.run("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK TO attempt")
            raise
        finally:
            self.run("RELEASE attempt")


class Store:
    """Opens the file, lends connections, and tells listeners when something was committed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        self._readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._interested: dict[str, Callable[[], None]] = {}
        self._writer = self._connect()
        self._writer.executescript(_SCHEMA)

    def when_committed(self, news: str, call: Callable[[], None]) -> None:
        """Have `call` made after each commit whose transaction noted this kind of `news`."""
        self._interested[news] = call

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        with self._turn:
            self._writer.execute("BEGIN IMMEDIATE")
            transaction = Transaction(self._writer)
            try:
                yield transaction
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")
        for news in transaction.news:
            self._interested.get(news, _nobody)()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        try:
            connection = self._readers.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            connection.execute("BEGIN")
            yield Transaction(connection)
        finally:
            connection.execute("ROLLBACK")
            self._readers.put(connection)

    def close(self) -> None:
        with self._turn:
            self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.row_factory = sqlite3.Row
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "wal_autocheckpoint = 16000",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection


def _nobody() -> None:
    """Answers for news that nobody waits for."""


def written(body: object) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def fact(transaction: Transaction, name: str, otherwise: Callable[[], Any]) -> str:
    """Something settled once and kept, such as the day on which the bank account was opened."""
    row = transaction.row("SELECT value FROM fact WHERE name = ?", name)
    if row is not None:
        return str(row["value"])
    value = str(otherwise())
    transaction.run("INSERT INTO fact (name, value) VALUES (?, ?)", name, value)
    return value
