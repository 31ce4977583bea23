"""What the gateway makes of answers, broken ones above all."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import stripe as library

from marketplace.payments import gateway as door
from marketplace.payments.gateway import Gateway, read_event
from marketplace.payments.outcomes import (
    BadSignature,
    GatewayBusy,
    GatewayClosed,
    GatewayRefused,
    GatewayUnknown,
)

SECRET, OLD = "whsec_new", "whsec_old"
EVENT = '{"id": "evt_1", "object": "event", "type": "payout.paid", "data": {"object": {"id": "po_1"}}}'


class Answering:
    """A server that gives every request the same bytes, whatever they are, and then hangs up."""

    def __init__(self) -> None:
        self.raw = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def gateway(self) -> Gateway:
        return Gateway("sk_test_x", f"http://127.0.0.1:{self._socket.getsockname()[1]}")

    def says(self, status: int, body: str, header: str = "X-Nothing: more") -> Gateway:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.raw = f"{head}{header}\r\nConnection: close\r\n\r\n{body}".encode()
        return self.gateway

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(self.raw)


@pytest.fixture
def answering() -> Iterator[Answering]:
    server = Answering()
    yield server
    server.stop()


def send(gateway: Gateway) -> object:
    return gateway.send_transfer(
        "k", amount=1, currency="USD", destination="acct_1", group="g", source_type="card", metadata={}
    )


def error(code: str, kind: str = "invalid_request_error") -> str:
    return f'{{"error": {{"type": "{kind}", "code": "{code}", "message": "Because."}}}}'


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, error("api", "api_error")),
        (503, "<html>Bad gateway</html>"),
        (409, error("idempotency_key_in_use")),
        (400, error("", "idempotency_error")),
        (200, "<html>Welcome</html>"),
        (200, '{"ok": false}'),
        (200, '{"id": "tr_1"'),
        (200, '{"id": "tr_1", "object": "transfer", "amount": null}'),
    ],
)
def test_an_answer_that_says_nothing_for_sure_is_unknown(answering: Answering, status: int, body: str):
    with pytest.raises(GatewayUnknown):
        send(answering.says(status, body))


def test_an_error_that_stripe_keeps_under_its_key_is_told_from_silence(answering: Answering):
    for header, code in (("Idempotent-Replayed: true", "stored_error"), ("X-Nothing: more", "no_answer")):
        with pytest.raises(GatewayUnknown) as unknown:
            send(answering.says(500, error("api", "api_error"), header))
        assert unknown.value.code == code


def test_a_cut_line_is_unknown(answering: Answering):
    with pytest.raises(GatewayUnknown):
        send(answering.gateway)


def test_nobody_there_is_unknown():
    with pytest.raises(GatewayUnknown):
        send(Gateway("sk_test_x", "http://127.0.0.1:9"))


def test_silence_ends_in_time_and_is_unknown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(GatewayUnknown):
        send(Gateway("sk_test_x", f"http://127.0.0.1:{silent.getsockname()[1]}"))


@pytest.mark.parametrize("status", [400, 402, 403, 404])
def test_a_definite_no_carries_stripes_code_and_sentence(answering: Answering, status: int):
    with pytest.raises(GatewayRefused) as refused:
        send(answering.says(status, error("balance_insufficient")))
    assert (refused.value.code, refused.value.sentence) == ("balance_insufficient", "Because.")


def test_too_many_requests_is_busy_and_a_bad_key_is_closed(answering: Answering):
    with pytest.raises(GatewayBusy):
        send(answering.says(429, error("rate_limit")))
    with pytest.raises(GatewayClosed):
        send(answering.says(401, error("", "authentication_error")))


def signed(secret: str, at: int | None = None, body: str = EVENT) -> str:
    return library.WebhookSignature.generate_signature_header(body, secret, at or int(time.time()))


def test_a_signed_event_is_read_also_while_the_secret_is_being_changed():
    for secret in (SECRET, OLD):
        notice = read_event(EVENT.encode(), signed(secret), (SECRET, OLD))
        assert (notice.id, notice.kind, notice.object_id) == ("evt_1", "payout.paid", "po_1")


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (EVENT, signed("whsec_another")),
        (EVENT.replace("po_1", "po_2"), signed(SECRET)),
        (EVENT, signed(SECRET, int(time.time()) - 3_600)),
        (EVENT, signed(SECRET, int(time.time()) + 3_600)),
        (EVENT, signed(SECRET).replace("v1=", "v0=")),
        (EVENT, ""),
        (EVENT, "t=,v1="),
        (EVENT, None),
        ("[]", signed(SECRET, body="[]")),
        ("{}", signed(SECRET, body="{}")),
    ],
    ids=[
        "forged",
        "tampered",
        "stale",
        "future",
        "v0 only",
        "empty",
        "broken",
        "missing",
        "list",
        "no event",
    ],
)
def test_anything_else_is_refused(body: str, header: str | None):
    with pytest.raises(BadSignature):
        read_event(body.encode(), header, (SECRET,))


def test_settings_that_the_client_cannot_read_are_read_all_the_same(answering: Answering):
    """`automatic_transfer_rules_by_currency` may be null, on which the client of 16.1.0 fails."""
    schedule = {"interval": "weekly", "weekly_payout_days": ["friday"]}
    payouts = {"automatic_transfer_rules_by_currency": None, "schedule": schedule}
    body = json.dumps({"object": "balance_settings", "payments": {"payouts": payouts}})
    found = answering.says(200, body).schedule("acct_1")
    assert (found.interval, found.weekly_payout_days) == ("weekly", ("friday",))
    assert answering.says(200, body).set_schedule("key", "acct_1", found) == found
