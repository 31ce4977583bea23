"""Invoices: what the ledger charged, each approval once, numbered without gaps, never changed."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from pypdf import PdfReader
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger, pdf
from marketplace.accounts.legal import change_legal
from marketplace.actor import SITE
from marketplace.contracts import rolling
from marketplace.contracts.disputes import turns
from marketplace.errors import NotAllowed, NotFound, Refused
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry
from marketplace.money import Money
from marketplace.payments.invoices import documents, proofs
from marketplace.payments.invoices.issuing import issue_due, issue_invoice, open_months
from marketplace.payments.invoices.models import Invoice, InvoiceCharge, InvoiceCounter
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, Deal, a_deal
from tests.factories.disputes import WEDNESDAY, a_week_of_lines, questioned
from tests.factories.payments import an_approved_week, finance
from tests.visitor import Visitor, words

JULY_2, AUGUST_2 = datetime(2026, 7, 2, tzinfo=UTC), datetime(2026, 8, 2, tzinfo=UTC)


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        made = a_deal(session)
        made.project.cost_centre, made.project.purchase_order = "CC-4711", "PO 9"
        session.commit()
        return made


def known(session: Session, deal: Deal) -> None:
    change_legal(
        session, deal.client, deal.contract.organization.public_id,
        "Lumen Labs GmbH", "Hauptstraße 1\n10115 Berlin", "DE 123",
    )  # fmt: skip


def issue(session: Session, deal: Deal, month: str = "2026-06") -> Invoice:
    return issue_invoice(session, deal.client, deal.contract.organization.public_id, month, "USD")


def no_drift(session: Session) -> None:
    assert [drift for proof in proofs.PROOFS for drift in proof.run(session)] == []


def test_it_charges_what_the_ledger_says_and_nothing_is_due(session: Session, deal: Deal) -> None:
    known(session, deal)
    sheet = a_week_of_lines(session, deal, lines=10, minutes=31)
    first, second = questioned(session, deal, sheet, 2, 7)
    with clock.at(WEDNESDAY + timedelta(days=1)):
        turns.agree(session, deal.client, first.public_id, 31)
        turns.agree(session, deal.expert, second.public_id, 0)
    with clock.at(JULY_2):
        invoice = issue(session, deal)
    expert = chart.expert_payable(deal.contract.person.public_id)
    assert invoice.pay == -ledger.balance(session, expert, "USD") == 9 * 77_50
    assert invoice.fee == -ledger.balance(session, chart.client_fees(), "USD")
    assert invoice.rounding == -ledger.balance(session, chart.rounding(), "USD")
    assert (invoice.due, invoice.tax) == (Money(0, "USD"), 0)
    [line] = [each for each in invoice.lines if each.kind == "approval"]
    assert (line.purchase_order, line.cost_centre, line.minutes) == ("PO 9", "CC-4711", 9 * 31)
    no_drift(session)


def test_rounding_that_the_site_bears_is_on_it_and_comes_back_with_what_is_not_paid(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session, rate=150_30, hours=1)
    known(session, deal)
    # Each minute is rounded up, so sixty of them are dearer than the hour that was reserved.
    sheet = a_week_of_lines(session, deal, lines=60, minutes=1)
    [dispute] = questioned(session, deal, sheet, 7)
    with clock.at(WEDNESDAY + timedelta(days=1)):
        assert open_months(session, deal.contract.organization)[0].total.amount < 60 * (2_51 + 50)
        turns.agree(session, deal.expert, dispute.public_id, 0)
    with clock.at(JULY_2):
        invoice = issue(session, deal)
    assert (invoice.pay, invoice.fee) == (59 * 2_51, 59 * 50)
    assert invoice.rounding == -ledger.balance(session, chart.rounding(), "USD")
    assert [(line.kind, line.pay, line.rounding > 0) for line in invoice.lines][-1] == (
        "time_dispute",
        0,
        True,
    )
    keys = (chart.project_funds, chart.project_reserved, chart.disputed)
    held = sum(ledger.balance(session, key(deal.project.public_id), "USD") for key in keys)
    assert invoice.total.amount == 10_000_00 + held
    no_drift(session)


def test_asked_again_it_is_the_same_and_numbers_follow_one_another(session: Session, deal: Deal) -> None:
    known(session, deal)
    an_approved_week(session, deal, MONDAY)
    before = session.scalars(sa.select(InvoiceCounter.last)).one()
    with clock.at(JULY_2):
        first = issue(session, deal)
        assert issue(session, deal) is first
    start = MONDAY + timedelta(weeks=5)
    for week in range(1, 6):
        with clock.at(MONDAY + timedelta(weeks=week)):
            rolling.roll_weeks(session)
    an_approved_week(session, deal, start)
    with clock.at(AUGUST_2):
        second = issue(session, deal, "2026-07")
    assert (first.number, second.number) == (before + 1, before + 2)
    assert first.name == f"INV-{before + 1:06}"
    charged = session.scalars(sa.select(InvoiceCharge.journal_entry_id)).all()
    assert len(charged) == len(set(charged)) == 2
    no_drift(session)


def test_a_refused_one_uses_no_number(session: Session, deal: Deal) -> None:
    an_approved_week(session, deal, MONDAY)
    with clock.at(JULY_2):
        with pytest.raises(Refused, match="legal name"):
            issue(session, deal)
        known(session, deal)
        with pytest.raises(Refused, match="Nothing was charged"):
            issue(session, deal, "2026-05")
        assert issue(session, deal).number == session.scalars(sa.select(InvoiceCounter.last)).one()
    no_drift(session)


def test_a_month_has_to_be_over_and_an_earlier_one_first(session: Session, deal: Deal) -> None:
    known(session, deal)
    an_approved_week(session, deal, MONDAY)
    with clock.at(MONDAY + timedelta(days=5)), pytest.raises(Refused, match="not over"):
        issue(session, deal)
    for week in range(1, 6):
        with clock.at(MONDAY + timedelta(weeks=week)):
            rolling.roll_weeks(session)
    an_approved_week(session, deal, MONDAY + timedelta(weeks=5))
    with clock.at(AUGUST_2), pytest.raises(Refused, match="Issue June 2026 first"):
        issue(session, deal, "2026-07")


def test_only_an_admin_of_the_company_issues(session: Session, deal: Deal) -> None:
    known(session, deal)
    an_approved_week(session, deal, MONDAY)
    organization = deal.contract.organization.public_id
    with clock.at(JULY_2):
        with pytest.raises(NotAllowed):
            issue_invoice(session, deal.approver, organization, "2026-06", "USD")
        with pytest.raises(NotFound):
            issue_invoice(session, deal.expert, organization, "2026-06", "USD")


def test_a_later_correction_is_a_credit_on_the_next_one(session: Session, deal: Deal) -> None:
    known(session, deal)
    an_approved_week(session, deal, MONDAY)
    with clock.at(JULY_2):
        issue(session, deal)
        project, person = deal.project.public_id, deal.contract.person.public_id
        ledger.post(
            session, SITE, source="correction:1", event="adjusted", currency="USD", occurred_at=clock.now(),
            lines=[
                (chart.expert_payable(person), 50_00), (chart.client_fees(), 10_00),
                (chart.project_funds(project), -60_00),
            ],
            memo="An hour too many",
        )  # fmt: skip
        session.commit()
    with clock.at(AUGUST_2):
        invoice = issue(session, deal, "2026-07")
    [line] = invoice.lines
    assert (line.pay, line.fee, line.gig, invoice.total) == (
        -50_00, -10_00, "An hour too many", Money(-60_00, "USD"),
    )  # fmt: skip
    assert documents.kind_said(line) == "Credit: Correction"
    no_drift(session)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoices SET fee = 0",
        "DELETE FROM invoices",
        "UPDATE invoice_lines SET pay = pay + 1",
        "DELETE FROM invoice_charges",
        "UPDATE invoice_counter SET last = 0",
        "INSERT INTO invoice_charges SELECT journal_entry_id, line_id FROM invoice_charges",
    ],
)
def test_the_database_refuses_every_change(session: Session, deal: Deal, statement: str) -> None:
    known(session, deal)
    an_approved_week(session, deal, MONDAY)
    with clock.at(JULY_2):
        issue(session, deal)
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(sa.text(statement))


def test_the_job_issues_for_those_who_said_who_they_are(session: Session, deal: Deal) -> None:
    an_approved_week(session, deal, MONDAY)
    with clock.at(JULY_2):
        issue_due(session)
        assert session.scalars(sa.select(Invoice)).all() == []
        known(session, deal)
        issue_due(session)
        issue_due(session)
    [invoice] = session.scalars(sa.select(Invoice)).all()
    assert invoice.issued_by is None
    assert open_months(session, invoice.organization) == []


def test_pages_and_files(session: Session, app: Flask, deal: Deal) -> None:
    an_approved_week(session, deal, MONDAY)
    organization = deal.contract.organization.public_id
    with clock.at(JULY_2):
        carla = Visitor(enter(app.test_client(), session, deal.client))
        assert "Who is the invoice for?" in words(carla.get("/invoices"))
        carla.get(f"/team/{organization}/legal")
        seen = carla.post(
            f"/team/{organization}/legal", legal_name="Lumen #1 Ltd", legal_address="A\nB", tax_number=""
        )
        assert "From the next invoice on" in words(seen)
        empty = carla.post(f"/team/{organization}/legal", legal_name=" ", legal_address="B", tax_number="")
        assert empty.status_code == 422
        carla.get("/invoices")
        seen = carla.post(f"/invoices/of/{organization}", month="2026-06", currency="USD")
        [invoice] = session.scalars(sa.select(Invoice)).all()
        assert f"{invoice.name} is issued" in words(seen)
        assert f"{invoice.name} June 2026" in words(seen)
        path = f"/invoices/{invoice.public_id}"
        printed = PdfReader(io.BytesIO(carla.client.get(f"{path}/pdf").data))
        text = " ".join("".join(page.extract_text() for page in printed.pages).split())
        for each in ("Lumen #1 Ltd A B", "Purchase order PO 9 · Cost centre CC-4711", "Balance due $0.00",
                     "Total $180.00", "Tax at 0 % $0.00", "No tax is charged", "June 2026"):  # fmt: skip
            assert each in text, each
        head, row = csv.reader(io.StringIO(carla.get(f"{path}/csv").text.removeprefix("\ufeff")))
        assert dict(zip(head, row, strict=True))["Together"] == "180.00"
        ana = Visitor(enter(app.test_client(), session, deal.expert))
        assert ana.get(f"{path}/pdf").status_code == 404
        assert pdf.render(documents.document(invoice)) == pdf.render(documents.document(invoice))


def test_finance_goes_from_an_invoice_to_its_entries_and_back(
    session: Session, app: Flask, deal: Deal
) -> None:
    an_approved_week(session, deal, MONDAY)
    known(session, deal)
    with clock.at(JULY_2):
        invoice = issue(session, deal)
        gil = Visitor(enter(app.test_client(), session, finance(session).gil))
        path = f"/invoices/{invoice.public_id}/entries"
        assert path in gil.get("/invoices").text
        seen = gil.get(path)
        assert "$150.00" in words(seen)
        [entry] = session.scalars(sa.select(JournalEntry).join(InvoiceCharge)).all()
        assert f"/books/journal/{entry.public_id}" in seen.text
        back = gil.get(f"/books/journal/{entry.public_id}").text
        assert path in back
        assert f"Invoice {invoice.name}" in back
        carla = Visitor(enter(app.test_client(), session, deal.client))
        assert carla.get(path).status_code == 404
        assert path not in carla.get("/invoices").text


def test_what_comes_to_be_known_after_an_invoice_stands_on_the_next(session: Session, deal: Deal) -> None:
    """An entry of June that was booked while its invoice was issued stops nothing and is not forgotten."""
    known(session, deal)
    an_approved_week(session, deal, MONDAY)
    with clock.at(JULY_2):
        june = issue(session, deal)
    an_approved_week(session, deal, MONDAY + timedelta(days=7))
    with clock.at(JULY_2):
        [month] = open_months(session, deal.contract.organization)
        assert month.period.key == "2026-07"
        assert issue(session, deal).id == june.id
    with clock.at(AUGUST_2):
        assert issue_due(session) == 1
        july = issue(session, deal, "2026-07")
        assert (july.number, july.pay) == (june.number + 1, june.pay)
        assert open_months(session, deal.contract.organization) == []
    no_drift(session)
