"""Where the pay for a week is when some of its lines are questioned: every hour in one state."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.contracts.disputes import turns
from marketplace.contracts.disputes.ruling import rule
from marketplace.contracts.models import Timesheet
from marketplace.payments import batches, earnings
from marketplace.payments.gateway import Gateway
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, Deal, a_deal
from tests.factories.disputes import WEDNESDAY, a_week_of_lines, questioned
from tests.factories.payments import a_paid_deal, finance
from tests.visitor import Visitor, words

TEXT = "I read every one of the forty slices twice."


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


@pytest.fixture
def opa(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Opa Operator", Role.OPERATOR))


def day(number: int) -> datetime:
    return WEDNESDAY + timedelta(days=number)


def states(session: Session, sheet: Timesheet) -> list[tuple[str, int, int]]:
    """State, minutes and pay of each part of the week; together always all of its time."""
    rows = earnings.earned(session, [sheet])
    assert sum(row.minutes for row in rows) == sheet.paid_minutes == 300
    assert sum(row.pay.amount for row in rows) == 750_00
    return [(row.state, row.minutes, row.pay.amount) for row in rows]


def test_two_lines_of_ten_are_questioned_and_eight_are_in_the_next_batch(
    session: Session, gateway: Gateway
) -> None:
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    sheet = a_week_of_lines(session, deal)
    first, second = questioned(session, deal, sheet, 2, 7)
    with clock.at(day(1)):
        batch = batches.prepare_batch(session, finance(session).fin, clock.now())
    [item] = batch.items
    assert (item.amount, item.person_id) == (8 * 75_00, deal.expert.id)
    with clock.at(day(2)):
        turns.agree(session, deal.client, first.public_id, 30)
        turns.agree(session, deal.expert, second.public_id, 0)
    # Whatever a ruling or an agreement adds waits for the batch after this one.
    added = [approval.expert_amount for approval, _person in session.execute(batches.unpaid("USD"))]
    assert added == [75_00]


def test_every_hour_is_in_one_state_at_every_step(session: Session, deal: Deal, opa: Actor) -> None:
    sheet = a_week_of_lines(session, deal)
    with clock.at(WEDNESDAY):
        assert states(session, sheet) == [("submitted", 300, 750_00)]
    first, second = questioned(session, deal, sheet, 2, 7, offered=10)
    with clock.at(day(1)):
        assert states(session, sheet) == [
            ("approved", 240, 600_00), ("disputed", 30, 75_00), ("disputed", 30, 75_00),
        ]  # fmt: skip
        assert earnings.sums_of(session, deal.expert, "USD")["disputed"].amount == 150_00
        turns.agree(session, deal.expert, first.public_id, 10)
        assert states(session, sheet) == [
            ("approved", 240, 600_00), ("approved", 10, 25_00), ("not_paid", 20, 50_00),
            ("disputed", 30, 75_00),
        ]  # fmt: skip
        turns.ask_for_ruling(session, deal.expert, second.public_id, TEXT)
        rule(session, opa, second.public_id, 20, "partly_shown", "The log shows twenty minutes of it.")
        assert states(session, sheet)[-2:] == [("not_paid", 20, 50_00), ("disputed", 10, 25_00)]
        assert earnings.sums_of(session, deal.expert, "USD")["disputed"].amount == 25_00
    with clock.at(day(20)):
        turns.settle_overdue(session)
        assert states(session, sheet)[-2:] == [("not_paid", 20, 50_00), ("not_paid", 10, 25_00)]


def test_the_money_page_leads_to_the_question(app: Flask, session: Session, deal: Deal) -> None:
    [dispute] = questioned(session, deal, a_week_of_lines(session, deal), 3)
    with clock.at(day(1)):
        page = Visitor(enter(app.test_client(), session, deal.expert)).get("/pay")
    assert "Questioned $75.00" in words(page)
    assert f"/disputes/{dispute.public_id}" in page.text
