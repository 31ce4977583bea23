"""Finance pauses what is being sent: nothing more begins, until somebody who may release lets it go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.audit.models import AuditEvent
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.payments import calling_off, resolving, sending, transfers
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch, PayoutItem
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.purse import Purse
from marketplace.payments.runs import pausing
from marketplace.payments.runs.models import SendingPause
from marketplace.payments.states import BatchState, ItemState
from tests.factories.contracts import MONDAY, Deal
from tests.factories.payments import Finance, an_approved_week, hire
from tests.payments.test_pages import one_stripe
from tests.payments.test_paying_out import FRIDAY, deal, desk, no_drift, released
from tests.visitor import words

__all__ = ["deal", "desk", "one_stripe"]


@pytest.fixture
def two(session: Session, gateway: Gateway, deal: Deal, desk: Finance) -> PayoutBatch:
    """A released batch that pays Ana and Ben."""
    with clock.at(MONDAY):
        ben = hire(session, gateway, deal, "Ben Baker")
    an_approved_week(session, ben, MONDAY)
    with clock.at(FRIDAY):
        return released(session, desk)


def states(session: Session, batch: PayoutBatch) -> list[ItemState]:
    query = sa.select(PayoutItem.state).where(PayoutItem.batch_id == batch.id).order_by(PayoutItem.id)
    return list(session.scalars(query))


@pytest.mark.parametrize("everything", [True, False])
def test_the_worker_stops_between_two_payments_and_goes_on_after(
    session: Session, gateway: Gateway, desk: Finance, two: PayoutBatch, everything: bool, monkeypatch
):
    """The pause comes while the first payment is at Stripe."""
    really_send = Gateway.send_transfer

    def pause_meanwhile(*args, **asked):
        if not session.scalars(sa.select(SendingPause)).all():
            pausing.pause(session, desk.fin, None if everything else two.public_id, "Somebody rang.")
        return really_send(*args, **asked)

    monkeypatch.setattr(Gateway, "send_transfer", pause_meanwhile)
    with clock.at(FRIDAY):
        sending.send_batch(session, gateway, two.public_id)
        assert states(session, two) == [ItemState.SENT, ItemState.RELEASED]
        assert sending.send_batch(session, gateway, two.public_id) == 0
        (pause,) = pausing.all_pauses(session)
        with pytest.raises(NotAllowed):
            pausing.resume(session, desk.fin, pause.public_id)
        with pytest.raises(FreshFactorNeeded):
            pausing.resume(session, replace(desk.gil, second_factor_at=None), pause.public_id)
        pausing.resume(session, desk.gil, pause.public_id)
        assert sending.send_batch(session, gateway, two.public_id) == 1
    assert states(session, two) == [ItemState.SENT, ItemState.SENT]
    verbs = session.scalars(sa.select(AuditEvent.verb).where(AuditEvent.verb.in_(("pause", "resume")))).all()
    assert sorted(verbs) == ["pause", "resume"]
    no_drift(session)


def test_while_it_is_paused_a_payment_is_called_off(
    session: Session, gateway: Gateway, desk: Finance, two: PayoutBatch
):
    with clock.at(FRIDAY):
        pausing.pause(session, desk.fin, two.public_id, "Ben's account looks odd.")
        calling_off.call_off(session, desk.fin, two.items[1].public_id, "Ben asked for it.")
        sending.send_batch(session, gateway, two.public_id)
        assert states(session, two) == [ItemState.RELEASED, ItemState.FAILED]
        pausing.resume(session, desk.gil, pausing.all_pauses(session)[0].public_id)
        sending.send_batch(session, gateway, two.public_id)
    assert states(session, two) == [ItemState.SENT, ItemState.FAILED]
    no_drift(session)


def test_what_has_no_outcome_is_looked_up_and_not_sent_again_meanwhile(
    session: Session, gateway: Gateway, desk: Finance, two: PayoutBatch
):
    item = two.items[0]
    with clock.at(FRIDAY):
        order, _left = sending.claim(session, item.id, Purse(gateway.balance().spendable("USD")))
        assert order is not None
        transfers.record_unknown(session, order.transfer_id, GatewayUnknown("no_answer", "Lost."))
        pausing.pause(session, desk.fin, two.public_id, "Somebody rang.")
    with clock.at(FRIDAY + timedelta(hours=1)):
        assert resolving.resolve_unknown(session, gateway) == 1
        assert states(session, two)[0] is ItemState.UNKNOWN
        pausing.resume(
            session, replace(desk.gil, second_factor_at=clock.now()), pausing.all_pauses(session)[0].public_id
        )
    with clock.at(FRIDAY + timedelta(hours=3)):
        resolving.resolve_unknown(session, gateway)
    assert states(session, two)[0] is ItemState.SENT


def test_a_pause_has_a_reason_is_made_once_and_stays(session: Session, desk: Finance, two: PayoutBatch):
    with clock.at(FRIDAY):
        with pytest.raises(Invalid, match="Say why"):
            pausing.pause(session, desk.fin, two.public_id, " ")
        made = pausing.pause(session, desk.fin, two.public_id, "Somebody rang.")
        with pytest.raises(Refused, match="paused already"):
            pausing.pause(session, desk.gil, two.public_id, "Me too.")
        pausing.resume(session, desk.gil, made.public_id)
        with pytest.raises(Refused, match="already"):
            pausing.resume(session, desk.gil, made.public_id)
        with pytest.raises(DBAPIError, match="stays as it was"), session.begin_nested():
            session.execute(sa.text("UPDATE sending_pauses SET resumed_at = now()"))


def test_a_batch_that_was_not_released_is_not_paused(session: Session, gateway: Gateway, desk: Finance, two):
    with clock.at(FRIDAY):
        sending.send_batch(session, gateway, two.public_id)
        assert two.state is BatchState.SENT
        with pytest.raises(Refused, match="being sent"):
            pausing.pause(session, desk.fin, two.public_id, "Too late.")


def test_finance_pauses_on_the_pages_and_everybody_there_sees_it(
    session: Session, desk: Finance, two: PayoutBatch, app, cast
):
    path = f"/payouts/{two.public_id}"
    with clock.at(FRIDAY + timedelta(minutes=1)):
        fin, gil = cast.visitor(app, desk.fin), cast.visitor(app, desk.gil)
        assert "Fill this in" in words(fin.post(f"{path}/pause", reason=""))
        fin.post(f"{path}/pause", reason="Somebody rang.")
        page = words(gil.get(path))
        assert "Fin Farrell paused it" in page
        assert "Somebody rang." in page
        assert "Let it go on" not in words(fin.get(path))
        (pause,) = pausing.all_pauses(session)
        gil.post(f"/payouts/pauses/{pause.public_id}/resume")
        assert "Sending is paused" not in words(gil.get(path))
        assert "Fill this in" in words(fin.post("/payouts/pause", reason=""))
        fin.post("/payouts/pause", reason="The bank rang.")
        assert "All sending to experts is paused" in words(gil.get("/payouts"))
        assert "The bank rang." in words(gil.get(path))
