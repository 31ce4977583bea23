"""One request of Stripe's API from its headers to its answer.

In this order, as Stripe does it: the key, the version, the operation, the account, the parameters (so far
nothing is remembered), then the idempotency key, then the operation itself with its effects and its stored
answer in one commit.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from marketplace import clock
from marketplace.demo.stripe_server import accounts, idempotency, moments, schedule, transfers
from marketplace.demo.stripe_server.catalog import OPERATIONS
from marketplace.demo.stripe_server.errors import Json, StripeRefusal, invalid
from marketplace.demo.stripe_server.events import API_VERSION
from marketplace.demo.stripe_server.operations import Call, Operation, Switchboard
from marketplace.demo.stripe_server.params import decode_form
from marketplace.demo.stripe_server.presenting import expand
from marketplace.demo.stripe_server.store import PLATFORM, Store
from marketplace.demo.stripe_server.troubles import Troubles

_BROKEN = {"error": {"message": "An unknown error occurred.", "type": "api_error"}}
# The moment at which a request takes place, for a history; without it, the present.
CLOCK = "marketplace-clock"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A request as it came; header names in lower case."""

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]
    origin: str
    request_id: str = field(default_factory=lambda: moments.new_id("req"))

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key") if self.method == "POST" else None


@dataclass(frozen=True)
class Answered:
    """An answer with its headers."""

    status: int
    body: Json
    headers: dict[str, str]
    trouble: str | None = None  # what happens to it on its way; see troubles.py


class Api:
    """Answers requests from a store, for whoever holds one of the keys."""

    def __init__(self, store: Store, keys: frozenset[str]) -> None:
        self._store, self._keys = store, keys
        self._switchboard = Switchboard(OPERATIONS)
        self._in_flight = idempotency.InFlight()
        self._troubles = Troubles(store)

    def answer(self, asked: Asked) -> Answered:
        headers = {
            "Request-Id": asked.request_id,
            "Stripe-Version": asked.headers.get("stripe-version", API_VERSION),
        }
        try:
            with _at_asked_time(asked):
                if CLOCK in asked.headers:
                    schedule.catch_up(self._store)
                answered = self._answer(asked)
        except StripeRefusal as refusal:
            answered = Answered(refusal.status, refusal.body, refusal.headers)
        except Exception:
            log.exception("%s %s (%s) failed", asked.method, asked.path, asked.request_id)
            answered = Answered(500, _BROKEN, {})
        return replace(answered, headers={**headers, **answered.headers})

    def _answer(self, asked: Asked) -> Answered:
        self._check_key(asked)
        _check_version(asked)
        found = self._switchboard.find(asked.method, asked.path)
        if found is None:
            said = f"Unrecognized request URL ({asked.method}: {asked.path})."
            raise StripeRefusal(said, status=404, stored=False)
        operation, args = found
        trouble = self._troubles.meet(operation)
        if trouble in ("drop_before", "hang_before"):
            return Answered(500, _BROKEN, {}, trouble)
        answered = self._execute(asked, operation, args, broken=trouble == "error_after")
        return replace(answered, trouble=trouble)

    def _execute(self, asked: Asked, operation: Operation, args: dict[str, str], broken: bool) -> Answered:
        """Do it. A `broken` one is answered with 500 although it was done."""
        account = self._account(asked)
        raw = _raw_params(asked, operation)
        params = operation.params.read(raw)
        if operation.run is transfers.create:
            self._troubles.before_transfer(params)
        if not operation.writes:
            with self._store.reading() as transaction:
                answered = _run(operation, Call(transaction, account, params, args, asked.origin))
        elif asked.key is None:
            with self._store.writing() as transaction:
                transaction.cause = {"id": asked.request_id, "idempotency_key": None}
                answered = _run(operation, Call(transaction, account, params, args, asked.origin))
        else:
            key = idempotency.key_for(account, operation.api, asked.key, asked.method, asked.path, raw)
            return self._once(asked, operation, key, params, args, broken)
        return _BROKEN_ANSWER if broken else answered

    def _once(self, asked: Asked, operation: Operation, key: idempotency.Key, params: Json,
              args: dict[str, str], broken: bool) -> Answered:  # fmt: skip
        """Execute under an idempotency key, or repeat what was answered under it before."""
        with self._in_flight.claim(key), self._store.writing() as transaction:
            transaction.cause = {"id": asked.request_id, "idempotency_key": asked.key}
            call = Call(transaction, key.account, params, args, asked.origin)
            kept = idempotency.find(transaction, key)
            if kept is not None:
                return _repeat(operation, call, kept)
            answered = _attempt(operation, call)
            if broken and operation.api == "v1":
                answered = _BROKEN_ANSWER
            if operation.api == "v1" or answered.status == 200:
                stored = idempotency.Kept(answered.status, answered.body, asked.request_id)
                idempotency.keep(transaction, key, stored)
            return _BROKEN_ANSWER if broken else answered

    def _check_key(self, asked: Asked) -> None:
        scheme, _, given = asked.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not given:
            raise StripeRefusal(
                "You did not provide an API key. You need to provide your API key in the Authorization "
                "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
                status=401,
            )
        if given not in self._keys:
            raise StripeRefusal(f"Invalid API Key provided: {given[:8]}****{given[-4:]}", status=401)

    def _account(self, asked: Asked) -> str:
        wanted = asked.headers.get("stripe-account") or asked.headers.get("stripe-context")
        if not wanted or wanted == PLATFORM:
            return PLATFORM
        with self._store.reading() as transaction:
            if transaction.find(wanted, accounts.KIND) is None:
                raise StripeRefusal(
                    f"The provided key does not have access to account '{wanted}' (or that account does not "
                    "exist). Application access may have been revoked.",
                    status=403,
                    code="account_invalid",
                )
        return wanted


