"""The same key twice: the same answer, an error, or a conflict; never a second effect."""

from __future__ import annotations

import sqlite3
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest
import stripe

from marketplace import clock
from tests.demo.stripe_server.people import Platform


def made(platform: Platform) -> int:
    return len(platform.client.v1.transfers.list({"limit": 100}).data)


def test_a_repeated_key_repeats_the_answer_and_says_so(rich: Platform) -> None:
    expert = rich.expert()
    first = rich.transfer(expert, 100, "k")
    again = rich.transfer(expert, 100, "k")
    assert (again.id, made(rich)) == (first.id, 1)
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers


def test_a_key_used_for_something_else_is_an_error(rich: Platform) -> None:
    expert = rich.expert()
    rich.transfer(expert, 100, "k")
    with pytest.raises(stripe.IdempotencyError):
        rich.transfer(expert, 101, "k")
    assert made(rich) == 1


def test_a_refusal_is_remembered_too(rich: Platform) -> None:
    expert = rich.expert()
    with pytest.raises(stripe.InvalidRequestError, match="insufficient"):
        rich.transfer(expert, 2_000_000, "k")
    rich.fund(5_000_000)
    clock.advance(timedelta(hours=23))
    rich.local.settle()
    with pytest.raises(stripe.InvalidRequestError, match="insufficient") as refused:
        rich.transfer(expert, 2_000_000, "k")
    assert refused.value.headers["Idempotent-Replayed"] == "true"


def test_wrong_parameters_are_not_remembered(rich: Platform) -> None:
    expert = rich.expert()
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        rich.transfer(expert, 100, "k", colour="red")
    assert rich.transfer(expert, 100, "k").amount == 100


def test_after_24_hours_the_same_key_pays_again(rich: Platform) -> None:
    expert = rich.expert()
    first = rich.transfer(expert, 100, "k")
    clock.advance(timedelta(hours=23, minutes=59))
    assert rich.transfer(expert, 100, "k").id == first.id
    clock.advance(timedelta(minutes=1))
    assert rich.transfer(expert, 100, "k").id != first.id
    assert made(rich) == 2


def test_a_500_is_remembered_and_repeated(rich: Platform) -> None:
    expert = rich.expert()
    with sqlite3.connect(rich.local.data / "stripe.sqlite3") as database:
        database.execute("ALTER TABLE posting RENAME TO away")
    with pytest.raises(stripe.APIError):
        rich.transfer(expert, 100, "k")
    with sqlite3.connect(rich.local.data / "stripe.sqlite3") as database:
        database.execute("ALTER TABLE away RENAME TO posting")
    with pytest.raises(stripe.APIError) as broken:
        rich.transfer(expert, 100, "k")
    assert broken.value.headers["Idempotent-Replayed"] == "true"
    assert made(rich) == 0


def test_a_key_in_flight_is_a_conflict_that_is_not_remembered(rich: Platform) -> None:
    expert = rich.expert()
    lock = sqlite3.connect(rich.local.data / "stripe.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(rich.transfer, expert, 100, "k") for _ in range(2)]
        done, _ = wait(both, timeout=20, return_when=FIRST_COMPLETED)
        lock.execute("ROLLBACK")
        lock.close()
    conflict = done.pop().exception()
    assert isinstance(conflict, stripe.APIError)
    assert (conflict.http_status, conflict.json_body["error"]["code"]) == (409, "idempotency_key_in_use")
    assert rich.transfer(expert, 100, "k").last_response.headers["Idempotent-Replayed"] == "true"
    assert made(rich) == 1


def test_keys_of_two_accounts_do_not_meet(rich: Platform) -> None:
    ana, ben = rich.expert(), rich.expert()
    for account in (ana, ben):
        rich.transfer(account, 1_000)
        options: stripe.RequestOptions = {"stripe_account": account, "idempotency_key": "k"}
        rich.client.v1.payouts.create({"amount": 500, "currency": "usd"}, options)
    assert rich.card_balance(account=ben) == 500


def test_a_key_is_at_most_255_characters_long(rich: Platform) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        rich.transfer(rich.expert(), 100, "k" * 256)


def test_a_repeated_creation_in_v2_answers_what_is_true_by_now(platform: Platform) -> None:
    create = platform.client.v2.core.accounts.create
    first = create({"display_name": "Ana"}, {"idempotency_key": "k"})
    platform.client.v2.core.accounts.update(first.id, {"display_name": "Ana Silva"})
    again = create({"display_name": "Ana"}, {"idempotency_key": "k"})
    assert (again.id, again.display_name) == (first.id, "Ana Silva")
    with pytest.raises(stripe.IdempotencyError):
        create({"display_name": "Ben"}, {"idempotency_key": "k"})


def test_a_failure_in_v2_is_tried_again(platform: Platform) -> None:
    asked: Any = {"account": "acct_nobody", "use_case": {"type": "account_onboarding", "account_onboarding": {
        "refresh_url": "http://localhost:9/refresh"}}}  # fmt: skip
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            platform.client.v2.core.account_links.create(asked, {"idempotency_key": "k"})
        assert "Idempotent-Replayed" not in refused.value.headers
