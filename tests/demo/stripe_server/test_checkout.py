"""A client pays: by card, or by a bank transfer that comes later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands
from marketplace.demo.stripe_server.payments import bank_transfer_fee, card_fee
from tests.demo.stripe_server.people import BY_BANK, ELSEWHERE, Platform


def test_a_card_payment_completes_the_session(platform: Platform) -> None:
    session = platform.session(12_345, payment_intent_data={"transfer_group": "p1", "metadata": {"a": "b"}})
    assert hands.pay(session.url) == f"{ELSEWHERE}/done?session={session.id}"
    found = platform.client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge.balance_transaction", "line_items"]}
    )
    assert (found.status, found.payment_status) == ("complete", "paid")
    intent = found.payment_intent
    assert (intent.status, intent.transfer_group, intent.metadata["a"]) == ("succeeded", "p1", "b")
    paid = intent.latest_charge.balance_transaction
    assert (paid.amount, paid.fee, paid.net) == (12_345, 388, 11_957)
    assert found.line_items.data[0].amount_total == 12_345


@pytest.mark.parametrize(("amount", "fee"), [(10_000, 320), (50, 31), (1_050, 60), (1_052, 61)])
def test_the_card_fee_is_rounded_half_up(amount: int, fee: int) -> None:
    assert card_fee(amount) == fee


@pytest.mark.parametrize(
    ("amount", "fee"), [(10_000, 50), (100, 1), (99, 0), (100_000, 500), (9_000_000, 500)]
)
def test_the_bank_transfer_fee_is_capped(amount: int, fee: int) -> None:
    assert bank_transfer_fee(amount) == fee


def test_card_money_waits_two_business_days(platform: Platform) -> None:
    charge = platform.fund(10_000)
    assert (platform.card_balance(), platform.card_balance("pending")) == (0, 9_680)
    paid = platform.client.v1.balance_transactions.retrieve(charge.balance_transaction)
    assert paid.status == "pending"
    day = clock.add_business_days(clock.now().date(), 2)
    assert paid.available_on == int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    clock.advance(timedelta(days=5))
    assert (platform.card_balance(), platform.card_balance("pending")) == (9_680, 0)


def test_a_declined_card_says_so_and_another_one_can_follow(platform: Platform) -> None:
    session = platform.session(10_000)
    with pytest.raises(hands.Stuck, match="Your card was declined"):
        hands.pay(session.url, "4000000000000002")
    failed = platform.client.v1.charges.list().data[0]
    assert (failed.status, failed.paid) == ("failed", False)
    hands.pay(session.url)
    assert platform.client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert platform.event_types(types=["payment_intent.payment_failed", "payment_intent.created"]) == [
        "payment_intent.payment_failed",
        "payment_intent.created",
    ]


def test_a_bank_transfer_comes_on_the_next_business_day_and_can_be_spent_at_once(platform: Platform) -> None:
    session = platform.fund_by_bank(200_000)
    found = platform.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (found.status, found.payment_status) == ("complete", "unpaid")
    assert found.payment_intent.next_action.type == "display_bank_transfer_instructions"
    assert "checkout.session.completed" in platform.event_types()
    clock.advance(timedelta(days=3))
    platform.local.settle()
    assert platform.client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert "checkout.session.async_payment_succeeded" in platform.event_types()
    assert (platform.bank_balance(), platform.card_balance()) == (199_500, 0)


def test_a_bank_transfer_needs_a_customer(platform: Platform) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="customer is required"):
        platform.session(10_000, payment_method_options=BY_BANK)


def test_payment_method_types_are_gone(platform: Platform) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        platform.session(10_000, payment_method_types=["card"])
    assert refused.value.code == "payment_method_types_no_longer_supported"


def test_allowed_payment_method_types_narrow_what_is_offered(platform: Platform) -> None:
    customer = platform.client.v1.customers.create({"name": "Northwind AI"})
    session = platform.session(
        10_000,
        customer=customer.id,
        payment_method_options=BY_BANK,
        allowed_payment_method_types=["customer_balance"],
    )
    with pytest.raises(hands.Stuck, match="Choose how"):
        hands.pay(session.url)


def test_a_session_can_be_ended_and_ends_by_itself_after_a_day(platform: Platform) -> None:
    by_hand, by_time = platform.session(10_000), platform.session(10_000)
    assert platform.client.v1.checkout.sessions.expire(by_hand.id).status == "expired"
    clock.advance(timedelta(days=1))
    platform.local.settle()
    assert platform.client.v1.checkout.sessions.retrieve(by_time.id).status == "expired"
    with pytest.raises(hands.Stuck, match="no longer open"):
        hands.pay(by_time.url)
    with pytest.raises(stripe.InvalidRequestError):
        platform.client.v1.checkout.sessions.expire(by_hand.id)


def test_a_paid_session_is_not_paid_twice(platform: Platform) -> None:
    session = platform.session(10_000)
    hands.pay(session.url)
    with pytest.raises(hands.Stuck, match="This is paid"):
        hands.pay(session.url)
    assert platform.card_balance("pending") == 9_680


def test_a_total_below_the_smallest_charge_is_refused(platform: Platform) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        platform.session(49)
    assert refused.value.code == "amount_too_small"
