"""What an hour really brings, unpaid time included, and from which clients the income comes."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Kind
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.entries import Work, add_entries
from marketplace.contracts.states import TimeKind
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.money import Money
from marketplace.payments.income import Income, income
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, Deal, a_deal
from tests.visitor import Visitor, words

LATER = MONDAY + timedelta(days=1)


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def a_week(session: Session, deal: Deal, paid: int, unpaid: int = 0, begin: int = 0) -> None:
    """An approved week with minutes of both kinds, `begin` hours after its Monday."""
    start = MONDAY + timedelta(hours=begin)
    between = start + timedelta(minutes=paid)
    works = [Work(start, between, "review")]
    if unpaid:
        works.append(Work(between, between + timedelta(minutes=unpaid), "review", kind=TimeKind.UNPAID))
    with clock.at(LATER):
        sheet = add_entries(session, deal.expert, deal.contract.public_id, works)[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)


def found(session: Session, deal: Deal) -> Income:
    with clock.at(LATER):
        return income(session, deal.expert, "USD")


def usd(amount: int) -> Money:
    return Money(amount, "USD")


def test_unpaid_time_lowers_what_an_hour_brings(session: Session, deal: Deal) -> None:
    a_week(session, deal, paid=90, unpaid=30)
    [contract] = found(session, deal).contracts
    # An hour and a half at 150 dollars, for two hours.
    assert (contract.paid, contract.minutes, contract.an_hour) == (usd(225_00), 120, usd(112_50))
    assert found(session, deal).whole.an_hour == usd(112_50)


@pytest.mark.parametrize(("minutes", "rate"), [(59, None), (60, usd(150_00))])
def test_below_an_hour_nothing_is_said(
    session: Session, deal: Deal, minutes: int, rate: Money | None
) -> None:
    a_week(session, deal, paid=minutes)
    assert found(session, deal).whole.an_hour == rate


def test_what_waits_for_the_client_counts_for_nothing_yet(session: Session, deal: Deal) -> None:
    with clock.at(LATER):
        sheet = add_entries(
            session,
            deal.expert,
            deal.contract.public_id,
            [Work(MONDAY, MONDAY + timedelta(hours=2), "review")],
        )[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
    assert found(session, deal).contracts == []
    assert found(session, deal).clients == []


def test_a_client_of_more_than_half_is_named(session: Session, deal: Deal) -> None:
    a_week(session, deal, paid=120)
    with clock.at(MONDAY):
        other = a_deal(session, expert=deal.expert)
    a_week(session, other, paid=60, begin=4)
    told = found(session, deal)
    assert [(each.pay, each.per_cent) for each in told.clients] == [(usd(300_00), 67), (usd(150_00), 33)]
    assert told.depends_on == told.clients[0]
    assert told.whole.minutes == 180


def test_bonuses_count(session: Session, deal: Deal) -> None:
    a_week(session, deal, paid=60)
    with clock.at(LATER):
        draft = Draft(Kind.BONUS, 30_00, "outstanding", "The clearest reports of all.", uuid.uuid4())
        adjust(session, deal.client, deal.contract.public_id, draft)
    told = found(session, deal)
    assert told.whole.an_hour == usd(180_00)
    assert [each.pay for each in told.clients] == [usd(180_00)]


def test_half_is_not_more_than_half(session: Session, deal: Deal) -> None:
    a_week(session, deal, paid=60)
    with clock.at(MONDAY):
        other = a_deal(session, expert=deal.expert)
    a_week(session, other, paid=60, begin=4)
    assert [each.per_cent for each in found(session, deal).clients] == [50, 50]
    assert found(session, deal).depends_on is None


def test_a_year_later_it_is_no_income_of_the_year(session: Session, deal: Deal) -> None:
    a_week(session, deal, paid=60)
    with clock.at(LATER + timedelta(days=366)):
        assert income(session, deal.expert, "USD").clients == []
        assert income(session, deal.expert, "USD").whole.paid == usd(150_00)


def test_the_page_says_both_in_plain_words(session: Session, app: Flask, deal: Deal) -> None:
    a_week(session, deal, paid=90, unpaid=30)
    with clock.at(LATER):
        seen = words(Visitor(enter(app.test_client(), session, deal.expert)).get("/pay"))
    client = deal.contract.organization.name
    assert f"{client} $225.00 2 h 00 min $112.50" in seen
    assert f"100 % of it comes from {client}" in seen
    assert "most of your income ends with it" in seen
