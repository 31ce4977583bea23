"""Stripe puts a call off with a 429, or does not take our key: that says nothing of any other call, and the
time of the key begins with the call that may have had an effect."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import alarms, clock
from marketplace.errors import Refused
from marketplace.payments import calling_off, flights, resolving, sending, transfers
from marketplace.payments.facts import SentTransfer
from marketplace.payments.gateway import Gateway
from marketplace.payments.lost import deciding, finding
from marketplace.payments.models import PayoutBatch, PayoutItem
from marketplace.payments.outcomes import GatewayBusy, GatewayClosed, GatewayUnknown
from marketplace.payments.proofs import PROOFS
from marketplace.payments.purse import Purse
from marketplace.payments.runs import pausing
from marketplace.payments.states import BatchState, ItemState, TransferState
from marketplace.payments.transfers import Order
from tests.demo.stripe_server.harness import KEY, Handle
from tests.factories.contracts import Deal
from tests.factories.payments import Finance
from tests.payments.test_paying_out import FRIDAY, deal, desk, no_drift, released

__all__ = ["deal", "desk"]
MINUTE, MONDAY_AFTER = timedelta(minutes=1), FRIDAY + timedelta(days=3)
BUSY, CLOSED = GatewayBusy("busy", ""), GatewayClosed("no_key", "")
UNKNOWN = GatewayUnknown("no_answer", "")


class Saying(Gateway):
    """Real, but each transfer gets this answer, and is not made."""

    def __init__(self, url: str, error: Exception) -> None:
        super().__init__(KEY, url)
        self.error, self.asked = error, list[tuple[str, dict[str, object]]]()

    def send_transfer(self, key: str, **asked: object) -> SentTransfer:  # type: ignore[override]
        self.asked.append((key, asked))
        raise self.error


@pytest.fixture
def batch(session: Session, gateway: Gateway, deal: Deal, desk: Finance) -> PayoutBatch:
    """A released batch that pays Ana 150 dollars."""
    with clock.at(FRIDAY):
        return released(session, desk)


@pytest.fixture
def item(batch: PayoutBatch) -> PayoutItem:
    return batch.items[0]


def claimed(session: Session, gateway: Gateway, item: PayoutItem) -> Order:
    order, _left = sending.claim(session, item.id, Purse(gateway.balance().spendable("USD")))
    assert order is not None
    return order


def send(session: Session, gateway: Gateway, batch: PayoutBatch, at: datetime) -> None:
    with clock.at(at):
        sending.send_batch(session, gateway, batch.public_id)


def at_stripe(gateway: Gateway) -> int:
    return len(list(gateway.transfers()))


def test_a_busy_stripe_says_nothing_of_the_call_before(
    session: Session, stripe: Handle, gateway: Gateway, desk: Finance, item: PayoutItem
):
    """A worker still waits for the answer when another looks, finds nothing, and is told to come later."""
    with clock.at(FRIDAY):
        order = claimed(session, gateway, item)
    with clock.at(FRIDAY + 3 * MINUTE):
        resolving.resolve_unknown(session, Saying(stripe.url, BUSY))
        assert (item.state, item.transfers[0].state) == (ItemState.UNKNOWN, TransferState.UNKNOWN)
        with pytest.raises(Refused, match="Only what is released"):
            calling_off.call_off(session, desk.fin, item.public_id, "Wrong.", gateway)
        transfers.record_sent(session, order.transfer_id, flights.call(gateway, order))
    assert item.state is ItemState.SENT
    assert at_stripe(gateway) == 1
    no_drift(session)


def test_what_came_between_a_look_and_a_second_call_is_respected(
    session: Session, stripe: Handle, gateway: Gateway, item: PayoutItem
):
    """The worker is told to come later while another looks: then the payment is not that one's to send."""
    with clock.at(FRIDAY):
        order = claimed(session, gateway, item)

    class Slow(Saying):
        def find_transfer(self, group: str, destination: str) -> SentTransfer | None:
            transfers.give_back(session, order.transfer_id)
            return super().find_transfer(group, destination)

    with clock.at(FRIDAY + 3 * MINUTE):
        slow = Slow(stripe.url, UNKNOWN)
        resolving.resolve_unknown(session, slow)
    assert (item.state, slow.asked) == (ItemState.RELEASED, [])


