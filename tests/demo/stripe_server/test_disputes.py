"""A charge is taken back by the customer's bank, and comes back or does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands
from tests.demo.stripe_server.harness import until
from tests.demo.stripe_server.people import Platform

DISPUTED = "4000000000000259"


def disputed(platform: Platform, card: str = DISPUTED) -> stripe.Dispute:
    """A charge of $90.00 that its holder disputes as soon as it is paid."""
    before = len(platform.client.v1.disputes.list().data)
    hands.pay(platform.session(9_000).url, card)
    until(lambda: len(platform.client.v1.disputes.list().data) > before)
    return platform.client.v1.disputes.list({"limit": 1}).data[0]


def answer(platform: Platform, dispute: stripe.Dispute, text: str, **more: Any) -> stripe.Dispute:
    asked: Any = {"evidence": {"uncategorized_text": text}, **more}
    return platform.client.v1.disputes.update(dispute.id, asked)


def now(platform: Platform, dispute: stripe.Dispute) -> stripe.Dispute:
    return platform.client.v1.disputes.retrieve(dispute.id)


def told(platform: Platform) -> list[str]:
    """The events about disputes, oldest first."""
    return [type[15:] for type in platform.event_types()[::-1] if type.startswith("charge.dispute.")]


def test_a_disputed_card_takes_the_money_and_a_fee_at_once(rich: Platform) -> None:
    before = rich.card_balance()
    dispute = disputed(rich)
    assert (dispute.status, dispute.amount, dispute.reason) == ("needs_response", 9_000, "fraudulent")
    assert rich.card_balance() == before - 10_500
    (moved,) = dispute.balance_transactions
    assert (moved.type, moved.reporting_category) == ("adjustment", "dispute")
    assert (moved.amount, moved.fee, moved.net) == (-9_000, 1_500, -10_500)
    assert (moved.source, moved.fee_details[0].description) == (dispute.id, "Dispute fee")
    assert rich.client.v1.charges.retrieve(str(dispute.charge)).disputed is True
    assert told(rich) == ["created", "funds_withdrawn"]
    found = rich.client.v1.disputes.list({"charge": str(dispute.charge)}).data
    assert [one.id for one in found] == [dispute.id]


def test_the_balance_may_go_below_nothing(platform: Platform) -> None:
    disputed(platform)
    assert platform.card_balance() == -10_500


def test_winning_evidence_brings_the_amount_back_but_not_the_fee(rich: Platform) -> None:
    before = rich.card_balance()
    dispute = disputed(rich)
    assert answer(rich, dispute, "winning_evidence").status == "under_review"
    until(lambda: now(rich, dispute).status == "won")
    assert rich.card_balance() == before - 1_500
    won = now(rich, dispute)
    assert (dispute.is_charge_refundable, won.is_charge_refundable) == (False, True)
    assert [moved.net for moved in won.balance_transactions] == [-10_500, 9_000]
    assert won.balance_transactions[1].reporting_category == "dispute_reversal"
    assert told(rich) == ["created", "funds_withdrawn", "updated", "closed", "funds_reinstated"]
    assert rich.client.v1.refunds.create({"charge": str(won.charge), "amount": 100}).status == "succeeded"


def test_losing_evidence_brings_nothing_back(rich: Platform) -> None:
    before = rich.card_balance()
    dispute = disputed(rich)
    answer(rich, dispute, "losing_evidence")
    until(lambda: now(rich, dispute).status == "lost")
    assert rich.card_balance() == before - 10_500
    assert told(rich) == ["created", "funds_withdrawn", "updated", "closed"]


def test_evidence_can_be_kept_back_and_sent_later(rich: Platform) -> None:
    dispute = disputed(rich)
    kept = answer(rich, dispute, "We worked for it.", submit=False, metadata={"ours": "7"})
    assert (kept.status, kept.evidence_details.has_evidence) == ("needs_response", True)
    assert (kept.evidence_details.submission_count, kept.metadata["ours"]) == (0, "7")
    sent = rich.client.v1.disputes.update(dispute.id, {"submit": True})
    assert (sent.status, sent.evidence_details.submission_count) == ("under_review", 1)
    with pytest.raises(stripe.InvalidRequestError, match="no longer be changed"):
        answer(rich, dispute, "More.")


def test_giving_in_loses_it(rich: Platform) -> None:
    dispute = disputed(rich)
    assert rich.client.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="already lost"):
        rich.client.v1.disputes.close(dispute.id)


def test_silence_loses_it_when_the_time_is_over(rich: Platform) -> None:
    dispute = disputed(rich)
    clock.advance(timedelta(days=10))
    rich.local.settle()
    lost = now(rich, dispute)
    assert (lost.status, lost.evidence_details.past_due) == ("lost", True)


def test_what_is_disputed_is_not_refunded(rich: Platform) -> None:
    dispute = disputed(rich)
    with pytest.raises(stripe.InvalidRequestError, match="charged back") as refused:
        rich.client.v1.refunds.create({"charge": str(dispute.charge), "amount": 100})
    assert refused.value.code == "charge_disputed"


def test_by_hand_it_may_be_more_than_the_charge_and_leave_in_parts(rich: Platform) -> None:
    charge = rich.client.v1.charges.list({"limit": 1}).data[0]
    before = rich.card_balance()
    hands.dispute(rich.local.url, charge.id, amount=1_000_200, parts=2)
    dispute = rich.client.v1.disputes.list({"charge": charge.id}).data[0]
    assert [moved.net for moved in dispute.balance_transactions] == [-501_600, -500_100]
    assert rich.card_balance() == before - 1_001_700
    hands.decide(rich.local.url, dispute.id, "won_with_fee")
    assert rich.card_balance() == before
    with pytest.raises(hands.Stuck, match="already won"):
        hands.decide(rich.local.url, dispute.id, "lost")


def test_by_hand_a_charge_is_disputed_once(rich: Platform) -> None:
    charge = rich.client.v1.charges.list({"limit": 1}).data[0]
    hands.dispute(rich.local.url, charge.id)
    with pytest.raises(hands.Stuck, match="disputed already"):
        hands.dispute(rich.local.url, charge.id)
    assert len(rich.client.v1.disputes.list().data) == 1


def test_what_was_refunded_is_not_disputed_again(rich: Platform) -> None:
    charge = rich.client.v1.charges.list({"limit": 1}).data[0]
    rich.fund(2_000_000)
    clock.advance(timedelta(days=5))
    rich.local.settle()
    rich.client.v1.refunds.create({"charge": charge.id, "amount": 400_000})
    hands.dispute(rich.local.url, charge.id)
    (dispute,) = rich.client.v1.disputes.list().data
    assert dispute.amount == 600_000
    hands.decide(rich.local.url, dispute.id, "won")
    rich.client.v1.refunds.create({"charge": charge.id})
    with pytest.raises(hands.Stuck, match="went back already"):
        hands.dispute(rich.local.url, charge.id, amount=100)


def test_what_came_by_bank_transfer_is_not_disputed(platform: Platform) -> None:
    platform.fund_by_bank(10_000)
    clock.advance(timedelta(days=3))
    platform.local.settle()
    charge = platform.client.v1.charges.list({"limit": 1}).data[0]
    with pytest.raises(hands.Stuck, match="not paid by card"):
        hands.dispute(platform.local.url, charge.id)


def test_only_the_own_pages_press_the_buttons(rich: Platform) -> None:
    charge = rich.client.v1.charges.list({"limit": 1}).data[0]
    path = f"/practice/charges/{charge.id}/disputes"
    assert rich.local.post(path, "reason=fraudulent", {"Sec-Fetch-Site": "cross-site"}) == 403
    assert rich.client.v1.disputes.list().data == []
