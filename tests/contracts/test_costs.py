"""What work cost a client, from the ledger: cut three ways, each to the cent, and only their own."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.contracts import charges
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.costs import Costs, costs
from marketplace.contracts.disputes import turns
from marketplace.ledger import chart
from marketplace.money import Money
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week
from tests.factories.disputes import WEDNESDAY, a_week_of_lines, questioned
from tests.visitor import Visitor, words

JUNE, JULY = datetime(2026, 6, 1, 4, tzinfo=UTC), datetime(2026, 7, 1, 4, tzinfo=UTC)


def usd(amount: int) -> Money:
    return Money(amount, "USD")


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        made = a_deal(session)
        made.project.cost_centre, made.project.purchase_order = "CC-4711", "PO 9"
        session.commit()
        return made


def found(session: Session, deal: Deal) -> Costs:
    [each] = costs(session, deal.client, JUNE, JULY)
    return each


def test_pay_and_fee_are_what_the_ledger_says(session: Session, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal, lines=10, minutes=31)
    first, second = questioned(session, deal, sheet, 2, 7)
    with clock.at(WEDNESDAY + timedelta(days=1)):
        turns.agree(session, deal.client, first.public_id, 31)
        turns.agree(session, deal.expert, second.public_id, 0)
    each = found(session, deal)
    expert = chart.expert_payable(deal.contract.person.public_id)
    assert each.whole.pay == usd(-ledger.balance(session, expert, "USD")) == usd(9 * 77_50)
    assert each.whole.fee == usd(-ledger.balance(session, chart.client_fees(), "USD"))
    assert each.whole.minutes == 9 * 31
    keys = (chart.project_funds, chart.project_reserved, chart.disputed)
    held = sum(ledger.balance(session, key(deal.project.public_id), "USD") for key in keys)
    # What left the project's money is what it was charged.
    assert each.whole.total.amount == 10_000_00 + held
    for cut in (each.by_project, each.by_cost_centre, each.by_domain):
        assert sum(one.total.amount for one in cut) == each.whole.total.amount
    assert [one.label for one in each.by_cost_centre] == ["CC-4711"]
    assert [one.label for one in each.by_project] == [deal.project.name]


def test_another_month_and_another_company_see_nothing_of_it(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + timedelta(hours=2)):
        sheet = a_submitted_week(session, deal, MONDAY)
        other = a_deal(session)
    with clock.at(WEDNESDAY):
        approve_timesheet(session, deal.client, sheet.public_id, sheet.version)
    assert found(session, deal).whole.total == usd(180_00)
    assert costs(session, deal.client, JULY, JULY + timedelta(days=31)) == []
    if other.project.organization_id != deal.project.organization_id:
        assert costs(session, other.client, JUNE, JULY) == []


def test_an_hour_is_told_to_both_sides_as_agreed_and_then_as_posted(
    session: Session, app: Flask, deal: Deal
) -> None:
    path = f"/contracts/{deal.contract.public_id}"
    said = "Of the $180.00 that an hour costs, $150.00 is the expert’s pay and $30.00 the fee"
    sides = (deal.client, deal.expert)
    with clock.at(MONDAY + timedelta(hours=1)):
        for who in sides:
            assert f"{said} as agreed" in words(Visitor(enter(app.test_client(), session, who)).get(path))
    sheet = a_week_of_lines(session, deal)
    questioned(session, deal, sheet, 2)
    with clock.at(WEDNESDAY):
        for who in sides:
            assert f"{said} as posted so far" in words(
                Visitor(enter(app.test_client(), session, who)).get(path)
            )
        hour = charges.an_hour_of(session, deal.contract)
    assert (hour.pay, hour.fee, hour.posted) == (usd(150_00), usd(30_00), True)


def test_the_page_and_the_table(session: Session, app: Flask, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal)
    questioned(session, deal, sheet, 2)
    with clock.at(WEDNESDAY):
        dev = Visitor(enter(app.test_client(), session, deal.approver))
        seen = words(dev.get("/costs?from=2026-05&until=2026-06"))
        assert "CC-4711 4 h 30 min $675.00 $135.00 $810.00" in seen
        answer = dev.get("/costs/csv?from=2026-06&until=2026-06")
        head, row = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
        line = dict(zip(head, row, strict=True))
        assert (line["Purchase order"], line["Minutes"], line["Together"]) == ("PO 9", "270", "810.00")
        for wrong in ("2026", "2026-13", "nonsense", "2030-01"):
            assert dev.get(f"/costs?from={wrong}").status_code == 404
        assert Visitor(enter(app.test_client(), session, deal.expert)).get("/costs").status_code == 404