def test_stripes_yes_counts_for_what_waits_for_another_call(
    session: Session, stripe: Handle, gateway: Gateway, batch: PayoutBatch, item: PayoutItem
):
    send(session, Saying(stripe.url, BUSY), batch, FRIDAY)
    assert item.state is ItemState.RELEASED
    with clock.at(FRIDAY + MINUTE):
        order = transfers.order_of(item.transfers[0])
        transfers.record_sent(session, order.transfer_id, flights.call(gateway, order))
    assert item.state is ItemState.SENT
    no_drift(session)


def test_what_was_put_off_is_looked_up_before_it_is_called_off(
    session: Session, stripe: Handle, gateway: Gateway, desk: Finance, batch: PayoutBatch, item: PayoutItem
):
    send(session, Saying(stripe.url, BUSY), batch, FRIDAY)
    with clock.at(FRIDAY + MINUTE):
        with pytest.raises(Refused, match="Try again in a minute"):
            calling_off.call_off(session, desk.fin, item.public_id, "Wrong.")
        # Against all that it says, Stripe made it.
        flights.call(gateway, transfers.order_of(item.transfers[0]))
        with pytest.raises(Refused, match="Only what is released"):
            calling_off.call_off(session, desk.fin, item.public_id, "Wrong.", gateway)
    assert item.state is ItemState.SENT
    no_drift(session)


def test_what_was_put_off_and_is_not_at_stripe_is_called_off(
    session: Session, stripe: Handle, gateway: Gateway, desk: Finance, batch: PayoutBatch, item: PayoutItem
):
    send(session, Saying(stripe.url, BUSY), batch, FRIDAY)
    with clock.at(FRIDAY + MINUTE):
        calling_off.call_off(session, desk.fin, item.public_id, "Wrong.", gateway)
    assert (item.state, item.transfers[0].state) == (ItemState.FAILED, TransferState.FAILED)
    assert batch.state is BatchState.SETTLED
    no_drift(session)


def test_a_yes_to_what_was_let_go_stops_sending_until_two_people_decide(
    session: Session, stripe: Handle, gateway: Gateway, desk: Finance, batch: PayoutBatch, item: PayoutItem
):
    send(session, Saying(stripe.url, BUSY), batch, FRIDAY)
    with clock.at(FRIDAY + MINUTE):
        calling_off.call_off(session, desk.fin, item.public_id, "Wrong.", gateway)
        order = transfers.order_of(item.transfers[0])
        for _again in range(2):
            transfers.record_sent(session, order.transfer_id, flights.call(gateway, order))
        assert item.state is ItemState.FAILED
        assert [alarm.code for alarm in alarms.standing(session)] == ["LT1"]
        finding.catch_up(session, gateway)
        pause = pausing.pause(session, desk.fin, None, "Ana has it; Stripe takes it back.")
        pausing.resume(session, desk.gil, pause.public_id)
        assert pausing.is_paused(session, batch.id)
        [lost] = session.scalars(deciding.lost_for(desk.fin))
        deciding.ask(session, desk.fin, lost.public_id, None, "Ana has it; Stripe takes it back.")
        gil = replace(desk.gil, second_factor_at=clock.now())
        deciding.decide(session, gil, lost.public_id, lost.seen)
        assert list(alarms.standing(session)) == []
        assert not pausing.is_paused(session, batch.id)


@pytest.mark.parametrize("error", [BUSY, CLOSED], ids=["busy", "no key"])
def test_a_payment_put_off_on_friday_is_not_given_up_minutes_after_mondays_call(
    session: Session, stripe: Handle, gateway: Gateway, batch: PayoutBatch, item: PayoutItem, error: Exception
):
    send(session, Saying(stripe.url, error), batch, FRIDAY)
    late_one = Saying(stripe.url, UNKNOWN)
    send(session, late_one, batch, MONDAY_AFTER)
    for minutes in (1, 3, 5, 9):
        with clock.at(MONDAY_AFTER + minutes * MINUTE):
            resolving.resolve_unknown(session, late_one)
            assert item.state is ItemState.UNKNOWN
    # Stripe does at last what it was asked on Monday.
    key, asked = late_one.asked[0]
    with clock.at(MONDAY_AFTER + 10 * MINUTE):
        gateway.send_transfer(key, **asked)  # type: ignore[arg-type]
    with clock.at(MONDAY_AFTER + timedelta(hours=2)):
        resolving.resolve_unknown(session, gateway)
    assert item.state is ItemState.SENT
    assert at_stripe(gateway) == 1
    no_drift(session)


