"""A worker dies at every point of sending, or gets no answer: nobody is paid twice, nobody is forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.payments import resolving, sending
from marketplace.payments.facts import SentTransfer
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch
from marketplace.payments.outcomes import GatewayBusy, GatewayUnknown
from marketplace.payments.proofs import PROOFS
from marketplace.payments.states import BatchState, ItemState, TransferState
from tests.demo.stripe_server.harness import KEY, Handle
from tests.factories.contracts import MONDAY
from tests.factories.payments import a_paid_deal, a_released_batch, an_approved_week

FRIDAY = MONDAY + timedelta(days=4)
SOON = FRIDAY + timedelta(minutes=5)
NEXT_WEEK = FRIDAY + timedelta(days=5)


class Died(BaseException):
    """kill -9: no handler sees it."""


class Cut(Gateway):
    """The real gateway, with the line cut before or after Stripe did what was asked."""

    def __init__(self, url: str, before: BaseException | None = None, after: BaseException | None = None):
        super().__init__(KEY, url)
        self.before, self.after = before, after

    def send_transfer(self, *args: object, **kwargs: object) -> SentTransfer:
        if self.before:
            raise self.before
        sent = super().send_transfer(*args, **kwargs)  # type: ignore[arg-type]
        if self.after:
            raise self.after
        return sent


@pytest.fixture
def batch(session: Session, gateway: Gateway) -> PayoutBatch:
    """A released batch that pays Ana 150 dollars."""
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    an_approved_week(session, deal, MONDAY)
    with clock.at(FRIDAY):
        return a_released_batch(session)


def transfers_at_stripe(stripe: Handle) -> int:
    return len(stripe.client().v1.transfers.list().data)


def assert_sent_once(session: Session, stripe: Handle, batch: PayoutBatch) -> None:
    session.expire_all()
    assert [item.state for item in batch.items] == [ItemState.SENT]
    assert batch.state == BatchState.SENT
    assert transfers_at_stripe(stripe) == 1
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


UNKNOWN = GatewayUnknown("no_answer", "")


@pytest.mark.parametrize(
    ("before", "after"),
    [(Died(), None), (None, Died()), (UNKNOWN, None), (None, UNKNOWN)],
    ids=["dies before the call", "dies after it", "no answer and not done", "no answer but done"],
)
def test_whatever_happens_around_the_call_the_item_is_sent_once(
    session: Session, stripe: Handle, gateway: Gateway, batch: PayoutBatch, before, after
):
    with clock.at(FRIDAY):
        try:
            sending.send_batch(session, Cut(stripe.url, before, after), batch.public_id)
        except Died:
            session.rollback()
        assert resolving.resolve_unknown(session, gateway) == 0, "a claim is respected for a while"
    with clock.at(SOON):
        sending.send_batch(session, gateway, batch.public_id)
        resolving.resolve_unknown(session, gateway)
    assert_sent_once(session, stripe, batch)


def test_dying_between_the_answer_and_its_record_is_found_out(
    session: Session, stripe: Handle, gateway: Gateway, batch: PayoutBatch, monkeypatch
):
    def die(*_args: object) -> None:
        raise Died

    with clock.at(FRIDAY), monkeypatch.context() as patched:
        patched.setattr(sending, "record_sent", die)
        with pytest.raises(Died):
            sending.send_batch(session, gateway, batch.public_id)
    session.rollback()
    with clock.at(SOON):
        resolving.resolve_unknown(session, gateway)
    assert_sent_once(session, stripe, batch)


def test_two_workers_at_once_send_it_once(
    session: Session, stripe: Handle, gateway: Gateway, batch: PayoutBatch
):
    with clock.at(FRIDAY):
        for _worker in range(2):
            sending.send_batch(session, gateway, batch.public_id)
            resolving.resolve_unknown(session, gateway)
    assert_sent_once(session, stripe, batch)


def test_after_a_day_it_is_only_looked_up_and_found(
    session: Session, stripe: Handle, gateway: Gateway, batch: PayoutBatch
):
    """Stripe has forgotten the key by then: the same request would pay a second time."""
    with clock.at(FRIDAY):
        sending.send_batch(session, Cut(stripe.url, after=UNKNOWN), batch.public_id)
    with clock.at(NEXT_WEEK):
        resolving.resolve_unknown(session, Cut(stripe.url, before=AssertionError("it was sent again")))
    assert_sent_once(session, stripe, batch)


def test_after_a_day_what_stripe_never_got_is_owed_again(
    session: Session, stripe: Handle, batch: PayoutBatch
):
    with clock.at(FRIDAY):
        sending.send_batch(session, Cut(stripe.url, before=UNKNOWN), batch.public_id)
    with clock.at(NEXT_WEEK):
        resolving.resolve_unknown(session, Cut(stripe.url, before=AssertionError("it was sent again")))
    session.expire_all()
    assert batch.items[0].state == ItemState.FAILED
    assert batch.items[0].failure == "not_found_after_a_day"
    assert transfers_at_stripe(stripe) == 0
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_unknown_is_not_failed_and_stays_in_flight(session: Session, stripe: Handle, batch: PayoutBatch):
    with clock.at(FRIDAY):
        sending.send_batch(session, Cut(stripe.url, before=UNKNOWN), batch.public_id)
    session.expire_all()
    item = batch.items[0]
    assert (item.state, item.transfers[0].state) == (ItemState.UNKNOWN, TransferState.UNKNOWN)
    assert batch.state == BatchState.SENDING
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_a_busy_stripe_gets_the_same_request_later(
    session: Session, stripe: Handle, gateway: Gateway, batch: PayoutBatch
):
    with clock.at(FRIDAY):
        busy = Cut(stripe.url, before=GatewayBusy("busy", ""))
        assert sending.send_batch(session, busy, batch.public_id) == 1
        assert batch.items[0].state == ItemState.RELEASED
        assert sending.send_batch(session, gateway, batch.public_id) == 1
    assert len(batch.items[0].transfers) == 1
    assert_sent_once(session, stripe, batch)
