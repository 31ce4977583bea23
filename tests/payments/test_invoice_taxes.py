"""The tax on invoices: each rate with its fee, both numbers, the words of reverse charge; and the listing."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from pypdf import PdfReader
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.accounts.legal import change_legal
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.entries import add_entries
from marketplace.contracts.proofs import PROOFS as CONTRACT_PROOFS
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.taxes.models import TaxDecision
from marketplace.contracts.taxes.proofs import the_listing_ties
from marketplace.contracts.taxes.report import reports
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.ledger import chart
from marketplace.payments.invoices import proofs
from marketplace.payments.invoices.issuing import fingerprint, issue_invoice
from marketplace.payments.invoices.models import Invoice
from marketplace.payments.sweeps import prepare_sweep, sweepable, taken
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, RATE, Deal, a_deal, work
from tests.factories.payments import Finance, finance
from tests.factories.taxes import OUR_NUMBER, a_place, a_rate, registered
from tests.visitor import Visitor, words

FREE = date(2026, 6, 15)
DAY = timedelta(days=1)
THIRD = MONDAY + 14 * DAY
JULY_2 = datetime(2026, 7, 2, tzinfo=UTC)
FRENCH = "FR40303265045"
FEE = RATE // 5
TAX = FEE * 19 // 100


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(MONDAY):
        return finance(session)


def an_invoice(session: Session, deal: Deal, desk: Finance, country: str, vat_id: str) -> Invoice:
    """An hour before there was a tax and one after, of a client in this country."""
    organization = deal.project.organization
    change_legal(session, deal.client, organization.public_id, "Lumen Labs", "1 Street", "")
    with clock.at(MONDAY), registered():
        a_rate(session, desk, FREE)
        a_place(session, desk, deal.client, organization, country, vat_id)
    _hour(session, deal, MONDAY + DAY)
    with clock.at(MONDAY + 7 * DAY):
        roll_weeks(session)
    _hour(session, deal, THIRD)
    with clock.at(JULY_2):
        return issue_invoice(session, deal.client, organization.public_id, "2026-06", "USD")


def _hour(session: Session, deal: Deal, at: datetime) -> None:
    with clock.at(at + DAY):
        sheet = add_entries(session, deal.expert, deal.contract.public_id, [work(at)])[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)


def no_drift(session: Session) -> None:
    session.commit()
    every = [*proofs.PROOFS, *CONTRACT_PROOFS]
    assert [drift for proof in every for drift in proof.run(session)] == []


def printed(session: Session, app: Flask, deal: Deal, invoice: Invoice) -> str:
    carla = Visitor(enter(app.test_client(), session, deal.client))
    file = PdfReader(io.BytesIO(carla.client.get(f"/invoices/{invoice.public_id}/pdf").data))
    return " ".join("".join(page.extract_text() for page in file.pages).split())


def test_the_rate_stands_on_it_with_the_fee_that_bears_it(
    session: Session, app: Flask, deal: Deal, desk: Finance
) -> None:
    invoice = an_invoice(session, deal, desk, "DE", "")
    assert invoice.taxes == [{"basis": "domestic", "name": "VAT", "rate_bps": 1_900, "base": FEE, "tax": TAX}]
    assert (invoice.tax, invoice.fee, invoice.due.amount) == (TAX, 2 * FEE, 0)
    assert invoice.total.amount == 2 * (RATE + FEE) + TAX
    assert sorted(each.tax for each in invoice.lines) == [0, TAX]
    with clock.at(JULY_2):
        said = printed(session, app, deal, invoice)
        carla = Visitor(enter(app.test_client(), session, deal.client))
        head, *rows = csv.reader(
            io.StringIO(carla.get(f"/invoices/{invoice.public_id}/csv").text.removeprefix("\ufeff"))
        )
    for each in ("VAT 19 %, on our fee of $30.00 $5.70", f"VAT number {OUR_NUMBER}", "Balance due $0.00"):
        assert each in said, each
    cells = [dict(zip(head, row, strict=True)) for row in rows]
    assert sorted((each["Tax on the fee"], each["Tax, at what rate and why"]) for each in cells) == [
        ("0.00", ""), ("5.70", "VAT 19 %"),
    ]  # fmt: skip
    no_drift(session)


def test_reverse_charge_is_said_with_both_numbers(
    session: Session, app: Flask, deal: Deal, desk: Finance
) -> None:
    invoice = an_invoice(session, deal, desk, "FR", FRENCH)
    assert [(each["basis"], each["tax"]) for each in invoice.taxes] == [("reverse_charge", 0)]
    with clock.at(JULY_2):
        said = printed(session, app, deal, invoice)
    for each in ("Reverse charge", "article 196", FRENCH, OUR_NUMBER, "VAT 0 %, on our fee of $30.00 $0.00"):
        assert each in said, each
    no_drift(session)


def test_a_frozen_invoice_covers_its_taxes(session: Session, deal: Deal, desk: Finance) -> None:
    invoice = an_invoice(session, deal, desk, "DE", "")
    before = invoice.sha256
    with session.no_autoflush:
        invoice.taxes = [{**invoice.taxes[0], "rate_bps": 700}]
        assert fingerprint(invoice) != before
        session.expire(invoice)


def test_the_listing_ties_to_2300_by_rate_and_by_client(
    session: Session, app: Flask, deal: Deal, desk: Finance
) -> None:
    an_invoice(session, deal, desk, "DE", "")
    june, july, august = (date(2026, month, 1) for month in (6, 7, 8))
    [report] = reports(session, june, july)
    assert (report.before.amount, report.listed.amount, report.after.amount) == (0, TAX, TAX)
    assert report.ties
    assert [(each.client, each.fee.amount) for each in report.by_client] == [
        (deal.project.organization.name, FEE)
    ]
    [later] = reports(session, july, august)
    assert (later.before.amount, later.listed.amount, later.after.amount) == (TAX, 0, TAX)
    with clock.at(JULY_2):
        fin = Visitor(enter(app.test_client(), session, desk.fin))
        said = words(fin.get("/vat?from=2026-06&until=2026-06"))
        assert "It ties to the books" in said
        assert "VAT 19 % a client in our country 1 $30.00 $5.70" in said
        table = fin.get("/vat/csv?from=2026-06&until=2026-06").text.splitlines()
        assert table[1].endswith("VAT,19,30.00,5.70,USD")
    no_drift(session)


def test_tax_that_no_line_bore_is_found(session: Session, deal: Deal, desk: Finance) -> None:
    an_invoice(session, deal, desk, "DE", "")
    assert list(the_listing_ties(session)) == []
    decision = session.scalars(sa.select(TaxDecision).limit(1)).one()
    lines = [(chart.client_fees(), 100), (chart.tax_payable(), -100)]
    with clock.at(JULY_2):
        ledger.post(
            session, desk.fin, source=f"approval:{decision.id}", event="approved", currency="USD",
            lines=lines, occurred_at=clock.now(), memo="Wrong",
        )  # fmt: skip
    [drift] = the_listing_ties(session)
    assert (drift.expected, drift.found) == (str(TAX), str(TAX + 100))


def test_tax_is_swept_with_our_fees(session: Session, deal: Deal, desk: Finance) -> None:
    an_invoice(session, deal, desk, "DE", "")
    assert sweepable(session, "USD") == 2 * FEE + TAX
    with clock.at(JULY_2):
        sweep = prepare_sweep(session, desk.fin)
    assert [(code, amount) for code, _count, amount in taken(session, sweep)] == [
        ("2300", TAX), ("4010", 2 * FEE),
    ]  # fmt: skip
