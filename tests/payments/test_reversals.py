"""A transfer comes back, in part or whole: followed to the cent, owed again, paid once more, once (F51)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.errors import Refused
from marketplace.home.finance import ageing
from marketplace.ledger import chart
from marketplace.payments import batches, payouts, sending
from marketplace.payments.facts import Schedule
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount, PayoutItem, TransferReversal
from marketplace.payments.runs import reversing
from marketplace.payments.states import ITEM, BatchState, ItemState
from tests.demo.stripe_server.harness import Handle
from tests.factories.contracts import Deal
from tests.factories.payments import Finance
from tests.payments.test_pages import one_stripe
from tests.payments.test_paying_out import FRIDAY, deal, desk, no_drift, owed, prepared, released
from tests.visitor import words

__all__ = ["deal", "desk", "one_stripe"]


@pytest.fixture
def item(session: Session, gateway: Gateway, deal: Deal, desk: Finance) -> PayoutItem:
    """Ana's 150 dollars, sent to her Stripe account, and not paid out from there."""
    account = session.scalars(sa.select(ConnectedAccount.stripe_id)).one() or ""
    session.rollback()
    with clock.at(FRIDAY):
        gateway.set_schedule("hold", account, Schedule("manual"))
        batch = released(session, desk)
        sending.send_batch(session, gateway, batch.public_id)
    return batch.items[0]


def take_back(gateway: Gateway, item: PayoutItem, amount: int) -> str:
    """Somebody reverses it on Stripe's own pages; the transfer's number."""
    transfer = item.transfers[0].stripe_id or ""
    answer = gateway.ask("post", f"/v1/transfers/{transfer}/reversals", amount=amount)
    assert answer.status == 200, answer.code
    return transfer


def test_what_came_back_is_as_old_as_the_day_on_which_it_did(
    session: Session, gateway: Gateway, deal: Deal, item: PayoutItem
) -> None:
    with clock.at(FRIDAY + timedelta(hours=1)):
        reversing.track_transfer(session, gateway, take_back(gateway, item, item.amount - 1))
        [owed] = ageing.owed(session, "USD")
        assert [each.amount.amount for each in owed.buckets] == [item.amount - 1, 0, 0, 0, 0]
    with clock.at(FRIDAY + timedelta(days=20)):
        [owed] = ageing.owed(session, "USD")
        assert [each.amount.amount for each in owed.buckets] == [0, item.amount - 1, 0, 0, 0]


def at_stripe(session: Session) -> int:
    return ledger.balance(session, chart.stripe_balance(), "USD")


def test_a_part_that_came_back_is_owed_again_to_the_cent(
    session: Session, gateway: Gateway, stripe: Handle, deal: Deal, item: PayoutItem
):
    before = at_stripe(session)
    with clock.at(FRIDAY + timedelta(hours=1)):
        transfer = take_back(gateway, item, 40_01)
        reversing.track_transfer(session, gateway, transfer)
        reversing.track_transfer(session, gateway, transfer)
        assert (item.state, item.amount_reversed) == (ItemState.REVERSED_IN_PART, 40_01)
        assert owed(session, deal) == (-40_01, 0, 109_99)
        take_back(gateway, item, 9_99)
        reversing.track_reversals(session, gateway)
        reversing.track_reversals(session, gateway)
        assert (item.state, item.amount_reversed) == (ItemState.REVERSED_IN_PART, 50_00)
        assert owed(session, deal) == (-50_00, 0, 100_00)
        assert at_stripe(session) == before + 50_00 == gateway.balance().total("USD")
        account = item.transfers[0].destination
        assert gateway.balance(account).total("USD") == 100_00
    no_drift(session)


def test_what_came_back_is_paid_once_more_once(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance, item: PayoutItem
):
    with clock.at(FRIDAY + timedelta(hours=1)):
        fresh = Finance(desk.fin, replace(desk.gil, second_factor_at=clock.now()))
        reversing.track_transfer(session, gateway, take_back(gateway, item, 40_01))
        reversing.track_transfer(session, gateway, take_back(gateway, item, 9_99))
        dropped = prepared(session, fresh)
        assert [each.amount for each in dropped.items] == [50_00]
        with pytest.raises(Refused, match="Nothing"):
            prepared(session, fresh)
        batches.cancel_batch(session, fresh.fin, dropped.public_id)
        again = released(session, fresh)
        assert [each.amount for each in again.items] == [50_00]
        with pytest.raises(Refused, match="Nothing"):
            prepared(session, fresh)
        sending.send_batch(session, gateway, again.public_id)
        assert again.items[0].state is ItemState.SENT
        assert owed(session, deal) == (0, 0, 150_00)
        with pytest.raises(Refused, match="Nothing"):
            prepared(session, fresh)
    no_drift(session)


