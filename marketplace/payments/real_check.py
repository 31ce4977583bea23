"""Runs the steps of `docs/stripe-test-mode.md` against Stripe's own test mode, with only a key.

It asks what the local Stripe server was built to answer, and says where Stripe answers otherwise. Steps that
need a person at Stripe's pages, a webhook's address or another day are named as such. Nothing is cleaned up:
test mode keeps what was made, and moves no real money.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from marketplace.payments.facts import RawAnswer
from marketplace.payments.gateway import Gateway
from marketplace.payments.outcomes import GatewayRefused

VERSION = "2026-10-28.endive"
INCLUDE = ["configuration.recipient", "requirements", "identity", "defaults"]
BY_HAND = {
    5: "Open the link of step 4, finish with Stripe's test data, and watch for the thin events.",
    8: "Fund a session by us_bank_transfer with test_helpers.customers.fund_cash_balance.",
    17: "Look at the account's automatic payout a day later.",
    19: "Compare each webhook received with its object, fetched again.",
    21: "Refund part of a card charge and of a bank transfer, and compare their states.",
}


@dataclass(frozen=True)
class Finding:
    """What a step asked and what came back; `ok` is None where only a person or another day can tell."""

    step: int
    asked: str
    came_back: str
    ok: bool | None


Step = Callable[["_Check"], Iterator[Finding]]


def check(gateway: Gateway, key: str) -> Iterator[Finding]:
    """Run every step that a key alone can run, in order; the others are yielded as what a person has to do.

    Raises GatewayRefused for a live key, before anything is asked.
    """
    if "_test_" not in key:
        raise GatewayRefused(
            "live_key", "This check runs in test mode only: give it a key with _test_ in it."
        )
    run = _Check(gateway)
    for number in range(1, 22):
        if number in STEPS:
            yield from STEPS[number](run)
        elif number in BY_HAND:
            yield Finding(number, "by hand", BY_HAND[number], None)


class _Check:
    """One run: what was made so far, under keys that no other run has used."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.run = uuid.uuid4().hex[:12]
        self.account = ""
        self.ready = ""
        self.transfer: dict[str, Any] = {}

    def get(self, path: str, account: str | None = None, **params: Any) -> RawAnswer:
        return self.gateway.ask("get", path, account=account, **params)

    def post(self, path: str, key: str | None = None, account: str | None = None, **params: Any) -> RawAnswer:
        return self.gateway.ask(
            "post", path, key=f"{self.run}:{key}" if key else None, account=account, **params
        )

    def send(self, amount: int, destination: str, key: str, **more: Any) -> RawAnswer:
        group = f"check_{self.run}"
        return self.post(
            "/v1/transfers",
            key,
            amount=amount,
            currency="usd",
            destination=destination,
            transfer_group=group,
            **more,
        )


def _expect(step: int, asked: str, answer: RawAnswer, status: int, code: str = "") -> Finding:
    """A Finding that holds when status and, for a refusal, code are as documented."""
    came_back = f"{answer.status} {answer.code}".strip()
    return Finding(step, asked, came_back, answer.status == status and (not code or answer.code == code))


def _version(run: _Check) -> Iterator[Finding]:
    answer = run.get("/v1/balance")
    said = answer.headers.get("stripe-version", answer.headers.get("Stripe-Version", "not said"))
    live = answer.body.get("livemode")
    yield Finding(
        1, "the balance, for mode and version", f"livemode {live}, {said}", live is False and said == VERSION
    )


def _account(run: _Check) -> Iterator[Finding]:
    asked: dict[str, Any] = {
        "contact_email": "check@example.com",
        "display_name": "Check",
        "dashboard": "express",
        "identity": {"country": "us", "entity_type": "individual"},
        "configuration": {
            "recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}
        },
        "defaults": {
            "currency": "usd",
            "responsibilities": {"fees_collector": "application", "losses_collector": "application"},
        },
        "include": INCLUDE,
    }
    first = run.post("/v2/core/accounts", "account", **asked)
    second = run.post("/v2/core/accounts", "account", **asked)
    run.account = str(first.body.get("id", ""))
    same = bool(run.account) and run.account == second.body.get("id")
    yield Finding(
        2, "a v2 account, twice with one key", "one" if same else f"{first.status}, {second.status}", same
    )
    found = run.gateway.account(run.account)
    waits = found.transfers == "restricted" and any(each.who == "user" for each in found.requirements)
    yield Finding(2, "its state", f"{found.transfers}, {len(found.requirements)} requirements", waits)


def _nothing_unasked(run: _Check) -> Iterator[Finding]:
    answer = run.get(f"/v2/core/accounts/{run.account}")
    parts = [
        name for name in ("configuration", "requirements", "identity", "defaults") if answer.body.get(name)
    ]
    yield Finding(3, "the account without include", ", ".join(parts) or "all empty", not parts)


def _link(run: _Check) -> Iterator[Finding]:
    url = run.gateway.onboarding_url(
        run.account, return_url="https://example.com/back", refresh_url="https://example.com/again"
    )
    yield Finding(4, "an account link", url, url.startswith("http"))


