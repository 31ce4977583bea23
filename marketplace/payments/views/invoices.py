"""A client's invoices: those that were issued, and the months that have none yet."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload, selectinload
from wtforms import HiddenField

from marketplace import pdf
from marketplace.accounts.models import Organization
from marketplace.accounts.queries import administered
from marketplace.actor import CLIENT, FINANCE, Role
from marketplace.contracts.periods import month_of
from marketplace.gigs.find import visible
from marketplace.i18n import gettext as _
from marketplace.ledger.models import JournalEntry
from marketplace.ledger.queries import journal
from marketplace.ledger.sources import owner_of
from marketplace.payments.invoices import documents
from marketplace.payments.invoices.issuing import OpenMonth, issue_invoice, open_months
from marketplace.payments.invoices.models import Invoice, InvoiceCharge, InvoiceLine
from marketplace.payments.views import bp
from marketplace.settings import current
from marketplace.web import (
    Form,
    actor,
    db_session,
    file_response,
    guard,
    page,
    paged,
    table_response,
    try_form,
)


class IssueForm(Form):
    """A month that is over, and its currency."""

    month = HiddenField()
    currency = HiddenField()


@bp.get("/invoices")
@guard(*CLIENT, *FINANCE, Role.OPERATOR)
def invoices() -> ResponseReturnValue:
    """The invoices of one's companies, of all of them for finance, and what is still open."""
    query = sa.select(Invoice).where(Invoice.visible_to(actor())).options(joinedload(Invoice.organization))
    return page(
        "payments/invoices.html",
        invoices=paged(db_session(), query, by=Invoice.number),
        open=[(each, _open(each)) for each in administered(db_session(), actor())],
        of_client=actor().has(*CLIENT),
        month_label=lambda day: month_of(day, current().books_zone).label,
    )


@bp.post("/invoices/of/<uuid:organization_id>")
@guard(Role.CLIENT_ADMIN)
def issue(organization_id: uuid.UUID) -> ResponseReturnValue:
    """Issue the invoice of a month that is over."""
    form = IssueForm()
    issued = try_form(
        form,
        lambda: issue_invoice(
            db_session(), actor(), organization_id, form.month.data or "", form.currency.data or ""
        ),
    )
    if issued:
        flash(_("%(name)s is issued.", name=issued.name), "success")
    for sentence in form.form_errors:
        flash(sentence, "warning")
    return redirect(url_for("payments.invoices"), 303)


@bp.get("/invoices/<uuid:invoice_id>/pdf")
@guard(*CLIENT, *FINANCE, Role.OPERATOR)
def invoice_pdf(invoice_id: uuid.UUID) -> ResponseReturnValue:
    """The invoice as a document."""
    found = visible(db_session(), actor(), Invoice, invoice_id)
    file = pdf.render(documents.document(found))
    return file_response(file, documents.file_name(found, "pdf"), "application/pdf")


@bp.get("/invoices/<uuid:invoice_id>/csv")
@guard(*CLIENT, *FINANCE, Role.OPERATOR)
def invoice_csv(invoice_id: uuid.UUID) -> ResponseReturnValue:
    """Its lines for a spreadsheet."""
    query = sa.select(Invoice).filter_by(id=visible(db_session(), actor(), Invoice, invoice_id).id)
    found = db_session().scalars(query.options(selectinload(Invoice.lines))).one()
    return table_response(documents.file_name(found, "csv"), documents.header(), documents.rows(found))


@bp.get("/invoices/<uuid:invoice_id>/entries")
@guard(*FINANCE)
def invoice_entries(invoice_id: uuid.UUID) -> ResponseReturnValue:
    """The entries of the journal that an invoice charges, the last first."""
    found = visible(db_session(), actor(), Invoice, invoice_id)
    lines = sa.select(InvoiceLine.id).where(InvoiceLine.invoice_id == found.id)
    charged = sa.select(InvoiceCharge.journal_entry_id).where(InvoiceCharge.line_id.in_(lines))
    query = journal().where(JournalEntry.id.in_(charged))
    entries = paged(db_session(), query, by=(JournalEntry.booked_on, JournalEntry.id), size=20)
    return page("payments/invoice_entries.html", invoice=found, entries=entries, owner_of=owner_of)


def _open(organization: Organization) -> list[OpenMonth]:
    return open_months(db_session(), organization)
