"""A bank debit fails after its money was spent: the client owes it, and nobody's earned pay is stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE
from marketplace.contracts import rolling
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.budgets.ending import end_project
from marketplace.contracts.credit import cover, owing
from marketplace.errors import FreshFactorNeeded, NotAllowed, Refused
from marketplace.ledger import NotCovered, chart
from marketplace.payments import covered
from marketplace.payments.chargebacks import failures, recording
from marketplace.payments.debts import books, queries, writing_off
from marketplace.payments.debts.models import ClientDebt
from marketplace.payments.debts.proofs import PROOFS
from marketplace.payments.facts import ChargeFailure
from marketplace.reconciliation.proofs import money_is_covered
from tests.factories.accounts import enter
from tests.factories.chargebacks import a_dispute, a_move, a_paid_lot
from tests.factories.contracts import MONDAY, a_submitted_week
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import finance
from tests.payments.test_chargebacks import at_work, balance, free, lines, no_drift, told
from tests.visitor import Visitor, words

WHY = "We have all the answers that we need from this project."
AFTER = MONDAY + timedelta(days=1)


def failed(session: Session, lot) -> ClientDebt:
    gone = a_move("gone", -5_000_00)
    failures.record_failure(session, ChargeFailure(lot.charge or "", None, "insufficient_funds", gone))
    return session.scalars(sa.select(ClientDebt)).one()


def fine(session: Session) -> None:
    no_drift(session)
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_f49_hours_before_count_and_are_paid_hours_after_wait_until_the_client_has_paid(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    with clock.at(MONDAY + timedelta(hours=2)):
        sheet = a_submitted_week(session, deal, MONDAY, 60)
        debt = failed(session, lot)
        assert (
            debt.left
            == 5_000_00 - 1_400_00
            == balance(session, chart.client_receivable(deal.project.public_id))
        )
        assert "are owed" in told(session, deal.client)[0]
        assert "New hours cannot be entered" in told(session, deal.expert)[0]
        fine(session)
        with pytest.raises(NotCovered):
            cover.require_cover(session, deal.project, 1)
        assert cover.available(session, deal.project) == 0
        owing.require_nothing_owed(session, deal.project, MONDAY)
        with pytest.raises(Refused, match="after its money was spent"):
            cover.require_not_overdue(session, deal.project, clock.now())
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
        assert balance(session, chart.expert_payable(session.merge(deal.contract).person.public_id)) < 0
        fine(session)


def test_the_next_payment_pays_what_is_owed_first(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    with clock.at(AFTER):
        debt = failed(session, lot)
        owed = debt.left
        a_paid_lot(session, deal.client, deal.project, 1_000_00)
        assert books.settle_all(session) == 1
        assert (debt.left, free(session, deal.project)) == (owed - 1_000_00, 0)
        a_paid_lot(session, deal.client, deal.project, 5_000_00)
        recording.set_more_aside(session)
        assert (debt.left, debt.paid) == (0, owed)
        assert free(session, deal.project) == 6_000_00 - owed
        assert lines(session, debt.source)[:2] == [("2010", 1_000_00), ("1200", -1_000_00)]
        cover.require_not_overdue(session, deal.project, clock.now())
        assert queries.of_project(session, deal.project) == []
        fine(session)
    with clock.at(MONDAY + timedelta(days=2)):
        end_project(session, deal.client, deal.project.public_id, "work_finished", WHY)
    with clock.at(MONDAY + timedelta(days=30)):
        # What weeks give back is the client's now: it has paid for them.
        rolling.roll_weeks(session)
        recording.set_more_aside(session)
        assert (debt.recovered, free(session, deal.project)) == (0, 6_000_00)
        fine(session)


def test_two_people_write_off_what_is_left_once_no_week_can_give_it_back(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    desk = finance(session)
    with clock.at(MONDAY + timedelta(hours=2)):
        sheet = a_submitted_week(session, deal, MONDAY, 60)
        debt = failed(session, lot)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
        fin, gil = (replace(each, second_factor_at=clock.now()) for each in (desk.fin, desk.gil))
        with pytest.raises(Refused, match="colleague"):
            writing_off.write_off(session, gil, debt.public_id)
        writing_off.ask(session, gil, debt.public_id, "The company is insolvent.")
        with pytest.raises(NotAllowed, match="somebody else"):
            writing_off.write_off(session, gil, debt.public_id)
        writing_off.ask(session, fin, debt.public_id, "The company is insolvent.")
        with pytest.raises(NotAllowed):
            writing_off.write_off(session, fin, debt.public_id)
        with pytest.raises(FreshFactorNeeded):
            writing_off.write_off(session, replace(desk.gil, second_factor_at=None), debt.public_id)
        with pytest.raises(Refused, match="reserved"):
            writing_off.write_off(session, gil, debt.public_id)
    with clock.at(AFTER):
        end_project(session, deal.client, deal.project.public_id, "work_finished", WHY)
    with clock.at(MONDAY + timedelta(days=30)):
        rolling.roll_weeks(session)
        recording.set_more_aside(session)
        assert debt.left == 180_00
        gil = replace(desk.gil, second_factor_at=clock.now())
        writing_off.write_off(session, gil, debt.public_id)
        assert (debt.left, balance(session, chart.bad_debts())) == (0, 180_00)
        with pytest.raises(Refused, match="Nothing"):
            writing_off.write_off(session, gil, debt.public_id)
        fine(session)
    session.commit()
    with pytest.raises(DBAPIError):
        session.execute(sa.text("UPDATE client_debts SET written_off = 0, paid = paid + 18000"))


def test_what_is_owed_is_listed_by_its_age(session) -> None:
    _deal, lot = at_work(session, 5_000_00)
    with clock.at(AFTER):
        failed(session, lot)
    for days, said in ((1, "Up to 30"), (40, "31 to 60"), (89, "61 to 90"), (200, "More than 90")):
        with clock.at(AFTER + timedelta(days=days)):
            [age] = queries.ages(session)
            assert age.label.startswith(said)


def test_finance_reads_it_and_asks_for_the_second_person(app: Flask, session) -> None:
    deal, lot = at_work(session, 5_000_00)
    desk = finance(session)
    with clock.at(AFTER):
        debt = failed(session, lot)
        session.commit()
        fin = Visitor(enter(app.test_client(), session, desk.fin))
        path, owed = f"/client-debts/{debt.public_id}", str(debt.money)
        assert owed in words(fin.get("/client-debts"))
        assert "What its failure booked" in words(fin.get(f"/fundings/{lot.public_id}"))
        assert owed in words(fin.get(path))
        assert fin.post(f"{path}/writing-off", reason=" ").status_code == 422
        assert "second person" in words(fin.post(f"{path}/writing-off", reason="It is insolvent."))
        assert "Write it off" not in words(fin.get(path))
        gil = Visitor(enter(app.test_client(), session, desk.gil))
        assert "Write it off" in words(gil.get(path))
        carla = Visitor(enter(app.test_client(), session, deal.client))
        assert carla.get(path).status_code == 404
        assert "are owed" in words(carla.get(f"/projects/{deal.project.public_id}/funding"))


@pytest.mark.parametrize("broken", ["owed = owed + 1", "paid = owed + 1", "since = since + interval '1 day'"])
def test_the_database_keeps_what_was_owed(session, broken: str) -> None:
    _deal, lot = at_work(session, 5_000_00)
    with clock.at(AFTER):
        failed(session, lot)
    session.commit()
    with pytest.raises(DBAPIError):
        session.execute(sa.text(f"UPDATE client_debts SET {broken}"))


def test_the_proof_sees_a_debt_that_nobody_owes(session) -> None:
    deal, _lot = at_work(session, 5_000_00)
    receivable = chart.client_receivable(deal.project.public_id)
    ledger.post(
        session, SITE, source="test:1", event="x", currency="USD",
        lines=[(receivable, 1_00), (chart.rounding(), -1_00)], occurred_at=clock.now(), memo="",
    )  # fmt: skip
    assert [(each.expected, each.found) for each in PROOFS[0].run(session)] == [("0", "100")]


def another_clients_money(session: Session) -> None:
    client, organization = a_client(session, "Vega")
    a_paid_lot(session, client, a_project(session, client, organization, "Other"), 5_000_00)


def test_no_other_clients_money_pays_for_work_whose_payment_failed(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    with clock.at(MONDAY + timedelta(hours=11)):
        another_clients_money(session)
        sheet = a_submitted_week(session, deal, MONDAY, 600)
        failed(session, lot)
        assert list(money_is_covered(session)) == []
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
        found = covered.look(session, "USD")
        pay = -balance(session, chart.expert_payable(session.merge(deal.contract).person.public_id))
        assert 0 < found.missing == found.short <= pay
        assert len(covered.waiting(session, "USD")) == 1
        # What the expert waits for is an exposure: nobody's money has paid for it.
        assert list(money_is_covered(session)) == []
        # Once the client has paid, it waits no longer.
        a_paid_lot(session, deal.client, deal.project, 5_000_00)
        books.settle_all(session)
        assert covered.waiting(session, "USD") == set()


def test_pay_waits_where_a_bank_took_its_money_and_our_own_does_not_make_up_for_it(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    with clock.at(MONDAY + timedelta(hours=11)):
        another_clients_money(session)
        sheet = a_submitted_week(session, deal, MONDAY, 600)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
        assert covered.waiting(session, "USD") == set()
        recording.record(session, a_dispute(lot, "lost", moves=(a_move("out", -5_000_00),)))
        assert len(covered.waiting(session, "USD")) == 1
        ledger.post(
            session, SITE, source="capital:1", event="paid", currency="USD", occurred_at=MONDAY, memo="",
            lines=[(chart.stripe_balance(), 5_000_00), (chart.owner_capital(), -5_000_00)],
        )  # fmt: skip
        session.commit()
        assert covered.waiting(session, "USD") == set()