def _session(run: _Check, step: int, **more: Any) -> RawAnswer:
    price = {"currency": "usd", "unit_amount": 5_000_00, "product_data": {"name": "Check"}}
    return run.post(
        "/v1/checkout/sessions",
        f"session{step}",
        mode="payment",
        line_items=[{"quantity": 1, "price_data": price}],
        success_url="https://example.com/done",
        **more,
    )


def _old_parameter(run: _Check) -> Iterator[Finding]:
    answer = _session(run, 6, payment_method_types=["card"])
    code = "payment_method_types_no_longer_supported"
    yield _expect(6, "a session with payment_method_types", answer, 400, code)


def _new_session(run: _Check) -> Iterator[Finding]:
    answer = _session(run, 7)
    yield _expect(7, "a session without it", answer, 200)
    yield Finding(7, "by hand", f"Pay at {answer.body.get('url')} with 4000 0000 0000 0077.", None)


def _too_much(run: _Check) -> Iterator[Finding]:
    run.ready = _an_active_account(run) or ""
    if not run.ready:
        yield Finding(
            9, "by hand", "No account here is active yet: finish step 5, then run this again.", None
        )
        return
    answer = run.send(99_999_999_00, run.ready, "too_much")
    yield _expect(9, "a transfer of more than there is", answer, 400, "balance_insufficient")


def _not_ready(run: _Check) -> Iterator[Finding]:
    answer = run.send(100, run.account, "not_ready")
    code = "insufficient_capabilities_for_transfer"
    yield _expect(10, "a transfer to an account that is not ready", answer, 400, code)


def _keys(run: _Check) -> Iterator[Finding]:
    if not run.ready:
        return
    first = run.send(100, run.ready, "once")
    if first.status != 200:
        yield Finding(11, "by hand", f"No money is available yet ({first.code}): pay at step 7 first.", None)
        return
    run.transfer = first.body
    second = run.send(100, run.ready, "once")
    replayed = {name.lower(): value for name, value in second.headers.items()}.get("idempotent-replayed")
    same = second.body.get("id") == first.body.get("id")
    yield Finding(11, "the same key again", f"same {same}, replayed {replayed}", same and replayed == "true")
    yield _expect(
        11, "the key with another amount", run.send(101, run.ready, "once"), 400, "idempotency_error"
    )
    found = run.gateway.find_transfer(f"check_{run.run}", run.ready)
    yield Finding(12, "the transfer by its group", found.id if found else "none", bool(found))


def _credit(run: _Check) -> Iterator[Finding]:
    if not run.transfer:
        return
    payment = run.get(f"/v1/charges/{run.transfer['destination_payment']}", run.ready)
    source = payment.body.get("source_transfer")
    yield Finding(13, "the credit in the account", f"from {source}", source == run.transfer["id"])


def _unknown_parameter(run: _Check) -> Iterator[Finding]:
    answer = run.send(100, run.ready or run.account, "unknown", colour="blue")
    yield _expect(14, "a parameter that does not exist", answer, 400, "parameter_unknown")


def _schedule(run: _Check) -> Iterator[Finding]:
    answer = run.get("/v1/balance_settings")
    payouts = (answer.body.get("payments") or {}).get("payouts") or {}
    interval = (payouts.get("schedule") or {}).get("interval")
    yield Finding(15, "the platform's payout schedule", f"{interval}", answer.status == 200)


def _payout(run: _Check) -> Iterator[Finding]:
    made = run.post("/v1/payouts", "payout", amount=100, currency="usd")
    if made.status != 200:
        yield Finding(16, "by hand", f"No payout could be made ({made.code}): pay at step 7 first.", None)
        return
    ended = run.post(f"/v1/payouts/{made.body['id']}/cancel", "cancel")
    yield Finding(
        16, "a payout, cancelled", str(ended.body.get("status")), ended.body.get("status") == "canceled"
    )
    answer = run.get("/v1/balance_transactions", payout=made.body["id"])
    yield Finding(20, "what a manual payout contains", f"{answer.status} {answer.code}", answer.status == 400)


def _sum(run: _Check) -> Iterator[Finding]:
    listed = _all_net(run)
    held = run.gateway.balance().total("USD")
    yield Finding(18, "the sum of net against the balance", f"{listed} and {held}", listed == held)


STEPS: dict[int, Step] = {
    1: _version,
    2: _account,
    3: _nothing_unasked,
    4: _link,
    6: _old_parameter,
    7: _new_session,
    9: _too_much,
    10: _not_ready,
    11: _keys,
    13: _credit,
    14: _unknown_parameter,
    15: _schedule,
    16: _payout,
    18: _sum,
}


def _an_active_account(run: _Check) -> str | None:
    listed = run.get("/v2/core/accounts", limit=20)
    ids = [str(each["id"]) for each in listed.body.get("data", [])]
    return next((each for each in ids if run.gateway.account(each).transfers == "active"), None)


def _all_net(run: _Check) -> int:
    total = 0
    after: dict[str, str] = {}
    while True:
        answer = run.get("/v1/balance_transactions", limit=100, currency="usd", **after)
        rows = answer.body.get("data", [])
        total += sum(int(row["net"]) for row in rows)
        if not answer.body.get("has_more") or not rows:
            return total
        after = {"starting_after": rows[-1]["id"]}
