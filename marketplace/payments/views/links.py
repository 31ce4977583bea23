"""Where the books find the pages behind their sources."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from flask import url_for

from marketplace.accounts.models import Person
from marketplace.i18n import gettext as _
from marketplace.ledger.sources import Link, part_of, register
from marketplace.payments.invoices.models import Invoice, InvoiceCharge, InvoiceLine
from marketplace.payments.models import PayoutItem, Transfer, TransferReversal
from marketplace.web import db_session


def _funding(rest: str) -> Link:
    return Link(_("Client funds received"), url_for("payments.lot", funding_id=rest))


def _item(rest: str) -> Link:
    return Link(_("Payment to an expert"), url_for("payments.item", item_id=rest))


def _reversal(rest: str) -> Link:
    """To the payment that came back."""
    item = (
        sa.select(PayoutItem.public_id)
        .join(PayoutItem.transfers)
        .join(TransferReversal, TransferReversal.transfer_id == Transfer.id)
        .where(TransferReversal.public_id == uuid.UUID(rest))
    )
    found = db_session().scalars(item).one()
    return Link(_("Payment that was taken back"), url_for("payments.item", item_id=found))


def _refund(rest: str) -> Link:
    return Link(_("Refund to a client"), url_for("payments.refund", refund_id=rest))


def _chargeback(rest: str) -> Link:
    public_id, _colon, _account = rest.partition(":")
    return Link(_("Chargeback"), url_for("payments.chargeback", chargeback_id=public_id))


def _funding_failure(rest: str) -> Link:
    return Link(_("A payment that failed late"), url_for("payments.lot", funding_id=rest))


def _client_debt(rest: str) -> Link:
    return Link(_("What a client owes"), url_for("payments.debt", debt_id=rest))


def _sweep(rest: str) -> Link:
    return Link(_("Sweep of fees"), url_for("payments.sweep", sweep_id=rest))


def _top_up(rest: str) -> Link:
    return Link(_("Top-up"), url_for("payments.top_up", top_up_id=rest))


def _withholding(rest: str) -> Link:
    return Link(_("Tax withheld from a payment"), url_for("payments.item", item_id=rest))


def _tax_remittance(rest: str) -> Link:
    return Link(_("Payment to the tax office"), url_for("payments.tax_remittance", remittance_id=rest))


def _expert(rest: str) -> Link:
    person, _colon, _account = rest.partition(":")
    query = sa.select(Person.full_name).where(Person.public_id == uuid.UUID(person))
    return Link(db_session().scalars(query).one(), None)


def _invoices(entry_id: int) -> list[Link]:
    query = sa.select(Invoice).join(Invoice.lines).join(InvoiceLine.charges).distinct()
    found = db_session().scalars(query.where(InvoiceCharge.journal_entry_id == entry_id))
    return [
        Link(
            _("Invoice %(name)s", name=each.name),
            url_for("payments.invoice_entries", invoice_id=each.public_id),
        )
        for each in found
    ]


part_of.append(_invoices)
register("funding", _funding)
register("payout_item", _item)
register("transfer_reversal", _reversal)
register("refund", _refund)
register("chargeback", _chargeback)
register("funding_failure", _funding_failure)
register("client_debt", _client_debt)
register("sweep", _sweep)
register("top_up", _top_up)
register("withholding", _withholding)
register("tax_remittance", _tax_remittance)
register("expert", _expert)
