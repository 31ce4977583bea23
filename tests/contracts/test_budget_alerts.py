"""Half, four fifths and all of a project's money: told once, to those who can add more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.budgets import alerts, standing
from marketplace.contracts.queries import burn_down
from marketplace.contracts.rolling import roll_weeks
from marketplace.money import Money
from marketplace.notifications.models import Notification
from tests.conftest import Committed
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week
from tests.factories.gigs import fund
from tests.visitor import Visitor, words

# A week of ten hours at $150 with a fifth of it as the fee; two are reserved at once.
WEEK = 1_800_00


def told(session: Session) -> list[str]:
    query = sa.select(Notification).where(Notification.kind.startswith("budget."))
    return [each.kind for each in session.scalars(query.order_by(Notification.id))]


def a_project_of(session: Session, weeks: float) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session, funds=int(weeks * WEEK))


def test_the_highest_that_is_reached_is_told_once(session: Session) -> None:
    deal = a_project_of(session, 2.5)
    with clock.at(MONDAY):
        assert alerts.watch(session) == 1
        assert alerts.watch(session) == 0
    notice = session.scalars(sa.select(Notification).filter_by(kind="budget.80")).one()
    assert told(session) == ["budget.80"]
    assert (notice.person_id, notice.path) == (
        deal.client.id,
        f"/projects/{deal.project.public_id}/funding",
    )
    assert "$3,600.00 of $4,500.00; $900.00 are free." in notice.body
    assert "needs $1,800.00, so it does not last for another" in notice.body


def test_below_a_half_nothing_is_told(session: Session) -> None:
    a_project_of(session, 4.01)
    with clock.at(MONDAY):
        assert alerts.watch(session) == 0
    assert told(session) == []


def test_each_threshold_has_its_turn_as_the_money_goes(session: Session) -> None:
    a_project_of(session, 3.5)
    for week in range(2):
        with clock.at(MONDAY + timedelta(days=7 * week, hours=1)):
            roll_weeks(session)
            # The week before is over and was not worked, but is held for two days more.
            alerts.watch(session)
    assert told(session) == ["budget.50", "budget.80"]


def test_what_comes_back_is_no_news(session: Session) -> None:
    a_project_of(session, 3)
    with clock.at(MONDAY):
        alerts.watch(session)
    with clock.at(MONDAY + timedelta(days=300)):
        # The gig is over: everything that was reserved is free again.
        roll_weeks(session)
        assert alerts.watch(session) == 0
    assert told(session) == ["budget.50"]


def test_more_money_arms_again_what_is_no_longer_reached(session: Session) -> None:
    deal = a_project_of(session, 2)
    with clock.at(MONDAY):
        alerts.watch(session)
        fund(session, deal.project.public_id, 2 * WEEK)
        alerts.rearm(session, deal.project)
        session.commit()
        assert alerts.watch(session) == 0
        stand = [each.threshold for each in alerts.of_project(session, deal.project) if not each.rearmed_at]
        assert stand == [50]
    with clock.at(MONDAY + timedelta(days=7, hours=1)):
        roll_weeks(session)
    with clock.at(MONDAY + timedelta(days=14, hours=1)):
        alerts.watch(session)
    assert told(session) == ["budget.100"]


def test_the_sums_are_those_of_the_burn_down(session: Session) -> None:
    deal = a_project_of(session, 3)
    with clock.at(MONDAY + timedelta(days=1)):
        a_submitted_week(session, deal, MONDAY, 90)
    burn, now = burn_down(session, deal.project), standing.of_project(session, deal.project)
    assert (now.funded, now.free) == (burn.funded.amount, burn.free.amount)
    assert now.used == (burn.spent + burn.reserved + burn.disputed).amount


def test_the_page_to_add_funds_suggests_what_four_weeks_need(app: Flask, session: Session) -> None:
    deal = a_project_of(session, 2.5)
    with clock.at(MONDAY):
        alerts.watch(session)
        carla = Visitor(enter(app.test_client(), session, deal.client))
        page = carla.get(f"/projects/{deal.project.public_id}/funding").text
        assert f'value="{(Money(4 * WEEK - WEEK // 2, "USD")).decimal:,}"' in page
        funds = words(carla.get(f"/projects/{deal.project.public_id}/funds"))
        assert "80 % reached" in funds
        assert "needs $1,800.00" in funds


def test_the_notice_of_a_week_that_is_not_reserved_leads_a_client_to_the_same_page(session: Session) -> None:
    deal = a_project_of(session, 2)
    with clock.at(MONDAY + timedelta(days=7)):
        roll_weeks(session)
    notices = session.scalars(sa.select(Notification).filter_by(kind="reservation.short"))
    assert {each.person_id: each.path for each in notices} == {
        deal.expert.id: f"/contracts/{deal.contract.public_id}",
        deal.client.id: f"/projects/{deal.project.public_id}/funding",
    }


@pytest.mark.committed
def test_two_workers_tell_once(committed: Committed) -> None:
    with committed.session() as session:
        a_project_of(session, 2)

    def look(_worker: int) -> int:
        with committed.session() as session, clock.at(MONDAY):
            return alerts.watch(session)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(look, range(4))) == 1
    with committed.session() as session:
        assert told(session) == ["budget.100"]