_BROKEN_ANSWER = Answered(500, _BROKEN, {})


def _run(operation: Operation, call: Call) -> Answered:
    body = operation.run(call)
    return Answered(200, expand(call.transaction, body, call.params.get("expand", [])), {})


def _attempt(operation: Operation, call: Call) -> Answered:
    """Run the operation; what it refused, or broke on, is an answer too, without effects."""
    try:
        with call.transaction.undoable():
            return _run(operation, call)
    except StripeRefusal as refusal:
        if not refusal.stored:
            raise
        return Answered(refusal.status, refusal.body, {})
    except Exception:
        log.exception("%s %s failed", operation.method, operation.path)
        return Answered(500, _BROKEN, {})


def _repeat(operation: Operation, call: Call, kept: idempotency.Kept) -> Answered:
    headers = {"Idempotent-Replayed": "true", "Original-Request": kept.request}
    body = operation.replay(call, kept.body) if operation.replay else kept.body
    return Answered(kept.status, body, headers)


def _check_version(asked: Asked) -> None:
    version = asked.headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        raise invalid(f"Invalid Stripe API version: {version}. This server speaks {API_VERSION}.")


def _raw_params(asked: Asked, operation: Operation) -> Json:
    if asked.method != "POST":
        return decode_form(asked.query)
    if operation.api == "v1":
        return decode_form(_utf8(asked.body))
    return _json(asked.body)


def _json(body: bytes) -> Json:
    try:
        found: Any = json.loads(_utf8(body) or "{}")
    except (ValueError, RecursionError):
        raise invalid("Invalid request body: it is not JSON.") from None
    if not isinstance(found, dict):
        raise invalid("Invalid request body: it must be a JSON object.")
    return found


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise invalid("Invalid request body: it is not UTF-8.") from None


def _at_asked_time(asked: Asked) -> AbstractContextManager[None]:
    """A request happens at one moment: the present, or what `Marketplace-Clock` says, for a history."""
    given = asked.headers.get(CLOCK)
    return clock.at(read_moment(given) if given else clock.now())


def read_moment(text: str) -> datetime:
    """An ISO 8601 moment with a zone. Refuses anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise invalid(f"Marketplace-Clock is not an ISO 8601 moment with a zone: {text}")
    return moment