def test_the_time_of_a_key_begins_with_the_first_call_that_may_count(
    session: Session, stripe: Handle, batch: PayoutBatch, item: PayoutItem
):
    """Put off for hours, then without an answer: it is sent again by the same key until that is a day old."""
    send(session, Saying(stripe.url, BUSY), batch, FRIDAY)
    first = FRIDAY + timedelta(hours=10)
    send(session, Saying(stripe.url, UNKNOWN), batch, first)
    assert item.transfers[0].first_tried_at == first
    again = Saying(stripe.url, UNKNOWN)
    with clock.at(first + timedelta(hours=22)):
        resolving.resolve_unknown(session, again)
    assert len(again.asked) == 1
    with clock.at(first + timedelta(hours=26)):
        resolving.resolve_unknown(session, again)
    assert len(again.asked) == 1, "the key is over"
    assert item.state is ItemState.UNKNOWN, "the last call is four hours old"
    with clock.at(first + timedelta(hours=48)):
        resolving.resolve_unknown(session, again)
    assert (item.state, item.failure) == (ItemState.FAILED, "not_found_after_a_day")
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_after_a_day_what_was_put_off_is_another_try_with_a_key_of_its_own(
    session: Session, stripe: Handle, gateway: Gateway, batch: PayoutBatch, item: PayoutItem
):
    send(session, Saying(stripe.url, BUSY), batch, FRIDAY)
    send(session, gateway, batch, MONDAY_AFTER)
    session.expire_all()
    first, second = sorted(item.transfers, key=lambda each: each.attempt)
    assert (first.state, first.failure) == (TransferState.FAILED, "key_over")
    assert (second.state, second.attempt) == (TransferState.SENT, 2)
    assert first.idempotency_key != second.idempotency_key
    assert at_stripe(gateway) == 1
    no_drift(session)


def test_before_another_try_stripe_is_asked_whether_it_has_the_first(
    session: Session, stripe: Handle, gateway: Gateway, batch: PayoutBatch, item: PayoutItem
):
    busy = Saying(stripe.url, BUSY)
    send(session, busy, batch, FRIDAY)
    key, asked = busy.asked[0]
    with clock.at(FRIDAY + MINUTE):
        gateway.send_transfer(key, **asked)  # type: ignore[arg-type]
    send(session, gateway, batch, MONDAY_AFTER)
    assert item.state is ItemState.SENT
    assert at_stripe(gateway) == 1
    no_drift(session)


def test_what_was_put_off_goes_from_another_balance_under_another_key(
    session: Session, stripe: Handle, gateway: Gateway, batch: PayoutBatch, item: PayoutItem
):
    send(session, Saying(stripe.url, BUSY), batch, FRIDAY)
    with clock.at(FRIDAY + MINUTE):
        order, left = sending.claim(session, item.id, Purse({"bank_account": 150_00}))
    assert order is not None
    assert (order.source_type, order.key[-2:]) == ("bank_account", ":2")
    assert left == Purse({"bank_account": 0})
    session.expire_all()
    assert [each.failure for each in item.transfers] == ["another_source", None]


def test_the_last_one_called_off_under_a_pause_ends_the_batch(
    session: Session, desk: Finance, batch: PayoutBatch, item: PayoutItem
):
    with clock.at(FRIDAY):
        pausing.pause(session, desk.fin, batch.public_id, "It looks odd.")
        calling_off.call_off(session, desk.fin, item.public_id, "It is odd.")
    assert session.scalar(sa.select(PayoutBatch.state).filter_by(id=batch.id)) is BatchState.SETTLED
    no_drift(session)
