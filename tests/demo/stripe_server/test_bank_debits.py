"""A bank debit looks paid before it is, and sometimes never was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands
from marketplace.demo.stripe_server.bank_debits import fee
from tests.demo.stripe_server.people import Platform


def debited(platform: Platform, account: str = "000123456789") -> Any:
    session = platform.session(10_000)
    hands.pay_by_debit(session.url, account)
    return session


def later(platform: Platform, days: int) -> None:
    clock.advance(timedelta(days=days))
    platform.local.settle()


def charge_of(platform: Platform) -> stripe.Charge:
    return platform.client.v1.charges.list({"limit": 1}).data[0]


def state(platform: Platform, session: Any) -> tuple[str | None, str, str]:
    """Of the session, its intent and its charge."""
    found: Any = platform.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    return found.payment_status, found.payment_intent.status, charge_of(platform).status


def bank(platform: Platform, which: str) -> int:
    return int(getattr(platform.client.v1.balance.retrieve(), which)[0].source_types.bank_account)


@pytest.mark.parametrize(("amount", "taken"), [(10_000, 80), (62_500, 500), (9_000_000, 500)])
def test_the_fee_is_capped(amount: int, taken: int) -> None:
    assert fee(amount) == taken


def test_nothing_is_paid_until_the_bank_answers(platform: Platform) -> None:
    session = debited(platform)
    assert state(platform, session) == ("unpaid", "processing", "pending")
    assert (bank(platform, "available"), bank(platform, "pending")) == (0, 9_920)
    assert {"charge.pending", "payment_intent.processing", "checkout.session.completed"} <= set(
        platform.event_types()
    )
    later(platform, 7)
    assert state(platform, session) == ("paid", "succeeded", "succeeded")
    assert (bank(platform, "available"), bank(platform, "pending")) == (9_920, 0)
    assert "checkout.session.async_payment_succeeded" in platform.event_types()


def test_a_debit_that_fails_takes_back_what_the_balance_showed(platform: Platform) -> None:
    session = debited(platform, "000222222227")
    later(platform, 7)
    assert state(platform, session) == ("unpaid", "requires_payment_method", "failed")
    charge = charge_of(platform)
    assert (charge.failure_code, charge.paid) == ("insufficient_funds", False)
    taken = platform.client.v1.balance_transactions.retrieve(str(charge.failure_balance_transaction))
    assert (taken.type, taken.amount, taken.source) == ("payment_failure_refund", -10_000, charge.id)
    assert (bank(platform, "available"), bank(platform, "pending")) == (-80, 0)
    assert platform.event_types()[:3] == [
        "checkout.session.async_payment_failed",
        "payment_intent.payment_failed",
        "charge.failed",
    ]


def test_what_the_bank_sends_back_later_is_a_dispute_lost_from_the_start(platform: Platform) -> None:
    session = debited(platform, "000555555559")
    later(platform, 7)
    assert state(platform, session) == ("paid", "succeeded", "succeeded")
    later(platform, 7)
    (dispute,) = platform.client.v1.disputes.list().data
    assert (dispute.status, dispute.reason) == ("lost", "debit_not_authorized")
    assert bank(platform, "available") == 9_920 - 10_000 - 1_500
    told = [type for type in platform.event_types() if type.startswith("charge.dispute")]
    assert told == ["charge.dispute.closed", "charge.dispute.funds_withdrawn", "charge.dispute.created"]


def test_by_hand_a_debit_fails_even_after_it_succeeded(platform: Platform) -> None:
    session = debited(platform)
    later(platform, 7)
    charge = charge_of(platform)
    hands.fail_debit(platform.local.url, charge.id)
    assert state(platform, session) == ("unpaid", "requires_payment_method", "failed")
    assert bank(platform, "available") == -80
    with pytest.raises(hands.Stuck, match="cannot fail"):
        hands.fail_debit(platform.local.url, charge.id)


def test_by_hand_a_debit_fails_while_it_is_still_pending(platform: Platform) -> None:
    session = debited(platform)
    hands.fail_debit(platform.local.url, charge_of(platform).id)
    assert state(platform, session) == ("unpaid", "requires_payment_method", "failed")
    assert (bank(platform, "available"), bank(platform, "pending")) == (0, -80)
    later(platform, 7)
    assert (bank(platform, "available"), bank(platform, "pending")) == (-80, 0)
    assert "charge.succeeded" not in platform.event_types()


def test_a_card_payment_does_not_fail_by_hand(platform: Platform) -> None:
    charge = platform.fund(10_000)
    with pytest.raises(hands.Stuck, match="not a bank debit"):
        hands.fail_debit(platform.local.url, charge.id)


def test_the_next_debit_fails_when_that_is_armed(platform: Platform) -> None:
    hands.arm(platform.local.url, "debit_fails")
    first, second = debited(platform), debited(platform)
    later(platform, 7)
    both = [platform.client.v1.checkout.sessions.retrieve(one.id).payment_status for one in (first, second)]
    assert sorted(map(str, both)) == ["paid", "unpaid"]


def test_a_debit_is_offered_only_where_it_is_allowed_and_only_for_test_accounts(platform: Platform) -> None:
    with pytest.raises(hands.Stuck, match="test accounts"):
        debited(platform, "1")
    session = platform.session(10_000, allowed_payment_method_types=["card"])
    with pytest.raises(hands.Stuck, match="Choose how"):
        hands.pay_by_debit(session.url)
