"""Events: written in the same commit as the change they tell of, with one delivery for each listener."""

from __future__ import annotations

import json

from marketplace import clock
from marketplace.demo.stripe_server import moments, posting
from marketplace.demo.stripe_server.errors import Json, missing
from marketplace.demo.stripe_server.lists import Condition, during, page, page_v2
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import CREATED, PAGE, Many, Shape, Text, Whole
from marketplace.demo.stripe_server.store import PLATFORM, Transaction

API_VERSION = "2026-10-28.endive"
LIST = Shape(PAGE, created=CREATED, type=Text(), types=Many(Text()))
LIST_THIN = Shape(
    limit=Whole(1, 100),
    page=Text(),
    object_id=Text(),
    types=Many(Text()),
    created=Shape(gt=Text(), gte=Text(), lt=Text(), lte=Text()),
)


def tell(transaction: Transaction, type: str, body: Json, account: str, before: Json | None = None) -> None:
    """A snapshot event: `body` as it is now, and in `before` the values that the change replaced."""
    data: Json = {"object": body}
    if before:
        data["previous_attributes"] = before
    event: Json = {
        "id": moments.new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": moments.now(),
        "data": data,
        "livemode": False,
        "pending_webhooks": 0,
        "request": dict(transaction.cause),
        "type": type,
    }
    hears = "platform"
    if account != PLATFORM:
        event["account"], hears = account, "connect"
    _hand_out(transaction, event, "event", account, hears)


def tell_thin(transaction: Transaction, type: str, account: str, data: Json | None = None,
              related: bool = True) -> None:  # fmt: skip
    """A v2 event about an account: listeners get it without `data`, which they fetch."""
    event: Json = {
        "id": moments.new_id("evt"),
        "object": "v2.core.event",
        "created": moments.iso(moments.now()),
        "data": data or {},
        "livemode": False,
        "type": type,
    }
    if related:
        event["related_object"] = {
            "id": account,
            "type": "v2.core.account",
            "url": f"/v2/core/accounts/{account}",
        }
    if transaction.cause["id"]:
        event["reason"] = {
            "type": "request",
            "request": {**transaction.cause, "idempotency_key": transaction.cause["idempotency_key"] or ""},
        }
    _hand_out(transaction, event, "v2.core.event", PLATFORM, "thin")


# What a history did weeks ago is no news to anybody; it stays in the list of events.
_NEWS_FOR = 15 * moments.DAY


def _hand_out(transaction: Transaction, event: Json, kind: str, account: str, hears: str) -> None:
    listeners = [
        row["id"]
        for row in transaction.rows("SELECT id, enabled FROM listener WHERE hears = ?", hears)
        if _wants(json.loads(row["enabled"]), event["type"])
    ]
    transaction.add(event, account, kind, moments.now())
    if clock.shared().timestamp() - moments.now() > _NEWS_FOR:
        return
    posting.post(transaction, event, kind, account, listeners)


def _wants(enabled: list[str], type: str) -> bool:
    return "*" in enabled or type in enabled


def retrieve(call: Call) -> Json:
    """GET /v1/events/{id}."""
    return _waiting(call.transaction, call.find("event", call.args["id"], "event"))


def list_events(call: Call) -> Json:
    """GET /v1/events."""
    answer = page(call, "event", "/v1/events", _of_types(call))
    return {**answer, "data": [_waiting(call.transaction, event) for event in answer["data"]]}


def retrieve_thin(call: Call) -> Json:
    """GET /v2/core/events/{id}."""
    found = call.transaction.find(call.args["id"], "v2.core.event")
    if found is None:
        raise missing("event", call.args["id"])
    return found


def list_thin(call: Call) -> Json:
    """GET /v2/core/events."""
    where = _of_types(call)
    if "object_id" in call.params:
        where.append(("json_extract(body, '$.related_object.id') = ?", call.params["object_id"]))
    where += during("json_extract(body, '$.created')", call.params.get("created"))
    return page_v2(call, "v2.core.event", "/v2/core/events", where)


def _of_types(call: Call) -> list[Condition]:
    types = [*call.params.get("types", []), *([call.params["type"]] if "type" in call.params else [])]
    if not types:
        return []
    return [("json_extract(body, '$.type') IN (SELECT value FROM json_each(?))", json.dumps(types))]


def _waiting(transaction: Transaction, event: Json) -> Json:
    row = transaction.row("SELECT COUNT(*) FROM delivery WHERE event = ? AND answered IS NULL", event["id"])
    return {**event, "pending_webhooks": row[0] if row else 0}
