"""What was reserved when a payment was lost is refunded to nobody who has it already; what a bank is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts import rolling
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.budgets.ending import end_project
from marketplace.errors import Refused
from marketplace.ledger import chart
from marketplace.payments.chargebacks import answering, claims, failures, queries, recording
from marketplace.payments.chargebacks.models import Chargeback, Evidence
from marketplace.payments.facts import ChargeFailure
from marketplace.payments.refunds import planning
from tests.factories.chargebacks import a_dispute, a_move, a_paid_lot
from tests.factories.contracts import MONDAY, Deal, a_submitted_week
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import finance
from tests.payments.test_chargebacks import at_work, balance, ended, free, no_drift, opened
from tests.payments.test_chargebacks_and_refunds import prepared

WHY = "We have all the answers that we need from this project."


def lose(session: Session, lot, how: str) -> None:
    if how == "lost":
        opened(session, lot)
        ended(session, lot, "lost")
    else:
        gone = a_move("gone", -5_000_00)
        failures.record_failure(session, ChargeFailure(lot.charge, None, "insufficient_funds", gone))


def lost_on(how: str, deal: Deal) -> chart.Account:
    """Where what is missing stands: as our loss, or as what the client owes."""
    return chart.chargeback_losses() if how == "lost" else chart.client_receivable(deal.project.public_id)


@pytest.mark.parametrize("how", ["lost", "failed"])
def test_what_was_only_reserved_comes_back_to_us_and_not_to_the_client_twice(session, how) -> None:
    deal, lot = at_work(session, 5_000_00)
    with clock.at(MONDAY):
        lose(session, lot, how)
        loss = balance(session, lost_on(how, deal))
        assert loss == claims.open_of(session, deal.project) > 0
        no_drift(session)
    with clock.at(MONDAY + timedelta(days=1)):
        end_project(session, deal.client, deal.project.public_id, "work_finished", WHY)
        if free(session, deal.project):
            assert planning.unprepared(session, deal.project).amount == 0
    with clock.at(MONDAY + timedelta(days=30)):
        rolling.roll_weeks(session)
        assert prepared(session) == []
    assert balance(session, lost_on(how, deal)) == 0
    assert (free(session, deal.project), claims.open_of(session, deal.project)) == (0, 0)
    if how == "lost":
        found = session.scalars(sa.select(Chargeback)).one()
        assert (found.from_funds, found.loss) == (5_000_00, 0)
    else:
        assert failures.missing(session, lot).amount == 0
    no_drift(session)


def test_fresh_money_pays_for_no_old_loss(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    with clock.at(MONDAY):
        lose(session, lot, "lost")
    with clock.at(MONDAY + timedelta(days=1)):
        loss = balance(session, chart.chargeback_losses())
        a_paid_lot(session, deal.client, deal.project, 300_00)
        recording.set_more_aside(session)
        assert free(session, deal.project) == 300_00
        assert balance(session, chart.chargeback_losses()) == loss
        no_drift(session)


def test_what_is_worked_stays_our_loss_and_claims_nothing_more(session) -> None:
    """Of two weeks of 1,800.00 one hour is worked: 150.00 and the fee."""
    deal, lot = at_work(session, 5_000_00)
    with clock.at(MONDAY + timedelta(hours=2)):
        lose(session, lot, "lost")
        sheet = a_submitted_week(session, deal, MONDAY, 60)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    with clock.at(MONDAY + timedelta(days=1)):
        end_project(session, deal.client, deal.project.public_id, "work_finished", WHY)
    with clock.at(MONDAY + timedelta(days=30)):
        rolling.roll_weeks(session)
        a_paid_lot(session, deal.client, deal.project, 300_00)
        assert [amount for _lot, amount in prepared(session)] == [300_00]
    assert balance(session, chart.chargeback_losses()) == 180_00
    assert claims.open_of(session, deal.project) == 0
    no_drift(session)


def test_what_the_bank_gives_back_is_claimed_no_more(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    with clock.at(MONDAY):
        lose(session, lot, "lost")
        ended(session, lot, "won", a_move("back", 5_000_00))
        assert claims.open_of(session, deal.project) == 0
        no_drift(session)


def test_an_inquiry_is_answered_while_its_bank_waits_for_it(session) -> None:
    client, organization = a_client(session)
    lot = a_paid_lot(session, client, a_project(session, client, organization), 1_000_00)
    desk = finance(session)
    found = recording.record(session, a_dispute(lot, "warning_needs_response"))
    to_do = sa.select(Chargeback.id).where(queries.TO_DO)
    assert session.scalars(to_do).all() == [found.id]
    evidence = answering.answer(session, desk.fin, found.public_id, "We did the work.")
    assert evidence.text == "We did the work."
    recording.record(session, a_dispute(lot, "warning_under_review"))
    assert session.scalars(to_do).all() == []
    with pytest.raises(Refused, match="no answer"):
        answering.answer(session, desk.fin, found.public_id, "Once more.")
    opened(session, lot)
    again = answering.answer(session, desk.fin, found.public_id, "It was taken all the same.")
    assert (evidence.inquiry, again.inquiry) == (True, False)


@pytest.mark.parametrize(
    "broken",
    [
        "inquiry = true",
        "state = 'released', sent_at = NULL",
        "sent_at = sent_at + interval '1 day'",
        "text = 'x'",
    ],
)
def test_what_the_bank_was_told_stays(session, broken: str) -> None:
    client, organization = a_client(session)
    lot = a_paid_lot(session, client, a_project(session, client, organization), 1_000_00)
    found = opened(session, lot)
    answering.answer(session, finance(session).fin, found.public_id, "We did the work.")
    for state, sent_at in (("sending", None), ("sent", clock.now())):
        session.execute(sa.update(Evidence).values(state=state, sent_at=sent_at))
    session.commit()
    with pytest.raises(DBAPIError):
        session.execute(sa.text(f"UPDATE chargeback_evidence SET {broken}"))
