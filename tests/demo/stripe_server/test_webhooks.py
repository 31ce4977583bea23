"""Listeners are told: signed, filtered, again when they refuse, and never instead of an answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands
from tests.demo.stripe_server.harness import Handle, start_stripe, until
from tests.demo.stripe_server.people import Platform

SECRETS = {"platform": "whsec_platform", "connect": "whsec_connect", "thin": "whsec_thin"}


@dataclass
class Listener:
    """A web server that keeps what it is sent; it answers with `refusals` first, then 200."""

    url: str = ""
    got: list[tuple[str, str, str]] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)

    def events(self, which: str) -> list[Any]:
        """What came to one address, with the signature checked."""
        client = stripe.StripeClient("sk_test_local")
        read: Any = client.parse_event_notification if which == "thin" else client.construct_event
        return [
            read(body, signature, SECRETS[which])
            for path, body, signature in list(self.got)
            if path == f"/{which}"
        ]

    def types(self, which: str) -> list[str]:
        return [event.type for event in self.events(which)]


@pytest.fixture
def listener() -> Iterator[Listener]:
    heard = Listener()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status = heard.refusals.pop(0) if heard.refusals else 200
            if status == 200:
                heard.got.append((self.path, body, self.headers["Stripe-Signature"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    heard.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield heard
    server.shutdown()
    server.server_close()


@pytest.fixture
def local(tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handle]:
    endpoints = [
        {
            "url": f"{listener.url}/platform",
            "secret": SECRETS["platform"],
            "enabled_events": ["customer.created"],
        },
        {"url": f"{listener.url}/connect", "secret": SECRETS["connect"], "connect": True},
        {"url": f"{listener.url}/thin", "secret": SECRETS["thin"], "thin": True},
    ]
    handle = start_stripe(tmp_path, endpoints=endpoints)
    monkeypatch.setenv("MARKETPLACE_CLOCK_FILE", str(handle.clock_file))
    yield handle
    handle.kill()


def test_the_platform_hears_what_it_asked_for(platform: Platform, listener: Listener) -> None:
    made = platform.client.v1.customers.create({"name": "Northwind AI"}, {"idempotency_key": "our-key"})
    platform.client.v1.customers.update(made.id, {"name": "Northwind"})
    until(lambda: listener.got)
    event = listener.events("platform")[0]
    assert (event.type, event.data.object.id) == ("customer.created", made.id)
    assert event.request.idempotency_key == "our-key"
    assert event.api_version == "2026-10-28.endive"
    assert listener.types("platform") == ["customer.created"]


def test_events_of_connected_accounts_name_their_account(platform: Platform, listener: Listener) -> None:
    expert = platform.expert()
    until(lambda: "account.external_account.created" in listener.types("connect"))
    assert {event.account for event in listener.events("connect")} == {expert}
    assert listener.types("platform") == []


def test_thin_events_are_fetched_by_the_official_client(platform: Platform, listener: Listener) -> None:
    expert = platform.expert()
    wanted = "v2.core.account[configuration.recipient].capability_status_updated"
    until(lambda: listener.types("thin").count(wanted) == 3)
    note = next(note for note in listener.events("thin") if note.type == wanted)
    assert note.related_object.id == expert
    assert all('"data"' not in body for path, body, _ in listener.got if path == "/thin")
    fetched: Any = platform.client.v2.core.events.retrieve(note.id)
    assert fetched.data.updated_capability == "stripe_balance.stripe_transfers"


def test_a_refused_delivery_comes_again(platform: Platform, listener: Listener) -> None:
    listener.refusals = [500]
    platform.client.v1.customers.create({"name": "Northwind AI"})
    until(lambda: listener.got)
    assert listener.refusals == []
    until(lambda: platform.client.v1.events.list().data[0].pending_webhooks == 0)


def test_a_deaf_listener_holds_up_nobody(platform: Platform, listener: Listener) -> None:
    platform.client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    for name in "abc":
        platform.client.v1.customers.create({"name": name})
    until(lambda: len(listener.got) == 3)
    assert platform.client.v1.events.list().data[0].pending_webhooks == 1


def test_a_secret_is_told_once(platform: Platform) -> None:
    asked: Any = {"url": "https://example.com/hook", "enabled_events": ["payout.paid"], "connect": True}
    made = platform.client.v1.webhook_endpoints.create(asked)
    assert made.secret is not None
    assert made.secret.startswith("whsec_")
    assert "secret" not in platform.client.v1.webhook_endpoints.retrieve(made.id)
    assert platform.client.v1.webhook_endpoints.delete(made.id).deleted is True


def test_event_destinations_tell_what_include_asks_for(platform: Platform) -> None:
    asked: Any = {
        "name": "thin",
        "type": "webhook_endpoint",
        "event_payload": "thin",
        "enabled_events": ["v2.core.account.updated"],
        "webhook_endpoint": {"url": "https://example.com/hook"},
        "include": ["webhook_endpoint.signing_secret", "webhook_endpoint.url"],
    }
    made = platform.client.v2.core.event_destinations.create(asked)
    assert made.webhook_endpoint is not None
    assert str(made.webhook_endpoint.signing_secret).startswith("whsec_")
    assert platform.client.v2.core.event_destinations.retrieve(made.id).webhook_endpoint is None
    assert made.id in [one.id for one in platform.client.v2.core.event_destinations.list().data]
    assert platform.client.v2.core.event_destinations.delete(made.id).id == made.id


def test_shared_listeners_are_not_doubled_by_a_restart(platform: Platform, local: Handle) -> None:
    before = [one.id for one in platform.client.v1.webhook_endpoints.list().data]
    local.stop()
    local.start_again()
    assert [one.id for one in local.client().v1.webhook_endpoints.list().data] == before
    assert len(before) == 2


def test_what_was_not_delivered_is_delivered_after_a_crash(
    platform: Platform, local: Handle, listener: Listener
) -> None:
    listener.refusals = [503]
    made = platform.client.v1.customers.create({"name": "Northwind AI"})
    local.kill()
    local.start_again()
    until(lambda: listener.events("platform"))
    assert [event.data.object.id for event in listener.events("platform")] == [made.id]


def create(platform: Platform, name: str) -> str:
    return platform.client.v1.customers.create({"name": name}).id


@pytest.mark.parametrize(("kind", "times"), [("hook_twice", 2), ("hook_flood", 15)])
def test_an_event_may_come_more_than_once(
    platform: Platform, listener: Listener, kind: str, times: int
) -> None:
    hands.arm(platform.local.url, kind, "customer.created")
    create(platform, "first")
    create(platform, "second")
    until(lambda: len(listener.got) == times + 1)
    names = [event.data.object.name for event in listener.events("platform")]
    assert (names.count("first"), names.count("second")) == (times, 1)
    assert len({event.id for event in listener.events("platform")}) == 2


def test_one_change_may_come_under_two_ids(platform: Platform, listener: Listener) -> None:
    hands.arm(platform.local.url, "hook_two_ids")
    made = create(platform, "once")
    until(lambda: len(listener.got) == 2)
    events = listener.events("platform")
    assert {event.data.object.id for event in events} == {made}
    assert len({event.id for event in events}) == 2
    assert len(platform.client.v1.events.list({"type": "customer.created"}).data) == 2


def test_a_lost_event_stays_in_the_list(platform: Platform, listener: Listener) -> None:
    hands.arm(platform.local.url, "hook_lost")
    create(platform, "lost")
    create(platform, "told")
    until(lambda: listener.got)
    assert [event.data.object.name for event in listener.events("platform")] == ["told"]
    assert len(platform.client.v1.events.list({"type": "customer.created"}).data) == 2


def test_a_late_event_comes_an_hour_later_by_the_clock(platform: Platform, listener: Listener) -> None:
    hands.arm(platform.local.url, "hook_late")
    create(platform, "late")
    create(platform, "told")
    until(lambda: listener.got)
    assert [event.data.object.name for event in listener.events("platform")] == ["told"]
    clock.advance(timedelta(hours=1))
    until(lambda: len(listener.got) == 2)


def test_events_may_come_with_the_newest_first(platform: Platform, listener: Listener) -> None:
    hands.arm(platform.local.url, "hook_reordered", times=3)
    for name in "abcd":
        create(platform, name)
    until(lambda: len(listener.got) == 4)
    names = [event.data.object.name for event in listener.events("platform")]
    assert [name for name in names if name != "d"] == ["c", "b", "a"]


def test_clearing_lets_go_what_was_held_back(platform: Platform, listener: Listener) -> None:
    hands.arm(platform.local.url, "hook_reordered", times=5)
    create(platform, "held")
    hands.clear_faults(platform.local.url)
    until(lambda: listener.got)


def test_while_a_secret_is_replaced_both_sign(platform: Platform, listener: Listener) -> None:
    hands.arm(platform.local.url, "secret_rolled")
    create(platform, "signed")
    until(lambda: listener.got)
    _path, body, signature = listener.got[0]
    assert signature.count("v1=") == 2
    detail: Any = hands.armed(platform.local.url)[0]["detail"]
    client = stripe.StripeClient("sk_test_local")
    for secret in (SECRETS["platform"], detail["secret"]):
        assert client.construct_event(body, signature, secret).type == "customer.created"
