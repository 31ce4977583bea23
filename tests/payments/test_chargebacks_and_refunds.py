"""What goes back to a client whose bank contests a payment: nothing twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.budgets.ending import end_project
from marketplace.errors import Refused
from marketplace.payments.chargebacks import failures, recording
from marketplace.payments.facts import ChargeFailure
from marketplace.payments.fundings import NotHereYet
from marketplace.payments.models import Funding
from marketplace.payments.refunds import planning
from marketplace.payments.refunds.models import Refund
from marketplace.payments.refunds.releasing import release_refund
from marketplace.payments.states import FundingState, Rail, RefundState
from tests.factories.chargebacks import FEE, a_dispute, a_move, a_paid_lot
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import finance
from tests.payments.test_chargebacks import ended, free, no_drift, opened


@pytest.fixture
def lumen(session: Session):
    client, organization = a_client(session)
    return client, a_project(session, client, organization)


def fresh(actor: Actor) -> Actor:
    return replace(actor, second_factor_at=clock.now())


def prepared(session: Session) -> list[tuple[int | None, int]]:
    planning.prepare_refunds(session)
    waiting = sa.select(Refund).filter_by(state=RefundState.PREPARED).order_by(Refund.id)
    return [(each.funding_id, each.amount) for each in session.scalars(waiting)]


def test_a_failed_charge_that_is_not_ours_touches_no_payment_without_an_intent(session, lumen) -> None:
    client, project = lumen
    lots = [a_paid_lot(session, client, project, amount) for amount in (7_000_00, 1_000_00)]
    gone = a_move("gone", -50_00, kind="payment_failure_refund")
    with pytest.raises(NotHereYet):
        failures.record_failure(session, ChargeFailure("ch_of_somebody_else", None, None, gone))
    assert [lot.state for lot in lots] == [FundingState.PAID] * 2
    assert free(session, project) == 8_000_00


def test_an_intent_names_a_payment_only_while_that_has_no_other_charge(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 7_000_00)
    lot.payment_intent = "pi_1"
    session.commit()
    failure = ChargeFailure("ch_first_try", "pi_1", None, a_move("gone", -7_000_00))
    with pytest.raises(NotHereYet):
        failures.record_failure(session, failure)
    assert (lot.state, free(session, project)) == (FundingState.PAID, 7_000_00)
    waiting = Funding(
        project=lot.project, organization_id=lot.organization_id, currency="USD", amount=5_00,
        charge_amount=5_00, rail=Rail.CARD, state=FundingState.PROCESSING, session_id="cs_2",
        payment_intent="pi_2", created_by=client.id, created_at=clock.now(),
    )  # fmt: skip
    session.add(waiting)
    session.commit()
    assert failures.record_failure(session, replace(failure, payment_intent="pi_2")) is waiting
    assert waiting.state is FundingState.PROCESSING


def test_what_the_bank_asks_about_waits_and_goes_back_once_it_is_closed(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 5_000_00)
    recording.record(session, a_dispute(lot, "warning_needs_response"))
    end_project(session, client, project.public_id, "", "")
    assert prepared(session) == []
    recording.record(session, a_dispute(lot, "warning_closed"))
    assert prepared(session) == [(lot.id, 5_000_00)]
    no_drift(session)


def test_a_prepared_refund_of_a_payment_the_bank_asks_about_is_not_paid_by_hand(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 5_000_00)
    end_project(session, client, project.public_id, "", "")
    assert prepared(session) == [(lot.id, 5_000_00)]
    recording.record(session, a_dispute(lot, "warning_needs_response"))
    assert prepared(session) == []


def test_of_a_payment_contested_in_part_the_rest_waits_and_goes_back_by_it_after_lost(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 5_000_00)
    opened(session, lot, 1_000_00)
    end_project(session, client, project.public_id, "", "")
    assert prepared(session) == []
    gone = a_move("out", -1_000_00, FEE)
    recording.record(session, a_dispute(lot, "lost", moves=(gone,)))
    assert prepared(session) == [(lot.id, 4_000_00)]
    no_drift(session)


def test_contested_in_another_currency_nothing_of_it_goes_back_by_itself(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 5_000_00)
    other = a_paid_lot(session, client, project, 300_00)
    gone = a_move("out", -4_600_00, FEE, currency="EUR")
    recording.record(session, a_dispute(lot, moves=(gone,)))
    end_project(session, client, project.public_id, "", "")
    assert prepared(session) == [(other.id, 300_00)]
    recording.record(session, a_dispute(lot, "lost", moves=(gone,)))
    assert prepared(session) == [(other.id, 300_00)]


def test_a_contested_payment_is_not_released(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    end_project(session, client, project.public_id, "", "")
    planning.prepare_refunds(session)
    refund = session.scalars(sa.select(Refund)).one()
    recording.record(session, a_dispute(lot, "warning_needs_response"))
    with pytest.raises(Refused, match="contests"):
        release_refund(session, fresh(finance(session).gil), refund.public_id)
    assert refund.state is RefundState.PREPARED


def test_what_a_lost_payment_took_is_not_paid_by_hand_too(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    ended(session, lot, "lost")
    end_project(session, client, project.public_id, "", "")
    assert prepared(session) == []
