"""Idempotency keys, as Stripe keeps them.

v1 stores status and body of the first execution, errors and 500s included, and repeats them word for word
for 24 hours by the clock; afterwards the same key executes again. v2 stores successes only, for 30 days, and
answers a repeated key with what is true by then.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from marketplace.demo.stripe_server import moments
from marketplace.demo.stripe_server.errors import Json, StripeRefusal, invalid
from marketplace.demo.stripe_server.store import Transaction, written

_KEPT_FOR = {"v1": moments.DAY, "v2": 30 * moments.DAY}


@dataclass(frozen=True)
class Key:
    """A key in its scope, with a fingerprint of what is asked under it."""

    account: str
    api: str
    text: str
    asked: str


@dataclass(frozen=True)
class Kept:
    """The stored answer of an earlier execution."""

    status: int
    body: Json
    request: str


def key_for(account: str, api: str, text: str, method: str, path: str, params: Json) -> Key:
    if not 1 <= len(text) <= 255:
        raise invalid("Idempotency keys must be between 1 and 255 characters long.")
    asked = json.dumps([method, path, params], sort_keys=True).encode()
    return Key(account, api, text, hashlib.sha256(asked).hexdigest())


def find(transaction: Transaction, key: Key) -> Kept | None:
    """What was answered before. Refuses when the key was used for something else."""
    row = transaction.row(
        "SELECT asked, status, body, request, created FROM idempotency"
        " WHERE account = ? AND api = ? AND key = ?",
        key.account, key.api, key.text,
    )  # fmt: skip
    if row is None or moments.now() - row["created"] >= _KEPT_FOR[key.api]:
        return None
    if row["asked"] != key.asked:
        raise StripeRefusal(
            "Keys for idempotent requests can only be used with the same parameters they were first used "
            f"with. Try using a key other than '{key.text}' if you meant to execute a different request.",
            type="idempotency_error",
            stored=False,
        )
    return Kept(row["status"], json.loads(row["body"]), row["request"])


def keep(transaction: Transaction, key: Key, kept: Kept) -> None:
    transaction.run(
        "INSERT OR REPLACE INTO idempotency (account, api, key, asked, status, body, request, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        key.account, key.api, key.text, key.asked, kept.status, written(kept.body), kept.request,
        moments.now(),
    )  # fmt: skip


def prune(transaction: Transaction) -> None:
    """Forget all keys, as Stripe may once they are a day old: the same key executes again."""
    transaction.run("DELETE FROM idempotency")


class InFlight:
    """The keys whose first request is still being answered."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._keys: set[tuple[str, str, str]] = set()

    @contextmanager
    def claim(self, key: Key) -> Iterator[None]:
        """Hold the key for one request. Refuses with 409 while another one holds it."""
        name = (key.account, key.api, key.text)
        with self._guard:
            if name in self._keys:
                raise StripeRefusal(
                    "There is currently another in-progress request using this idempotency key "
                    f"('{key.text}'). Please try again later.",
                    status=409,
                    code="idempotency_key_in_use",
                    stored=False,
                )
            self._keys.add(name)
        try:
            yield
        finally:
            with self._guard:
                self._keys.discard(name)
