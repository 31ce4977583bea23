"""Money leaves for a bank account: by itself for experts, on demand for the platform."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands
from tests.demo.stripe_server.harness import PLATFORM
from tests.demo.stripe_server.people import Platform


def later(platform: Platform, days: int) -> None:
    clock.advance(timedelta(days=days))
    platform.local.settle()


def test_an_expert_is_paid_out_the_next_day_and_two_business_days_later(rich: Platform) -> None:
    expert = rich.expert()
    there: stripe.RequestOptions = {"stripe_account": expert}
    transfer = rich.transfer(expert, 5_000)
    later(rich, 1)
    payout = rich.client.v1.payouts.list({}, there).data[0]
    assert (payout.amount, payout.status, payout.automatic) == (5_000, "pending", True)
    assert payout.created == transfer.created + 86_400
    assert payout.reconciliation_status == "in_progress"
    later(rich, 5)
    payout = rich.client.v1.payouts.retrieve(payout.id, {}, there)
    assert (payout.status, payout.reconciliation_status) == ("paid", "completed")
    assert payout.trace_id.status == "supported"
    created = datetime.fromtimestamp(payout.created, UTC).date()
    assert datetime.fromtimestamp(payout.arrival_date, UTC).date() == clock.add_business_days(created, 2)


def test_an_automatic_payout_can_be_itemised_once_it_is_reconciled(rich: Platform) -> None:
    expert = rich.expert()
    there: stripe.RequestOptions = {"stripe_account": expert}
    transfers = [rich.transfer(expert, amount) for amount in (300, 400)]
    later(rich, 1)
    payout = rich.client.v1.payouts.list({}, there).data[0]
    with pytest.raises(stripe.InvalidRequestError, match="not reconciled yet"):
        rich.client.v1.balance_transactions.list({"payout": payout.id}, there)
    later(rich, 5)
    items = rich.client.v1.balance_transactions.list(
        {"payout": payout.id, "expand": ["data.source"]}, there
    ).data
    sources = {item.source.source_transfer for item in items if item.type == "payment"}
    assert sources == {transfer.id for transfer in transfers}
    assert sum(item.net for item in items) == 0


def test_a_transfer_made_twelve_weeks_ago_has_its_payout_at_once(rich: Platform) -> None:
    expert = rich.expert()
    past = clock.now() - timedelta(weeks=12)
    _as_of(rich, past - timedelta(days=10))
    made = rich.client.v1.transfers.create(
        {"amount": 700, "currency": "usd", "destination": expert},
        {"headers": {"Marketplace-Clock": past.isoformat()}},  # type: ignore[arg-type]
    )
    rich.local.settle()
    payout = rich.client.v1.payouts.list({}, {"stripe_account": expert}).data[0]
    assert (payout.status, payout.created) == ("paid", made.created + 86_400)


def test_a_manual_schedule_holds_the_money(rich: Platform) -> None:
    expert = rich.expert()
    there: stripe.RequestOptions = {"stripe_account": expert}
    settings = rich.client.v1.balance_settings.update(
        {"payments": {"payouts": {"schedule": {"interval": "manual"}}}}, there
    )
    assert settings.payments.payouts.schedule.interval == "manual"
    rich.transfer(expert, 5_000)
    later(rich, 7)
    assert rich.client.v1.payouts.list({}, there).data == []
    assert rich.card_balance(account=expert) == 5_000


def test_balance_settings_carry_empty_maps_never_null(platform: Platform) -> None:
    rules = (
        platform.client.v1.balance_settings.retrieve().payments.payouts.automatic_transfer_rules_by_currency
    )
    assert rules == {}


def test_a_platform_payout_takes_the_money_at_once_and_arrives_later(rich: Platform) -> None:
    before = rich.card_balance()
    payout = rich.client.v1.payouts.create({"amount": 10_000, "currency": "usd", "metadata": {"sweep": "1"}})
    assert (payout.status, payout.reconciliation_status) == ("pending", "not_applicable")
    assert rich.card_balance() == before - 10_000
    later(rich, 7)
    assert rich.client.v1.payouts.retrieve(payout.id).status == "paid"
    with pytest.raises(stripe.InvalidRequestError, match="automatic payouts, not manual"):
        rich.client.v1.balance_transactions.list({"payout": payout.id})


def test_a_platform_payout_needs_the_money(rich: Platform) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        rich.client.v1.payouts.create({"amount": 100, "currency": "usd", "source_type": "bank_account"})
    assert refused.value.code == "balance_insufficient"


def test_a_payout_can_be_cancelled_until_the_bank_has_it(rich: Platform) -> None:
    before = rich.card_balance()
    first = rich.client.v1.payouts.create({"amount": 100, "currency": "usd"})
    assert rich.client.v1.payouts.cancel(first.id).status == "canceled"
    assert rich.card_balance() == before
    second = rich.client.v1.payouts.create({"amount": 100, "currency": "usd"})
    later(rich, 1)
    with pytest.raises(stripe.InvalidRequestError):
        rich.client.v1.payouts.cancel(second.id)


def test_the_platforms_own_schedule_is_manual(rich: Platform) -> None:
    later(rich, 7)
    assert rich.client.v1.payouts.list().data == []
    assert rich.client.v1.accounts.retrieve_current().id == PLATFORM


def _as_of(platform: Platform, moment: datetime) -> None:
    """Give the platform card money that was already available at a moment in the past."""
    session = platform.client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 100_000,
                                                          "product_data": {"name": "Funding"}}}],
            "success_url": "http://localhost:9/done",
        },
        {"headers": {"Marketplace-Clock": moment.isoformat()}},  # type: ignore[arg-type]
    )  # fmt: skip
    # The session may have run out by the shared clock before the page is opened: pay in the same past.
    hands.pay(str(session.url), moment=moment)


def test_a_payout_may_fail_after_it_was_paid(rich: Platform) -> None:
    expert = rich.expert()
    there: stripe.RequestOptions = {"stripe_account": expert}
    hands.arm(rich.local.url, "payout_returns", expert)
    rich.transfer(expert, 5_000)
    later(rich, 4)
    payout = rich.client.v1.payouts.list({}, there).data[0]
    assert payout.status == "paid"
    later(rich, 5)
    failed = rich.client.v1.payouts.retrieve(payout.id, {"expand": ["failure_balance_transaction"]}, there)
    moved: Any = failed.failure_balance_transaction
    assert (failed.status, failed.failure_code) == ("failed", "account_closed")
    assert (moved.type, moved.net, rich.card_balance(account=expert)) == ("payout_failure", 5_000, 5_000)
    told = rich.client.v1.events.list({"type": "payout.failed"}, there).data[0]
    assert told.data.to_dict()["previous_attributes"] == {"status": "paid"}


def test_after_a_failure_money_waits_for_another_bank_account(rich: Platform) -> None:
    expert = rich.expert()
    there: stripe.RequestOptions = {"stripe_account": expert}
    hands.arm(rich.local.url, "payout_fails", expert)
    rich.transfer(expert, 5_000)
    later(rich, 4)
    rich.transfer(expert, 100)
    later(rich, 3)
    assert [payout.status for payout in rich.client.v1.payouts.list({}, there).data] == ["failed"]
    assert rich.card_balance(account=expert) == 5_100
    hands.onboard(rich.link(expert).url, account_number="000999999991")
    later(rich, 1)
    assert rich.client.v1.payouts.list({}, there).data[0].amount == 5_100


def test_payouts_to_the_closed_test_account_fail(rich: Platform) -> None:
    expert = rich.account().id
    hands.onboard(rich.link(expert).url, account_number="000111111113")
    later(rich, 1)
    rich.transfer(expert, 5_000)
    later(rich, 6)
    payout = rich.client.v1.payouts.list({}, {"stripe_account": expert}).data[0]
    assert (payout.status, payout.failure_code) == ("failed", "account_closed")


def test_a_platform_payout_that_comes_back_is_on_the_statement_twice(rich: Platform) -> None:
    before = rich.card_balance()
    payout = rich.client.v1.payouts.create({"amount": 10_000, "currency": "usd"})
    later(rich, 7)
    hands.fail_payout(rich.local.url, payout.id)
    assert rich.client.v1.payouts.retrieve(payout.id).status == "failed"
    assert rich.card_balance() == before
    later(rich, 3)  # The bank books on banking days only.
    lines = json.loads(rich.local.get("/bank/lines.json")[1])
    booked = [line["amount"] for line in lines if line["end_to_end_id"] == payout.id]
    assert booked == [10_000, -10_000]
    with pytest.raises(hands.Stuck, match="already failed"):
        hands.fail_payout(rich.local.url, payout.id)
    assert rich.client.v1.payouts.create({"amount": 100, "currency": "usd"}).status == "pending"


def test_an_account_may_lose_its_transfers_with_or_without_a_word(rich: Platform) -> None:
    loud, quiet = rich.expert(), rich.expert()
    changed = "v2.core.account[configuration.recipient].capability_status_updated"
    before = len(rich.client.v2.core.events.list({"types": [changed]}).data)
    hands.stop_transfers(rich.local.url, quiet, quietly=True)
    assert len(rich.client.v2.core.events.list({"types": [changed]}).data) == before
    hands.stop_transfers(rich.local.url, loud)
    assert len(rich.client.v2.core.events.list({"types": [changed]}).data) == before + 1
    for expert in (loud, quiet):
        assert rich.status(expert) == "restricted"
        with pytest.raises(stripe.InvalidRequestError, match="capabilities"):
            rich.transfer(expert, 100)
        hands.allow_transfers(rich.local.url, expert)
        assert rich.transfer(expert, 100).amount == 100
