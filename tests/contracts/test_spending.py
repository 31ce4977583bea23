"""What a client's money went to: each gig's work, and the tests apart, which add up to all that was spent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.queries import burn_down
from marketplace.contracts.spending import spending
from marketplace.money import Money
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, a_submitted_week
from tests.factories.sittings import Trial, a_trial, begun, taken
from tests.visitor import Visitor, words

# Half an hour of the test at $120, and an hour of the grader's work at $150; a fifth of either is the fee.
TEST, WORK = Money(72_00, "USD"), Money(180_00, "USD")


@pytest.fixture
def trial(session: Session) -> Trial:
    with clock.at(MONDAY):
        return a_trial(session)


def a_week_and_a_test(session: Session, trial: Trial) -> None:
    taken(session, trial, minutes=30)
    with clock.at(MONDAY + timedelta(hours=3)):
        sheet = a_submitted_week(session, trial.deal, MONDAY, 60)
        approve_timesheet(session, trial.deal.approver, sheet.public_id, sheet.version)


def test_the_funds_say_what_tests_cost_and_add_up(app: Flask, session: Session, trial: Trial) -> None:
    a_week_and_a_test(session, trial)
    carla = Visitor(enter(app.test_client(), session, trial.deal.client))
    page = words(carla.get(f"/projects/{trial.deal.project.public_id}/funds"))
    assert f"{trial.deal.gig.title} Work {WORK}" in page
    assert f"{trial.gig.title} Paid tests {TEST}" in page
    assert f"Spent {WORK + TEST}" in page
    assert "Rounding" not in page
    funding = words(carla.get(f"/projects/{trial.deal.project.public_id}/funding"))
    assert f"approved pay and fee, {TEST} of it for paid tests" in funding


def test_a_cent_of_rounding_is_told(session: Session, trial: Trial) -> None:
    a_week_and_a_test(session, trial)
    found = spending(session, trial.deal.project, WORK + TEST - Money(1, "USD"))
    assert found.rounding == Money(-1, "USD")
    assert found.tests == TEST


def test_the_results_say_what_each_sitting_cost(app: Flask, session: Session, trial: Trial) -> None:
    taken(session, trial, minutes=30)
    carla = Visitor(enter(app.test_client(), session, trial.deal.client))
    page = words(carla.get(f"/tests/{trial.test.public_id}/results"))
    assert f"Cost of the test so far {TEST}" in page
    assert page.count(str(TEST)) == 2


def test_a_test_that_is_not_handed_in_has_cost_nothing(app: Flask, session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + timedelta(hours=1)):
        begun(session, trial)
        carla = Visitor(enter(app.test_client(), session, trial.deal.client))
        assert "Cost of the test" not in words(carla.get(f"/tests/{trial.test.public_id}/results"))
        project = trial.deal.project
        assert spending(session, project, burn_down(session, project).spent).lines == []