def test_a_transfer_that_came_back_whole_ends_its_batch(
    session: Session, gateway: Gateway, stripe: Handle, deal: Deal, item: PayoutItem
):
    with clock.at(FRIDAY + timedelta(hours=1)):
        reversing.track_transfer(session, gateway, take_back(gateway, item, 150_00))
    assert (item.state, item.batch.state) == (ItemState.REVERSED, BatchState.SETTLED)
    assert owed(session, deal) == (-150_00, 0, 0)
    no_drift(session)


@pytest.fixture
def arrived(session: Session, gateway: Gateway, stripe: Handle, deal: Deal, desk: Finance) -> PayoutItem:
    """Ana's 150 dollars, in her bank; whatever comes to her Stripe account now stays there."""
    with clock.at(FRIDAY):
        batch = released(session, desk)
        sending.send_batch(session, gateway, batch.public_id)
    stripe.settle()
    with clock.at(FRIDAY + timedelta(days=5)):
        payouts.track_payouts(session, gateway)
        gateway.set_schedule("hold", batch.items[0].transfers[0].destination, Schedule("manual"))
    assert batch.items[0].state is ItemState.PAID
    return batch.items[0]


def test_nothing_moves_when_stripe_refuses_the_reversal(
    session: Session, gateway: Gateway, deal: Deal, arrived: PayoutItem
):
    with clock.at(FRIDAY + timedelta(days=5)):
        with pytest.raises(AssertionError, match="balance_insufficient"):
            take_back(gateway, arrived, 150_00)
        reversing.track_reversals(session, gateway)
    assert (arrived.state, arrived.amount_reversed) == (ItemState.PAID, 0)
    assert owed(session, deal) == (0, 0, 0)


def test_what_is_left_is_settled_when_it_has_stayed_at_the_bank(
    session: Session, gateway: Gateway, deal: Deal, arrived: PayoutItem
):
    more = {"amount": 60_00, "currency": "usd", "destination": arrived.transfers[0].destination}
    with clock.at(FRIDAY + timedelta(days=5)):
        assert gateway.ask("post", "/v1/transfers", **more).status == 200
        reversing.track_transfer(session, gateway, take_back(gateway, arrived, 40_01))
        assert arrived.state is ItemState.REVERSED_IN_PART
        assert owed(session, deal) == (-40_01, 0, -40_01)
        payouts.track_payouts(session, gateway)
        assert arrived.state is ItemState.REVERSED_IN_PART
    with clock.at(FRIDAY + timedelta(days=9)):
        payouts.settle_items(session, gateway)
        assert arrived.state is ItemState.REVERSED_IN_PART
    with clock.at(FRIDAY + timedelta(days=14)):
        payouts.settle_items(session, gateway)
    assert (arrived.state, arrived.batch.state) == (ItemState.SETTLED, BatchState.SETTLED)
    no_drift(session)


def test_the_page_says_what_was_taken_back(
    session: Session, gateway: Gateway, stripe: Handle, deal: Deal, desk: Finance, item: PayoutItem, app, cast
):
    with clock.at(FRIDAY + timedelta(minutes=1)):
        reversing.track_transfer(session, gateway, take_back(gateway, item, 40_01))
        page = words(cast.visitor(app, desk.fin).get(f"/payouts/items/{item.public_id}"))
        assert "Taken back $40.01" in page
        assert "Part of it was taken back" in page
        assert "owed again" in page
        mine = words(cast.visitor(app, deal.expert).get("/pay"))
    assert "Taken back in part" in mine


def test_the_database_keeps_more_from_coming_back_than_was_sent(
    session: Session, gateway: Gateway, stripe: Handle, item: PayoutItem
):
    row: dict[str, Any] = {
        "public_id": item.public_id, "transfer_id": item.transfers[0].id, "stripe_id": "trr_1",
        "balance_transaction": "txn_1", "made_at": FRIDAY, "recorded_at": FRIDAY,
    }  # fmt: skip
    with pytest.raises(DBAPIError, match="more would come back"), session.begin_nested():
        session.execute(sa.insert(TransferReversal).values(amount=150_01, **row))
    with pytest.raises(DBAPIError, match="reversed_as_said"), session.begin_nested():
        session.execute(sa.update(PayoutItem).values(state=ItemState.REVERSED))


def test_the_database_knows_the_same_edges(session: Session):
    text = session.execute(
        sa.text("SELECT prosrc FROM pg_proc WHERE proname = 'keep_payout_item_moves'")
    ).scalar_one()
    known = {
        ItemState(state): frozenset(ItemState(each) for each in re.findall(r"'(\w+)'", to))
        for state, to in re.findall(r"OLD.state = '(\w+)' AND NEW.state IN \(([^)]*)\)", text)
    }
    assert known == {state: to for state, to in ITEM.items() if to}


def test_the_database_refuses_a_move_that_is_not_drawn(session: Session, item: PayoutItem):
    with pytest.raises(DBAPIError, match="is sent, and does not become released"), session.begin_nested():
        session.execute(sa.update(PayoutItem).values(state=ItemState.RELEASED))
