"""Trouble with answers: what an armed switch does to a request, before its effect or after it.

Also two that last until they are cleared: Stripe's real limits (25 requests a second on an endpoint, 100 in
all, each as a bucket that fills again), and a fifth of a second of latency.
"""

from __future__ import annotations

import threading
import time

from marketplace.demo.stripe_server import accounts, faults
from marketplace.demo.stripe_server.errors import Json, StripeRefusal
from marketplace.demo.stripe_server.operations import Operation
from marketplace.demo.stripe_server.store import Store

ENDPOINT_RATE = 25  # requests a second on one method and path
GLOBAL_RATE = 100
LATENCY = 0.2  # seconds
_REASONS = {
    "limit_global_rate": "global-rate",
    "limit_endpoint_rate": "endpoint-rate",
    "limit_global_concurrency": "global-concurrency",
    "limit_endpoint_concurrency": "endpoint-concurrency",
    "limit_resource_specific": "resource-specific",
}


class Troubles:
    """What is armed, kept in mind so that a request that meets nothing costs nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kinds: frozenset[str] = frozenset()
        self._buckets: dict[str, Bucket] = {}
        self._guard = threading.Lock()
        store.when_committed("fault", self._look)
        self._look()

    def meet(self, operation: Operation) -> str | None:
        """What happens to this request, one of `faults.ANSWERS`; None when nothing does.

        Refuses what is answered with an error before anything was done.
        """
        if "latency" in self._kinds:
            time.sleep(LATENCY)
        if "real_limit" in self._kinds:
            self._count(operation)
        if not self._kinds.intersection(faults.ANSWERS):
            return None
        endpoint = f"{operation.method} {operation.path}"
        with self._store.writing() as transaction:
            found = faults.take(transaction, faults.ANSWERS, endpoint, f"{operation.method} {faults.ANY}")
        if found is None:
            return None
        _refuse(found.kind)
        return found.kind

    def before_transfer(self, params: Json) -> None:
        """Take the capability from the destination, when that is armed, just before it is needed."""
        if "capability_off" not in self._kinds:
            return
        with self._store.writing() as transaction:
            account = transaction.find(str(params.get("destination")), accounts.KIND)
            able = account is not None and accounts.can_receive(account)
            if account and able and faults.take(transaction, "capability_off", account["id"]):
                accounts.restrict(transaction, account["id"], quietly=True)

    def _count(self, operation: Operation) -> None:
        endpoint = f"{operation.method} {operation.path}"
        with self._guard:
            for name, rate, kind in ((endpoint, ENDPOINT_RATE, "limit_endpoint_rate"),
                                     ("", GLOBAL_RATE, "limit_global_rate")):  # fmt: skip
                if not self._buckets.setdefault(name, Bucket(rate)).take():
                    _refuse(kind)

    def _look(self) -> None:
        with self._guard, self._store.reading() as transaction:
            self._kinds = faults.armed_kinds(transaction)


class Bucket:
    """So many requests at once, and so many more each second."""

    def __init__(self, rate: int) -> None:
        self._rate, self._left, self._at = rate, float(rate), time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _refuse(kind: str) -> None:
    """Raise what Stripe answers instead of doing anything; an idempotency key remembers none of it."""
    if kind == "error_before":
        raise StripeRefusal("An unknown error occurred.", status=500, type="api_error", stored=False)
    if kind == "key_in_use":
        raise StripeRefusal(
            "There is currently another in-progress request using this idempotency key. Please try again "
            "later.", status=409, code="idempotency_key_in_use", stored=False,
        )  # fmt: skip
    if kind == "lock_timeout":
        raise StripeRefusal(
            "This object cannot be accessed right now because another API request or Stripe process is "
            "currently accessing it.", status=429, code="lock_timeout", stored=False,
        )  # fmt: skip
    if kind in _REASONS:
        raise StripeRefusal(
            "Request rate limit exceeded.", status=429, code="rate_limit", stored=False,
            headers={"Stripe-Rate-Limited-Reason": _REASONS[kind]},
        )  # fmt: skip
