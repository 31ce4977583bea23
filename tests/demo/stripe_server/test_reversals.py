"""A transfer comes back, whole or in part, as far as the connected account has the money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import stripe

from marketplace import clock
from marketplace.demo.stripe_server import hands
from tests.demo.stripe_server.people import Platform


def reverse(platform: Platform, transfer: str, key: str | None = None, **asked: Any) -> Any:
    return platform.client.v1.transfers.reversals.create(
        transfer,
        asked,
        {"idempotency_key": key} if key else {},  # type: ignore[arg-type]
    )


def test_part_of_a_transfer_comes_back(rich: Platform) -> None:
    expert, before = rich.expert(), rich.card_balance()
    transfer = rich.transfer(expert, 5_000)
    reversal = reverse(rich, transfer.id, amount=1_200, metadata={"ours": "7"})
    assert (reversal.amount, reversal.transfer, reversal.metadata["ours"]) == (1_200, transfer.id, "7")
    assert rich.card_balance() == before - 3_800
    assert rich.card_balance(account=expert) == 3_800
    found = rich.client.v1.transfers.retrieve(transfer.id)
    assert (found.amount_reversed, found.reversed) == (1_200, False)
    assert [one.id for one in found.reversals.data] == [reversal.id]
    moved = rich.client.v1.balance_transactions.retrieve(reversal.balance_transaction)
    assert (moved.type, moved.reporting_category, moved.net) == (
        "transfer_refund",
        "transfer_reversal",
        1_200,
    )
    assert rich.event_types(type="transfer.reversed") == ["transfer.reversed"]


def test_the_connected_account_sees_a_refund_of_its_payment(rich: Platform) -> None:
    expert = rich.expert()
    there: stripe.RequestOptions = {"stripe_account": expert}
    transfer = rich.transfer(expert, 5_000)
    refund: Any = reverse(rich, transfer.id, amount=1_200).destination_payment_refund
    payment = rich.client.v1.charges.retrieve(transfer.destination_payment, {}, there)
    assert payment.amount_refunded == 1_200
    assert rich.client.v1.refunds.retrieve(refund, {}, there).charge == payment.id
    moved = rich.client.v1.balance_transactions.list({"source": refund}, there).data[0]
    assert (moved.type, moved.net) == ("payment_refund", -1_200)


def test_never_more_than_is_left_of_it(rich: Platform) -> None:
    expert = rich.expert()
    transfer = rich.transfer(expert, 5_000)
    rich.transfer(expert, 5_000)
    reverse(rich, transfer.id, amount=4_000)
    with pytest.raises(stripe.InvalidRequestError, match="greater than the unreversed"):
        reverse(rich, transfer.id, amount=1_001)
    assert reverse(rich, transfer.id).amount == 1_000
    assert rich.client.v1.transfers.retrieve(transfer.id).reversed is True
    with pytest.raises(stripe.InvalidRequestError, match="fully reversed"):
        reverse(rich, transfer.id)


def test_what_the_account_no_longer_has_does_not_come_back(rich: Platform) -> None:
    expert = rich.expert()
    transfer = rich.transfer(expert, 5_000)
    clock.advance(timedelta(days=4))
    rich.local.settle()
    with pytest.raises(stripe.InvalidRequestError, match="insufficient") as refused:
        reverse(rich, transfer.id, amount=100)
    assert refused.value.code == "balance_insufficient"
    assert rich.client.v1.transfers.retrieve(transfer.id).amount_reversed == 0


def test_the_same_key_reverses_once(rich: Platform) -> None:
    transfer = rich.transfer(rich.expert(), 5_000)
    made = {reverse(rich, transfer.id, "k", amount=100).id for _ in range(2)}
    assert len(made) == 1
    assert rich.client.v1.transfers.retrieve(transfer.id).amount_reversed == 100


def test_reversals_are_listed_and_found_at_their_transfer_only(rich: Platform) -> None:
    expert = rich.expert()
    first, second = rich.transfer(expert, 5_000), rich.transfer(expert, 5_000)
    made = [reverse(rich, first.id, amount=amount).id for amount in (1, 2, 3)]
    listed = rich.client.v1.transfers.reversals.list(first.id, {"limit": 2})
    assert ([one.id for one in listed.data], listed.has_more) == (made[:0:-1], True)
    assert rich.client.v1.transfers.reversals.list(second.id).data == []
    assert rich.client.v1.transfers.reversals.retrieve(first.id, made[0]).amount == 1
    with pytest.raises(stripe.InvalidRequestError, match="No such transfer reversal"):
        rich.client.v1.transfers.reversals.retrieve(second.id, made[0])


def test_a_reversed_transfer_gives_its_charge_free_again(platform: Platform) -> None:
    expert = platform.expert()
    charge = platform.fund(10_000)
    clock.advance(timedelta(days=5))
    platform.local.settle()
    transfer = platform.transfer(expert, 9_000, source_transaction=charge.id)
    reverse(platform, transfer.id)
    assert platform.transfer(expert, 9_000, source_transaction=charge.id).amount == 9_000


def test_a_negative_balance_is_made_good_by_what_comes_next(rich: Platform) -> None:
    expert = rich.expert()
    rich.transfer(expert, 5_000)
    hands.take_money(rich.local.url, expert, 8_000)
    assert rich.card_balance(account=expert) == -3_000
    rich.transfer(expert, 4_000)
    clock.advance(timedelta(days=1))
    rich.local.settle()
    (payout,) = rich.client.v1.payouts.list({}, {"stripe_account": expert}).data
    assert payout.amount == 1_000
