"""The platform fills its balance from its own bank account, or cannot."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands
from tests.demo.stripe_server.people import Platform


def top_up(platform: Platform, amount: int = 50_000, **more: Any) -> stripe.Topup:
    asked: Any = {"amount": amount, "currency": "usd", **more}
    return platform.client.v1.topups.create(asked)


def later(platform: Platform, days: int = 7) -> None:
    clock.advance(timedelta(days=days))
    platform.local.settle()


def booked(platform: Platform) -> list[int]:
    """What the operator's bank booked with Stripe, in minor units."""
    lines = json.loads(platform.local.get("/bank/lines.json")[1])
    return [line["amount"] for line in lines if "TOPUP" in line["text"]]


def test_it_arrives_three_business_days_later(platform: Platform) -> None:
    topup = top_up(platform, metadata={"ours": "7"}, statement_descriptor="TOP")
    assert (topup.status, topup.balance_transaction, platform.bank_balance()) == ("pending", None, 0)
    later(platform)
    found = platform.client.v1.topups.retrieve(topup.id, {"expand": ["balance_transaction"]})
    moved: Any = found.balance_transaction
    assert (found.status, moved.type, moved.net) == ("succeeded", "topup", 50_000)
    assert platform.bank_balance() == 50_000
    assert booked(platform) == [-50_000]
    assert [type for type in platform.event_types() if "topup" in type] == [
        "topup.succeeded",
        "topup.created",
    ]


def test_it_fails_when_that_is_armed(platform: Platform) -> None:
    hands.arm(platform.local.url, "topup_fails")
    first = top_up(platform)
    later(platform)
    failed = platform.client.v1.topups.retrieve(first.id)
    assert (failed.status, failed.failure_code) == ("failed", "insufficient_funds")
    assert (platform.bank_balance(), booked(platform)) == (0, [])
    assert platform.event_types(type="topup.failed") == ["topup.failed"]
    second = top_up(platform)
    later(platform)
    assert platform.client.v1.topups.retrieve(second.id).status == "succeeded"


def test_it_may_be_taken_back_after_it_came(platform: Platform) -> None:
    hands.arm(platform.local.url, "topup_returns")
    topup = top_up(platform)
    later(platform, 12)
    assert platform.client.v1.topups.retrieve(topup.id).status == "reversed"
    assert (platform.bank_balance(), booked(platform)) == (0, [-50_000, 50_000])
    assert platform.event_types(type="topup.reversed") == ["topup.reversed"]
    moved = platform.client.v1.balance_transactions.list({"source": topup.id}).data
    assert [one.type for one in moved] == ["topup_reversal", "topup"]


def test_it_can_be_cancelled_while_it_is_pending(platform: Platform) -> None:
    topup = top_up(platform)
    assert platform.client.v1.topups.cancel(topup.id).status == "canceled"
    later(platform)
    assert platform.bank_balance() == 0
    with pytest.raises(stripe.InvalidRequestError, match="only cancel"):
        platform.client.v1.topups.cancel(topup.id)


def test_they_are_listed_by_amount_and_status(platform: Platform) -> None:
    small, large = top_up(platform, 100), top_up(platform, 900)
    platform.client.v1.topups.cancel(small.id)
    listed = platform.client.v1.topups.list
    assert [one.id for one in listed({"amount": {"gt": 500}}).data] == [large.id]
    assert [one.id for one in listed({"status": "canceled"}).data] == [small.id]


def test_another_currency_is_refused(platform: Platform) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="currency of its bank account"):
        top_up(platform, currency="eur")
