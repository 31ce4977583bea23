"""Delivers events: signed, over connections kept alive, a few at a time, again after a pause when refused.

A listener that does not answer rests as a whole, so that a long queue for it costs one try at a time and
nobody else waits. Nothing here ever holds up an answer of the API.
"""

from __future__ import annotations

import collections
import http.client
import json
import logging
import sqlite3
import threading
import time
from urllib.parse import urlsplit

from marketplace.demo.stripe_server import faults
from marketplace.demo.stripe_server.errors import Json
from marketplace.demo.stripe_server.store import Store, Transaction, written

_POSTMEN = 4
_BATCH = 100
_PATIENCE = 10  # seconds for one answer
_LOOK_EVERY = 0.5
_PAUSES = (1, 5, 30, 120, 600, 1800, 3600)  # seconds of real time before each further try
_GIVES_UP_AFTER = 40  # tries: with these pauses, more than a day

log = logging.getLogger(__name__)


def waiting(transaction: Transaction) -> int:
    """How many deliveries have not been answered with 2xx yet."""
    row = transaction.row("SELECT COUNT(*) FROM delivery WHERE answered IS NULL")
    return int(row[0]) if row else 0


class PostOffice:
    """Hands out what is due to a few postmen, each delivery to one of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._queue: collections.deque[sqlite3.Row] = collections.deque()
        self._out: set[int] = set()
        self._resting: dict[str, float] = {}
        self.new_secret: str | None = None
        self._wake, self._ended = threading.Event(), threading.Event()
        self._postmen = [Postman(self, number) for number in range(_POSTMEN)]
        store.when_committed("delivery", self._wake.set)

    def start(self) -> None:
        for postman in self._postmen:
            postman.start()

    def stop(self) -> None:
        self._ended.set()
        self._wake.set()
        for postman in self._postmen:
            postman.join(timeout=_PATIENCE)

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def take(self) -> sqlite3.Row | None:
        """The next delivery that is due, now held by the caller; waits a little when there is none."""
        with self._guard:
            if not self._queue:
                self._queue.extend(self._due())
            if self._queue:
                row = self._queue.popleft()
                self._out.add(row["id"])
                return row
        self._wake.wait(_LOOK_EVERY)
        self._wake.clear()
        return None

    def settle(self, row: sqlite3.Row, status: int | None) -> None:
        """Note the answer: done on 2xx, otherwise again later."""
        with self._store.writing() as transaction:
            if (status is not None and 200 <= status < 300) or row["tries"] + 1 >= _GIVES_UP_AFTER:
                transaction.run("UPDATE delivery SET answered = ?, tries = tries + 1 WHERE id = ?",
                                status or 0, row["id"])  # fmt: skip
            else:
                pause = _PAUSES[min(row["tries"], len(_PAUSES) - 1)]
                transaction.run("UPDATE delivery SET tries = tries + 1, due = ? WHERE id = ?",
                                time.time() + pause, row["id"])  # fmt: skip
        with self._guard:
            self._out.discard(row["id"])
            if status is None:
                self._resting[row["listener"]] = time.time() + _PAUSES[0]

    def put_back(self, row: sqlite3.Row) -> None:
        with self._guard:
            self._out.discard(row["id"])

    def rests(self, listener: str) -> bool:
        return self._resting.get(listener, 0) > time.time()

    def _due(self) -> list[sqlite3.Row]:
        resting = [name for name, until in self._resting.items() if until > time.time()]
        with self._store.reading() as transaction:
            rolled = faults.standing(transaction, "secret_rolled")
            self.new_secret = rolled.detail["secret"] if rolled else None
            rows = transaction.rows(
                "SELECT delivery.id, event, listener, tries, url, secret, object.body"
                " FROM delivery JOIN listener ON listener.id = delivery.listener"
                " JOIN object ON object.id = delivery.event"
                " WHERE answered IS NULL AND due <= ? AND listener NOT IN (SELECT value FROM json_each(?))"
                " ORDER BY due, delivery.id LIMIT ?",
                time.time(), written(resting), _BATCH,
            )  # fmt: skip
        return [row for row in rows if row["id"] not in self._out]


class Postman(threading.Thread):
    """Delivers one event after another, keeping a connection open to each listener."""

    def __init__(self, office: PostOffice, number: int) -> None:
        super().__init__(name=f"postman-{number}", daemon=True)
        self._office = office
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def run(self) -> None:
        while not self._office.ended:
            row = self._office.take()
            if row is None:
                continue
            if self._office.rests(row["listener"]):
                self._office.put_back(row)
                continue
            self._office.settle(row, self._deliver(row))

    def _deliver(self, row: sqlite3.Row) -> int | None:
        payload = _payload(json.loads(row["body"]))
        for _ in range(2):
            try:
                return self._post(row["url"], payload, row["secret"])
            except http.client.RemoteDisconnected:
                self._hang_up(row["url"])  # An idle connection that the other side closed: once more.
            except (OSError, http.client.HTTPException) as error:
                log.info("%s does not answer: %r", row["url"], error)
                self._hang_up(row["url"])
                return None
        return None

    def _post(self, url: str, payload: str, secret: str) -> int:
        # Imported late: the client takes longer to load than all of this server, which may have no listener.
        from stripe import WebhookSignature

        parts = urlsplit(url)
        connection = self._connections.setdefault(f"{parts.scheme}://{parts.netloc}", _connect(url))
        # The listener's tolerance is measured by real time, so the signature carries real time.
        now, rolled = int(time.time()), self._office.new_secret
        signature = WebhookSignature.generate_signature_header(payload, rolled or secret, now)
        if rolled:  # While a secret is being replaced, Stripe signs with both, the new one first.
            old = WebhookSignature.generate_signature_header(payload, secret, now)
            signature += "," + old.split(",", 1)[1]
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature,
                   "User-Agent": "Stripe/1.0 (local)"}  # fmt: skip
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, payload.encode(), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def _hang_up(self, url: str) -> None:
        parts = urlsplit(url)
        connection = self._connections.pop(f"{parts.scheme}://{parts.netloc}", None)
        if connection is not None:
            connection.close()


def _payload(event: Json) -> str:
    """What is sent: a snapshot event whole, a thin one without the parts that have to be fetched."""
    if event["object"] == "v2.core.event":
        event = {name: value for name, value in event.items() if name not in ("data", "changes")}
    return json.dumps(event)


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.netloc, timeout=_PATIENCE)
