"""Armed switches strike as often as they were set, before the effect or after it."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands
from tests.demo.stripe_server.harness import KEY
from tests.demo.stripe_server.people import Platform

TRANSFERS = "POST /v1/transfers"


def made(platform: Platform) -> int:
    return len(platform.client.v1.transfers.list({"limit": 100}).data)


def arm(platform: Platform, kind: str, target: str = TRANSFERS, times: int | None = 1) -> None:
    hands.arm(platform.local.url, kind, target, times)


def impatient(platform: Platform) -> stripe.StripeClient:
    return platform.local.client(http_client=stripe.RequestsClient(timeout=1))


def send(client: stripe.StripeClient, expert: str) -> Any:
    asked: Any = {"amount": 100, "currency": "usd", "destination": expert}
    return client.v1.transfers.create(asked, {"idempotency_key": "k"})


def test_an_error_before_leaves_the_key_free(rich: Platform) -> None:
    expert = rich.expert()
    arm(rich, "error_before")
    with pytest.raises(stripe.APIError) as broken:
        rich.transfer(expert, 100, "k")
    assert (broken.value.http_status, made(rich)) == (500, 0)
    assert rich.transfer(expert, 100, "k").amount == 100
    assert made(rich) == 1


def test_an_error_after_is_repeated_under_the_key_until_it_is_pruned(rich: Platform) -> None:
    expert = rich.expert()
    arm(rich, "error_after")
    with pytest.raises(stripe.APIError):
        rich.transfer(expert, 100, "k")
    assert made(rich) == 1
    with pytest.raises(stripe.APIError) as again:
        rich.transfer(expert, 100, "k")
    assert again.value.headers["Idempotent-Replayed"] == "true"
    assert made(rich) == 1
    hands.prune_keys(rich.local.url)
    assert rich.transfer(expert, 100, "k").amount == 100
    assert made(rich) == 2


def test_in_v2_what_was_done_is_answered_at_the_second_try(platform: Platform) -> None:
    arm(platform, "error_after", "POST /v2/core/accounts")
    asked: Any = {"display_name": "Ana"}
    with pytest.raises(stripe.APIError):
        platform.client.v2.core.accounts.create(asked, {"idempotency_key": "k"})
    platform.client.v2.core.accounts.create(asked, {"idempotency_key": "k"})
    assert len(platform.client.v2.core.accounts.list().data) == 1


@pytest.mark.parametrize(
    ("kind", "done"), [("drop_before", 0), ("drop_after", 1), ("hang_before", 0), ("hang_after", 1)]
)
def test_no_answer_comes(rich: Platform, kind: str, done: int) -> None:
    expert = rich.expert()
    arm(rich, kind)
    with pytest.raises(stripe.APIConnectionError):
        send(impatient(rich), expert)
    assert made(rich) == done
    again = send(rich.client, expert)
    assert again.last_response.headers.get("Idempotent-Replayed") == ("true" if done else None)
    assert made(rich) == 1


def test_garbage_is_a_success_that_says_nothing(rich: Platform) -> None:
    expert = rich.expert()
    arm(rich, "garbage")
    connection = http.client.HTTPConnection("127.0.0.1", rich.local.port, timeout=20)
    form = f"amount=100&currency=usd&destination={expert}"
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/v1/transfers", form, headers)
    answer = connection.getresponse()
    assert (answer.status, answer.headers.get_content_type()) == (200, "text/html")
    connection.close()
    assert made(rich) == 1


REFUSALS = [
    ("key_in_use", 409, "idempotency_key_in_use", None),
    ("lock_timeout", 429, "lock_timeout", None),
    ("limit_endpoint_rate", 429, "rate_limit", "endpoint-rate"),
    ("limit_global_rate", 429, "rate_limit", "global-rate"),
    ("limit_endpoint_concurrency", 429, "rate_limit", "endpoint-concurrency"),
    ("limit_global_concurrency", 429, "rate_limit", "global-concurrency"),
    ("limit_resource_specific", 429, "rate_limit", "resource-specific"),
]


def test_what_is_refused_before_it_began_is_not_remembered(rich: Platform) -> None:
    expert = rich.expert()
    for kind, status, code, reason in REFUSALS:
        arm(rich, kind)
        with pytest.raises(stripe.StripeError) as refused:
            rich.transfer(expert, 100, kind)
        said: Any = refused.value
        assert (said.http_status, said.json_body["error"]["code"]) == (status, code)
        assert said.headers.get("Stripe-Rate-Limited-Reason") == reason
        assert "Stripe-Should-Retry" not in said.headers
        assert "Retry-After" not in said.headers
        assert rich.transfer(expert, 100, kind).amount == 100


def test_a_switch_strikes_as_often_as_it_says_and_only_there(rich: Platform) -> None:
    expert = rich.expert()
    arm(rich, "error_before", times=2)
    assert rich.card_balance() > 0
    for left in (1, 0):
        with pytest.raises(stripe.APIError):
            rich.transfer(expert, 100)
        assert [fault["left"] for fault in hands.armed(rich.local.url)] == [left]
    assert rich.transfer(expert, 100).amount == 100
    (fault,) = hands.armed(rich.local.url)
    assert (fault["kind"], fault["target"], fault["struck"]) == ("error_before", TRANSFERS, 2)


def test_a_switch_without_a_number_strikes_until_it_is_cleared(platform: Platform) -> None:
    arm(platform, "drop_before", "*", None)
    for _ in range(3):
        with pytest.raises(stripe.APIConnectionError):
            platform.client.v1.balance.retrieve()
    hands.clear_faults(platform.local.url)
    assert platform.client.v1.balance.retrieve().object == "balance"
    assert hands.armed(platform.local.url) == []


def test_switches_outlive_a_restart(platform: Platform) -> None:
    arm(platform, "error_before", "GET *")
    platform.local.stop()
    platform.local.start_again()
    with pytest.raises(stripe.APIError):
        platform.client.v1.balance.retrieve()


def test_the_real_limit_lets_25_a_second_through(platform: Platform) -> None:
    arm(platform, "real_limit")
    clients = [platform.local.client() for _ in range(4)]

    def ask(number: int) -> str | None:
        try:
            clients[number % 4].v1.customers.list({"limit": 1})
        except stripe.RateLimitError as refused:
            return str((refused.headers or {})["Stripe-Rate-Limited-Reason"])
        return None

    started = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(100)))
    let_through = answers.count(None)
    assert 25 <= let_through <= 25 + 25 * (time.monotonic() - started) + 1
    assert set(answers) == {None, "endpoint-rate"}
    assert platform.client.v1.balance.retrieve().object == "balance"


def test_latency_is_added_to_each_answer(platform: Platform) -> None:
    arm(platform, "latency")
    started = time.monotonic()
    platform.client.v1.balance.retrieve()
    assert time.monotonic() - started >= 0.2


def test_the_capability_goes_just_before_it_is_needed(rich: Platform) -> None:
    expert, other = rich.expert(), rich.expert()
    arm(rich, "capability_off", expert)
    assert rich.transfer(other, 100).amount == 100
    with pytest.raises(stripe.InvalidRequestError) as refused:
        rich.transfer(expert, 100)
    assert refused.value.code == "insufficient_capabilities_for_transfer"
    assert rich.status(expert) == "restricted"


def test_the_page_names_what_is_armed_and_moves_the_clock(platform: Platform) -> None:
    arm(platform, "error_after", times=3)
    before = clock.now()
    status, page = platform.local.get("/practice")
    assert status == 200
    assert b"3 more times" in page
    assert platform.local.post("/practice/clock", "hours=72", {}) == 303
    assert clock.now() - before >= timedelta(hours=72)


def test_what_the_page_does_not_offer_is_refused(platform: Platform) -> None:
    for path, form in (
        ("/practice/faults", "kind=nothing"),
        ("/practice/faults", "kind=error_before&times=0"),
        ("/practice/faults", "kind=error_before&times=ten"),
        ("/practice/faults", "kind=error_before&target=POST+/v1/nothing"),
        ("/practice/clock", "hours=-1"),
        ("/practice/clock", "hours=1000000"),
    ):
        assert platform.local.post(path, form, {}) == 409, form
    assert hands.armed(platform.local.url) == []
