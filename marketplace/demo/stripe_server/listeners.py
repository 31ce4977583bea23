"""Who is told of events: webhook endpoints (platform and connect) and v2 event destinations (thin)."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass

from marketplace.demo.stripe_server import events, moments
from marketplace.demo.stripe_server.errors import Json, invalid, missing
from marketplace.demo.stripe_server.lists import page, page_v2
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import (
    EXPAND,
    PAGE,
    Choice,
    Flag,
    Many,
    Metadata,
    Shape,
    Text,
    Whole,
)
from marketplace.demo.stripe_server.store import PLATFORM, Transaction, written

CREATE = Shape(
    api_version=Choice(events.API_VERSION),
    connect=Flag(),
    description=Text(clear=True),
    enabled_events=Many(Text(), required=True),
    expand=EXPAND,
    metadata=Metadata(),
    url=Text(required=True),
)
LIST = Shape(PAGE)
CREATE_DESTINATION = Shape(
    description=Text(clear=True),
    enabled_events=Many(Text(), required=True),
    event_payload=Choice("thin", required=True),
    events_from=Many(Choice("self", "other_accounts")),
    include=Many(Choice("webhook_endpoint.signing_secret", "webhook_endpoint.url")),
    metadata=Metadata(),
    name=Text(required=True),
    type=Choice("webhook_endpoint", required=True),
    webhook_endpoint=Shape(url=Text(required=True), required=True),
)
RETRIEVE_DESTINATION = Shape(include=Many(Choice("webhook_endpoint.url")))
LIST_DESTINATIONS = Shape(include=Many(Choice("webhook_endpoint.url")), limit=Whole(1, 100), page=Text())


@dataclass(frozen=True)
class Shared:
    """A listener whose secret both sides were given at the start."""

    url: str
    hears: str
    secret: str
    enabled: tuple[str, ...]


def read_shared(text: str) -> list[Shared]:
    """Listeners from `[{"url", "connect", "thin", "secret", "enabled_events"}]`.

    Raises ValueError when it is not that.
    """
    try:
        return [
            Shared(
                given["url"],
                "thin" if given.get("thin") else "connect" if given.get("connect") else "platform",
                given["secret"],
                tuple(given.get("enabled_events", ["*"])),
            )
            for given in json.loads(text or "[]")
        ]
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"each listener needs a url and a secret ({error!r})") from error


def share(transaction: Transaction, shared: Shared) -> None:
    """Make the listener known; doing it again changes nothing but its secret and its events."""
    mark = hashlib.sha256(f"{shared.hears} {shared.url}".encode()).hexdigest()[:22]
    now = moments.now()
    if shared.hears == "thin":
        body = _destination(
            f"ed_1{mark}", shared.url, list(shared.enabled), {"name": "Shared at the start"}, now
        )
    else:
        body = _endpoint(f"we_1{mark}", shared.url, list(shared.enabled), {}, now)
    if transaction.find(body["id"]) is None:
        transaction.add(body, PLATFORM, body["object"], now)
    else:
        transaction.save(body)
    _listen(transaction, body["id"], shared)


def create(call: Call) -> Json:
    """POST /v1/webhook_endpoints; its secret is told only now."""
    asked = call.params
    _check_url(asked["url"])
    hears = "connect" if asked.get("connect") else "platform"
    endpoint = _endpoint(moments.new_id("we"), asked["url"], asked["enabled_events"], asked, call.now)
    call.transaction.add(endpoint, call.account, "webhook_endpoint", call.now)
    secret = _new_secret()
    _listen(
        call.transaction, endpoint["id"], Shared(asked["url"], hears, secret, tuple(asked["enabled_events"]))
    )
    return {**endpoint, "secret": secret}


def retrieve(call: Call) -> Json:
    """GET /v1/webhook_endpoints/{webhook_endpoint}."""
    return call.find("webhook_endpoint", call.args["webhook_endpoint"], "webhook endpoint")


def list_endpoints(call: Call) -> Json:
    """GET /v1/webhook_endpoints."""
    return page(call, "webhook_endpoint", "/v1/webhook_endpoints")


def delete(call: Call) -> Json:
    """DELETE /v1/webhook_endpoints/{webhook_endpoint}."""
    id = retrieve(call)["id"]
    _forget(call.transaction, id)
    return {"id": id, "object": "webhook_endpoint", "deleted": True}


def create_destination(call: Call) -> Json:
    """POST /v2/core/event_destinations; its signing secret is told only now, when asked for."""
    asked = call.params
    url = asked["webhook_endpoint"]["url"]
    _check_url(url)
    body = _destination(moments.new_id("ed"), url, asked["enabled_events"], asked, call.now)
    call.transaction.add(body, PLATFORM, "v2.core.event_destination", call.now)
    secret = _new_secret()
    _listen(call.transaction, body["id"], Shared(url, "thin", secret, tuple(asked["enabled_events"])))
    shown = _shown(body, asked.get("include", []))
    if "webhook_endpoint.signing_secret" in asked.get("include", []):
        shown["webhook_endpoint"] = {**(shown["webhook_endpoint"] or {}), "signing_secret": secret}
    return shown


def retrieve_destination(call: Call) -> Json:
    """GET /v2/core/event_destinations/{id}."""
    return _shown(_found(call), call.params.get("include", []))


def list_destinations(call: Call) -> Json:
    """GET /v2/core/event_destinations."""
    found = page_v2(call, "v2.core.event_destination", "/v2/core/event_destinations")
    include = call.params.get("include", [])
    return {**found, "data": [_shown(body, include) for body in found["data"]]}


def delete_destination(call: Call) -> Json:
    """DELETE /v2/core/event_destinations/{id}."""
    id = _found(call)["id"]
    _forget(call.transaction, id)
    return {"id": id, "object": "v2.core.event_destination"}


def _found(call: Call) -> Json:
    found = call.transaction.find(call.args["id"], "v2.core.event_destination")
    if found is None:
        raise missing("event destination", call.args["id"])
    return found


def _shown(body: Json, include: list[str]) -> Json:
    return {
        **body,
        "webhook_endpoint": body["webhook_endpoint"] if "webhook_endpoint.url" in include else None,
    }


def _endpoint(id: str, url: str, enabled: list[str], asked: Json, now: int) -> Json:
    return {
        "id": id,
        "object": "webhook_endpoint",
        "api_version": asked.get("api_version"),
        "application": None,
        "created": now,
        "description": asked.get("description") or None,
        "enabled_events": enabled,
        "livemode": False,
        "metadata": asked.get("metadata", {}),
        "status": "enabled",
        "url": url,
    }


def _destination(id: str, url: str, enabled: list[str], asked: Json, now: int) -> Json:
    return {
        "id": id,
        "object": "v2.core.event_destination",
        "created": moments.iso(now),
        "description": asked.get("description", ""),
        "enabled_events": enabled,
        "event_payload": "thin",
        "events_from": asked.get("events_from", ["self"]),
        "livemode": False,
        "metadata": asked.get("metadata", {}),
        "name": asked["name"],
        "status": "enabled",
        "type": "webhook_endpoint",
        "updated": moments.iso(now),
        "webhook_endpoint": {"url": url},
    }


def _check_url(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise invalid(
            "Invalid URL: an explicit scheme (such as https) must be provided.", "url", "url_invalid"
        )


def _new_secret() -> str:
    return f"whsec_{secrets.token_hex(24)}"


def _listen(transaction: Transaction, id: str, shared: Shared) -> None:
    transaction.run(
        "INSERT INTO listener (id, url, hears, secret, enabled) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET secret = excluded.secret, enabled = excluded.enabled",
        id, shared.url, shared.hears, shared.secret, written(list(shared.enabled)),
    )  # fmt: skip


def _forget(transaction: Transaction, id: str) -> None:
    transaction.run("DELETE FROM listener WHERE id = ?", id)
    transaction.delete(id)
