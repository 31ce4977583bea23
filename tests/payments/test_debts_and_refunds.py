"""What a client owes of a payment that failed is paid before anything goes back to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import SITE
from marketplace.contracts import rolling
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.budgets.ending import end_project
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.ledger import chart
from marketplace.payments import fundings
from marketplace.payments.chargebacks import recording
from marketplace.payments.debts import writing_off
from marketplace.payments.refunds import books, kept, refusals, releasing
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import Rail, RefundState
from tests.factories.accounts import enter
from tests.factories.chargebacks import a_dispute, a_move, a_paid_lot
from tests.factories.contracts import MONDAY, a_submitted_week
from tests.factories.payments import finance
from tests.payments.test_chargebacks import at_work, balance, free
from tests.payments.test_client_debts import AFTER, WHY, failed, fine
from tests.visitor import Visitor, words

EARLY = MONDAY + timedelta(hours=2)


@use_case
def on_its_way(session: Session, lot, amount: int, by) -> Refund:
    """A refund that Stripe is being asked for."""
    refund = Refund(
        project=lot.project, funding=lot, amount=amount, currency="USD", asked_by=lot.created_by,
        prepared_at=clock.now(), released_by=by.id, released_at=clock.now(),
    )  # fmt: skip
    session.add(refund)
    session.flush()
    books.take_off(session, SITE, refund)
    session.flush()
    refund.first_tried_at, refund.state = clock.now(), RefundState.SENDING
    return refund


def test_a_refund_that_stripe_refuses_after_its_payment_failed_pays_what_is_owed(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    with clock.at(EARLY):
        refund = on_its_way(session, lot, 1_400_00, finance(session).gil)
        debt = failed(session, lot)
        assert debt.left == 5_000_00
        refusals.record_refused(session, refund.public_id, "charge_not_refundable", 0)
        session.refresh(debt)
        assert (refund.state, debt.left, debt.paid) == (RefundState.CANCELLED, 3_600_00, 1_400_00)
        assert balance(session, chart.client_refunds(deal.project.public_id)) == 0
        fine(session)


def test_a_refund_that_comes_back_after_its_payment_failed_pays_what_is_owed(session) -> None:
    _deal, lot = at_work(session, 5_000_00)
    with clock.at(EARLY):
        refund = on_its_way(session, lot, 1_400_00, finance(session).gil)
        debt = failed(session, lot)

        @use_case
        def goes_and_comes_back(session: Session) -> None:
            refund.stripe_id = "re_1"
            books.sent(session, refund)
            session.flush()
            books.came_back(session, refund, "expired")
            kept.keep_back(session, SITE, refund)

        goes_and_comes_back(session)
        session.refresh(debt)
        assert (refund.state, debt.left) == (RefundState.CANCELLED, 3_600_00)
        fine(session)


@pytest.mark.parametrize("noted", [False, True])
def test_what_is_owed_by_hand_when_a_payment_fails_is_called_off_unless_it_was_paid(session, noted) -> None:
    _deal, lot = at_work(session, 5_000_00)
    desk = finance(session)
    with clock.at(EARLY):
        fin, gil = (replace(each, second_factor_at=clock.now()) for each in (desk.fin, desk.gil))
        refund = on_its_way(session, lot, 1_400_00, gil)
        refusals.record_refused(session, refund.public_id, "charge_not_refundable", 0)
        assert refund.state is RefundState.OWED
        if noted:
            releasing.note_by_hand(session, fin, refund.public_id, "BANK 1")
        debt = failed(session, lot)
        session.refresh(refund)
        if noted:
            releasing.confirm_by_hand(session, gil, refund.public_id)
            assert (refund.state, debt.left) == (RefundState.PAID_OUT, 5_000_00)
        else:
            assert (refund.state, debt.left) == (RefundState.CANCELLED, 3_600_00)
            with pytest.raises(Refused, match="by hand"):
                releasing.note_by_hand(session, fin, refund.public_id, "BANK 1")
        fine(session)


def test_the_database_keeps_what_was_noted_as_paid(session) -> None:
    _deal, lot = at_work(session, 5_000_00)
    desk = finance(session)
    with clock.at(EARLY):
        refund = on_its_way(session, lot, 1_400_00, desk.gil)
        refusals.record_refused(session, refund.public_id, "charge_not_refundable", 0)
        releasing.note_by_hand(session, desk.fin, refund.public_id, "BANK 1")
    with pytest.raises(DBAPIError, match="left the bank"):
        session.execute(sa.text("UPDATE refunds SET state = 'cancelled'"))


def test_nothing_is_written_off_while_a_refund_may_still_pay_for_it(session) -> None:
    _deal, lot = at_work(session, 5_000_00)
    desk = finance(session)
    with clock.at(EARLY):
        on_its_way(session, lot, 1_400_00, desk.gil)
        debt = failed(session, lot)
        session.execute(sa.text("UPDATE loss_claims SET open = 0"))
        session.commit()
        writing_off.ask(session, desk.fin, debt.public_id, "It is insolvent.")
        gil = replace(desk.gil, second_factor_at=clock.now())
        with pytest.raises(Refused, match="on its way"):
            writing_off.write_off(session, gil, debt.public_id)


def test_what_a_bank_gives_back_pays_what_is_owed_before_anything_is_written_off(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    desk = finance(session)
    with clock.at(EARLY):
        sheet = a_submitted_week(session, deal, MONDAY, 60)
        other = a_paid_lot(session, deal.client, deal.project, 1_000_00)
        out = a_move("out", -1_000_00)
        recording.record(session, a_dispute(other, moves=(out,)))
        debt = failed(session, lot)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    with clock.at(AFTER):
        end_project(session, deal.client, deal.project.public_id, "work_finished", WHY)
    with clock.at(MONDAY + timedelta(days=30)):
        rolling.roll_weeks(session)
        recording.set_more_aside(session)
        before, lies = debt.left, free(session, deal.project)
        assert before > lies == 0
        writing_off.ask(session, desk.fin, debt.public_id, "It is insolvent.")
        recording.record(session, a_dispute(other, "won", moves=(out, a_move("in", 1_000_00))))
        session.refresh(debt)
        assert (debt.left, free(session, deal.project)) == (0, 1_000_00 - before)
        gil = replace(desk.gil, second_factor_at=clock.now())
        with pytest.raises(Refused, match="Nothing"):
            writing_off.write_off(session, gil, debt.public_id)
        assert balance(session, chart.bad_debts()) == 0
        fine(session)


def test_a_client_pays_what_it_owes_of_a_project_that_is_closed(app: Flask, session) -> None:
    deal, lot = at_work(session, 5_000_00)
    with clock.at(EARLY):
        on_its_way(session, lot, 1_400_00, finance(session).gil)
    with clock.at(AFTER):
        end_project(session, deal.client, deal.project.public_id, "work_finished", WHY)
        path = f"/projects/{deal.project.public_id}/funding"
        carla = Visitor(enter(app.test_client(), session, deal.client))
        assert "Pay what is owed" not in words(carla.get(path))
        with pytest.raises(Refused, match="closed"):
            fundings.prepare_funding(session, deal.client, deal.project.public_id, 100_00, Rail.CARD)
        debt = failed(session, lot)
        for each in (
            path,
            f"/projects/{deal.project.public_id}",
            f"/projects/{deal.project.public_id}/funds",
        ):
            assert "Pay what is owed" in words(carla.get(each))
        with pytest.raises(Invalid, match="at most"):
            fundings.prepare_funding(session, deal.client, deal.project.public_id, debt.left + 1, Rail.CARD)
        owing = fundings.prepare_funding(
            session, deal.client, deal.project.public_id, debt.left, Rail.BANK_TRANSFER
        )
        assert owing.amount == debt.left
