"""A released payment that has not begun to be sent is called off: nothing leaves, and the pay is owed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.audit.models import AuditEvent
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.payments import batches, calling_off, sending
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutItem
from marketplace.payments.proofs import PROOFS
from marketplace.payments.setup import holding
from marketplace.payments.states import BatchState, ItemState
from tests.factories.contracts import Deal
from tests.factories.payments import Finance, a_released_batch
from tests.payments.test_bank_changes import FRIDAY, change_bank, deal, desk, one_stripe
from tests.visitor import words

__all__ = ["deal", "desk", "one_stripe"]


@pytest.fixture
def item(session: Session, deal: Deal, desk: Finance) -> PayoutItem:
    with clock.at(FRIDAY):
        return a_released_batch(session, desk).items[0]


def test_pay_that_waits_under_a_denied_hold_is_called_off_and_offered_again(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance, item: PayoutItem
):
    hold = change_bank(session, gateway, deal, FRIDAY)
    with clock.at(FRIDAY):
        holding.deny_own(session, deal.expert, hold.public_id)
        sending.send_batch(session, gateway, item.batch.public_id)
        calling_off.call_off(session, desk.fin, item.public_id, "The account was taken over.")
        assert (item.state, item.failure, item.blocker) == (ItemState.FAILED, "called_off", None)
        assert sending.send_batch(session, gateway, item.batch.public_id) == 0
        assert item.batch.state is BatchState.SETTLED
        person = item.person.public_id
        assert ledger.balance(session, chart.expert_payable(person), "USD") == -150_00
        assert ledger.balance(session, chart.expert_in_flight(person), "USD") == 0
        again = batches.prepare_batch(session, desk.fin, clock.now())
    assert [each.amount for each in again.items] == [150_00]
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []
    (event,) = session.scalars(sa.select(AuditEvent).filter_by(verb="call_off")).all()
    assert event.facts["reason"] == "The account was taken over."


def test_what_is_on_its_way_or_has_no_reason_is_not_called_off(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance, item: PayoutItem
):
    with clock.at(FRIDAY):
        with pytest.raises(Invalid, match="Say why"):
            calling_off.call_off(session, desk.fin, item.public_id, " ")
        with pytest.raises(NotAllowed):
            calling_off.call_off(session, deal.client, item.public_id, "No.")
        sending.send_batch(session, gateway, item.batch.public_id)
        with pytest.raises(Refused, match="Only what is released"):
            calling_off.call_off(session, desk.fin, item.public_id, "Too late.")
    assert item.state is ItemState.SENT


def test_finance_calls_it_off_on_the_page_of_the_payment(
    session: Session, deal: Deal, desk: Finance, item: PayoutItem, app, cast
):
    path = f"/payouts/items/{item.public_id}"
    with clock.at(FRIDAY + timedelta(minutes=1)):
        fin = cast.visitor(app, desk.fin)
        assert "Call it off" in words(fin.get(path))
        assert "Fill this in" in words(fin.post(f"{path}/call-off", reason=""))
        fin.post(f"{path}/call-off", reason="She works for somebody else now.")
        page = words(fin.get(path))
    assert "Called off before it was sent" in page
    assert "Why it is not to be sent" not in page
    assert item.state is ItemState.FAILED
