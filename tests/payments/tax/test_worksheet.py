"""The worksheet of a year: what it ties to, by which form it goes, and when it may be taken along."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.rolling import roll_weeks
from marketplace.errors import Refused
from marketplace.payments.gateway import Gateway
from marketplace.payments.tax import office, thresholds, worksheet
from marketplace.payments.tax.states import FormKind, Report
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, RATE, Deal
from tests.factories.payments import Finance, an_approved_week
from tests.payments.tax.conftest import FRIDAY, Mode, a_w8ben, a_w9
from tests.payments.tax.test_withholding import TAX, sent
from tests.visitor import Visitor

NEXT_YEAR = datetime(2027, 1, 20, 18, tzinfo=UTC)


def test_the_worksheet_ties_to_the_ledger_and_a_year_is_on_one_form_only(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway, mode: Mode, app
) -> None:
    with clock.at(FRIDAY):
        a_w9(session, deal.expert, told_by_irs=True)
        sent(session, gateway, desk)
        sheet = worksheet.worksheet(session, desk.fin, FRIDAY.year)
        (row,) = sheet.rows
        assert (row.paid.paid.amount, row.paid.backup.amount, row.report) == (RATE, TAX, Report.NEC)
        # Below the figure, and reported all the same, because tax was withheld.
        assert row.above
    with clock.at(NEXT_YEAR):
        fin = replace(desk.fin, second_factor_at=clock.now())
        page = Visitor(enter(app.test_client(), session, fin))
        csv = page.get(f"/tax/years/{FRIDAY.year}/worksheet.csv").text
        assert "••• 4399" in csv
        assert "536904399" not in csv
        page.get(f"/tax/years/{FRIDAY.year}")
        assert "536904399" in page.post(f"/tax/years/{FRIDAY.year}/returns.csv").text
        mode("forms", "k")
        with pytest.raises(Refused, match="never on both"):
            worksheet.take_along(session, fin, FRIDAY.year)
        mode("forms", "nec")
        worksheet.take_along(session, fin, FRIDAY.year)


@pytest.mark.parametrize("refused", [False, True])
def test_what_was_withheld_is_reported_by_the_form_of_its_day(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway, refused: bool
) -> None:
    """A W-8BEN that finance lets count later, or a refusal of the form, takes nothing from the return."""
    with clock.at(FRIDAY):
        w9 = a_w9(session, deal.expert, told_by_irs=True)
        assert sent(session, gateway, desk).tax_form_id == w9.id
        fin = replace(desk.fin, second_factor_at=clock.now())
        if not refused:
            office.accept_form(session, fin, a_w8ben(session, deal.expert).public_id)
    with clock.at(NEXT_YEAR):
        fin = replace(desk.fin, second_factor_at=clock.now())
        if refused:
            office.refuse_form(session, fin, w9.public_id, "The address is out of date.")
        sheet, forms = worksheet.take_along(session, fin, 2026)
        (row,) = sheet.rows
        assert (row.form, row.report, row.above, row.paid.backup.amount) == (w9, Report.NEC, True, TAX)
        assert "536904399" in next(worksheet.rows(sheet, forms))


def test_pay_of_two_forms_of_a_kind_is_one_row_and_of_two_kinds_two(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway
) -> None:
    with clock.at(FRIDAY):
        a_w9(session, deal.expert, told_by_irs=True)
        sent(session, gateway, desk)
    week = MONDAY.replace(day=8)
    an_approved_week(session, deal, week)
    with clock.at(FRIDAY.replace(day=FRIDAY.day + 7)):
        newer = a_w9(session, deal.expert)
        sent(session, gateway, desk)
        (row,) = worksheet.worksheet(session, desk.fin, 2026).rows
        assert (row.form, row.paid.paid.amount, row.paid.count) == (newer, 2 * RATE, 2)
        fin = replace(desk.fin, second_factor_at=clock.now())
        office.accept_form(session, fin, a_w8ben(session, deal.expert).public_id)
        roll_weeks(session)
    an_approved_week(session, deal, MONDAY.replace(day=15))
    with clock.at(FRIDAY.replace(day=FRIDAY.day + 14)):
        sent(session, gateway, desk)
        rows = worksheet.worksheet(session, desk.fin, 2026).rows
        assert {each.form.kind: each.paid.paid.amount for each in rows if each.form} == {
            FormKind.W9: 2 * RATE,
            FormKind.W8BEN: RATE,
        }


def test_more_payments_than_can_be_is_said_beside_the_field(session: Session, desk: Finance, app) -> None:
    with clock.at(FRIDAY):
        fin = Visitor(enter(app.test_client(), session, desk.fin))
        typed = {"form": "k", "from_year": "2027", "amount": "20000", "source": "Notice 2026-99 of the IRS"}
        page = fin.post("/tax/thresholds", **typed, transactions=str(10**25))
        assert "from 0 to 1,000,000" in page.text


def test_a_year_that_runs_or_has_no_figure_is_not_taken_along(session: Session, desk: Finance) -> None:
    with clock.at(FRIDAY), pytest.raises(Refused, match="still runs"):
        worksheet.take_along(session, desk.fin, FRIDAY.year)
    with clock.at(NEXT_YEAR.replace(year=2028)):
        fin, gil = (replace(each, second_factor_at=clock.now()) for each in (desk.fin, desk.gil))
        with pytest.raises(Refused, match="figure of 2027 is not known"):
            worksheet.take_along(session, fin, 2027)
        draft = thresholds.Draft("nec", 2027, 2_100_00, 0, "Notice 2026-99 of the tax office")
        thresholds.accept(session, gil, thresholds.propose(session, fin, draft).public_id)
        worksheet.take_along(session, fin, 2027)
