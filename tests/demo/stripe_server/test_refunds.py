"""Part of a charge goes back by the way it came, or does not."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands, refunds
from marketplace.demo.stripe_server.errors import StripeRefusal
from tests.demo.stripe_server.harness import until
from tests.demo.stripe_server.people import Platform


def charge_of(platform: Platform) -> stripe.Charge:
    return platform.client.v1.charges.list({"limit": 1}).data[0]


def refund(platform: Platform, charge: str, **more: object) -> stripe.Refund:
    return platform.client.v1.refunds.create({"charge": charge, **more})  # type: ignore[typeddict-item]


def refusal(platform: Platform, charge: str, **more: object) -> str | None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        refund(platform, charge, **more)
    return refused.value.code


def test_a_part_goes_back_and_is_told(rich: Platform) -> None:
    charge, before = charge_of(rich), rich.card_balance()
    made = refund(rich, charge.id, amount=400, metadata={"refund": "7"})
    assert (made.status, made.amount, made.charge) == ("succeeded", 400, charge.id)
    assert rich.card_balance() == before - 400
    assert charge_of(rich).amount_refunded == 400
    assert [each.id for each in rich.client.v1.refunds.list({"charge": charge.id}).data] == [made.id]
    assert rich.event_types(type="refund.created") == ["refund.created"]
    moved = rich.client.v1.balance_transactions.retrieve(str(made.balance_transaction))
    assert (moved.type, moved.reporting_category, moved.net) == ("refund", "refund", -400)


def test_never_more_than_is_left_of_the_charge(rich: Platform) -> None:
    charge = charge_of(rich)
    rich.fund(2_000_000)
    clock.advance(timedelta(days=5))
    rich.local.settle()
    refund(rich, charge.id, amount=charge.amount - 1)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        refund(rich, charge.id, amount=2)
    refund(rich, charge.id)
    assert refusal(rich, charge.id, amount=1) == "charge_already_refunded"


def test_three_decimals_go_back_in_whole_tens(rich: Platform) -> None:
    call: Any = SimpleNamespace(params={"amount": 1_005})
    charge = {"id": "ch_1", "amount": 9_000, "amount_refunded": 0, "currency": "kwd"}
    with pytest.raises(StripeRefusal):
        refunds._amount(call, charge)
    call.params["amount"] = 1_010
    assert refunds._amount(call, charge) == 1_010


def test_what_is_not_available_is_refused(platform: Platform) -> None:
    charge = platform.fund(10_000)
    assert refusal(platform, charge.id, amount=100) == "balance_insufficient"


def test_the_same_key_sends_it_once(rich: Platform) -> None:
    charge = charge_of(rich)
    made = [
        rich.client.v1.refunds.create(
            {"charge": charge.id, "amount": 5}, {"idempotency_key": "refund:1:1"}
        ).id
        for _twice in range(2)
    ]
    assert made[0] == made[1]
    assert charge_of(rich).amount_refunded == 5


def test_by_bank_transfer_it_takes_a_day(platform: Platform) -> None:
    platform.fund_by_bank(10_000)
    clock.advance(timedelta(days=3))
    platform.local.settle()
    made = refund(platform, charge_of(platform).id, amount=500, instructions_email="carla@northwind.example")
    assert (made.status, made.pending_reason) == ("pending", "processing")
    clock.advance(timedelta(days=4))
    platform.local.settle()
    until(lambda: platform.client.v1.refunds.retrieve(made.id).status == "succeeded")


def test_a_bank_may_send_it_back(rich: Platform) -> None:
    session = rich.session(9_000)
    hands.pay(session.url, "4000000000007726")
    before = rich.card_balance()
    made = refund(rich, charge_of(rich).id, amount=700)
    assert made.status == "succeeded"
    assert rich.card_balance() == before - 700
    clock.advance(timedelta(days=7))
    rich.local.settle()
    found = rich.client.v1.refunds.retrieve(made.id)
    assert (found.status, found.failure_reason) == ("failed", "expired_or_canceled_card")
    assert charge_of(rich).amount_refunded == 0
    assert rich.event_types(type="refund.failed") == ["refund.failed"]
