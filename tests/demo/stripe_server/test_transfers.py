"""Money moves from the platform to an expert, or is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
import stripe

from marketplace import clock
from tests.demo.stripe_server.people import Platform


def refusal(platform: Platform, destination: str, amount: int, **more: object) -> str | None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        platform.transfer(destination, amount, **more)
    return refused.value.code


def test_a_transfer_arrives_as_a_payment_in_the_connected_account(rich: Platform) -> None:
    expert = rich.expert()
    before = rich.card_balance()
    transfer = rich.transfer(expert, 5_000, transfer_group="item_1", metadata={"payout_id": "7"})
    assert rich.card_balance() == before - 5_000
    assert rich.card_balance(account=expert) == 5_000
    there: stripe.RequestOptions = {"stripe_account": expert}
    payment = rich.client.v1.charges.retrieve(
        transfer.destination_payment, {"expand": ["balance_transaction"]}, there
    )
    assert (payment.source_transfer, payment.balance_transaction.net) == (transfer.id, 5_000)
    assert rich.event_types(type="transfer.created") == ["transfer.created"]


def test_a_transfer_is_found_by_its_group_and_destination(rich: Platform) -> None:
    ana, ben = rich.expert(), rich.expert()
    wanted = rich.transfer(ana, 100, transfer_group="g1")
    rich.transfer(ben, 100, transfer_group="g2")
    found = rich.client.v1.transfers.list({"transfer_group": "g1", "destination": ana}).data
    assert [transfer.id for transfer in found] == [wanted.id]
    assert rich.client.v1.transfers.list({"transfer_group": "g1", "destination": ben}).data == []


def test_more_than_is_available_is_refused(rich: Platform) -> None:
    expert = rich.expert()
    assert refusal(rich, expert, rich.card_balance() + 1) == "balance_insufficient"
    rich.transfer(expert, rich.card_balance())
    assert rich.card_balance() == 0


def test_pending_money_does_not_count(platform: Platform) -> None:
    expert = platform.expert()
    platform.fund(10_000)
    assert refusal(platform, expert, 100) == "balance_insufficient"


def test_each_source_type_has_its_own_balance(platform: Platform) -> None:
    expert = platform.expert()
    platform.fund_by_bank(10_000)
    clock.advance(timedelta(days=3))
    platform.local.settle()
    assert refusal(platform, expert, 100) == "balance_insufficient"
    transfer = platform.transfer(expert, 100, source_type="bank_account")
    assert transfer.source_type == "bank_account"
    assert platform.bank_balance() == 9_950 - 100


def test_an_account_that_is_not_ready_is_refused(rich: Platform) -> None:
    assert refusal(rich, rich.account().id, 100) == "insufficient_capabilities_for_transfer"


def test_an_unknown_destination_is_refused(rich: Platform) -> None:
    assert refusal(rich, "acct_nobody", 100) == "resource_missing"


def test_a_transfer_out_of_a_charge_waits_with_the_charge(platform: Platform) -> None:
    expert = platform.expert()
    charge = platform.fund(10_000)
    platform.transfer(expert, 9_000, source_transaction=charge.id)
    assert platform.card_balance(account=expert) == 0
    assert platform.card_balance("pending", account=expert) == 9_000
    assert (platform.card_balance(), platform.card_balance("pending")) == (0, 680)
    clock.advance(timedelta(days=5))
    assert platform.card_balance() == 680


def test_transfers_out_of_a_charge_never_exceed_it(platform: Platform) -> None:
    expert = platform.expert()
    charge = platform.fund(10_000)
    platform.transfer(expert, 9_000, source_transaction=charge.id)
    with pytest.raises(stripe.InvalidRequestError, match="cannot exceed"):
        platform.transfer(expert, 1_001, source_transaction=charge.id)


def test_a_transfer_dated_in_the_past_sees_the_balance_of_that_time(rich: Platform) -> None:
    expert = rich.expert()
    past = clock.now() - timedelta(days=30)
    asked = {"amount": 100, "currency": "usd", "destination": expert}
    with pytest.raises(stripe.InvalidRequestError, match="insufficient"):
        rich.client.v1.transfers.create(asked, {"headers": {"Marketplace-Clock": past.isoformat()}})  # type: ignore[arg-type]
    later = clock.now() - timedelta(hours=1)
    transfer = rich.client.v1.transfers.create(asked, {"headers": {"Marketplace-Clock": later.isoformat()}})  # type: ignore[arg-type]
    assert transfer.created == int(later.timestamp())


def test_the_platforms_transactions_add_up_to_its_balance(rich: Platform) -> None:
    expert = rich.expert()
    for amount in (100, 250, 375):
        rich.transfer(expert, amount)
    everything = rich.client.v1.balance_transactions.list({"limit": 2}).auto_paging_iter()
    assert sum(transaction.net for transaction in everything) == rich.card_balance()


def test_metadata_and_description_can_be_changed_later(rich: Platform) -> None:
    transfer = rich.transfer(rich.expert(), 100, metadata={"a": "1", "b": "2"})
    changed = rich.client.v1.transfers.update(
        transfer.id, {"description": "October", "metadata": {"a": "", "c": "3"}}
    )
    assert changed.description == "October"
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
