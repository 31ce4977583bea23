"""What must always hold of invoices."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from marketplace.contracts.charges import FEE, PAY, ROUNDING, TAX
from marketplace.ledger.models import LedgerAccount, Posting
from marketplace.payments.invoices.issuing import fingerprint
from marketplace.payments.invoices.models import Invoice, InvoiceCharge, InvoiceCounter, InvoiceLine
from marketplace.proof import Drift, Proof

SUMS = ("pay", "fee", "tax", "rounding")


def invoices_are_the_ledgers(session: Session) -> Iterator[Drift]:
    """N1: the lines of an invoice are, each, what the journal says of the entries that they charge."""
    booked = (
        sa.select(
            InvoiceCharge.line_id,
            *(
                sa.func.coalesce(-sa.func.sum(Posting.amount).filter(LedgerAccount.code == code), 0).label(
                    name
                )
                for name, code in zip(SUMS, (PAY, FEE, TAX, ROUNDING), strict=True)
            ),
        )
        .join(Posting, Posting.entry_id == InvoiceCharge.journal_entry_id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .group_by(InvoiceCharge.line_id)
        .subquery()
    )
    said = [getattr(InvoiceLine, name) for name in SUMS]
    rows = session.execute(
        sa.select(InvoiceLine.id, *said, *(booked.c[name] for name in SUMS))
        .outerjoin(booked, booked.c.line_id == InvoiceLine.id)
        .where(sa.tuple_(*said).is_distinct_from(sa.tuple_(*(booked.c[name] for name in SUMS))))
    )
    for line, *amounts in rows:
        yield Drift(f"invoice line {line}", str(amounts[:3]), str(amounts[3:]))


def invoices_are_as_issued(session: Session) -> Iterator[Drift]:
    """N2: an invoice says what it said, and its sums are those of its lines."""
    for invoice in session.scalars(sa.select(Invoice).options(selectinload(Invoice.lines))):
        if fingerprint(invoice) != invoice.sha256:
            yield Drift(f"invoice {invoice.number}", invoice.sha256.hex(), fingerprint(invoice).hex())
        for name in SUMS:
            found = sum(getattr(line, name) for line in invoice.lines)
            if found != getattr(invoice, name):
                yield Drift(f"{name} of invoice {invoice.number}", str(getattr(invoice, name)), str(found))
        by_rate = sum(each["tax"] for each in invoice.taxes)
        if by_rate != invoice.tax:
            yield Drift(f"tax of invoice {invoice.number} by rate", str(invoice.tax), str(by_rate))


def numbers_have_no_gap(session: Session) -> Iterator[Drift]:
    """N3: the numbers count from 1 to the last one."""
    last = session.scalars(sa.select(InvoiceCounter.last)).one()
    count, lowest, highest = session.execute(
        sa.select(sa.func.count(), sa.func.min(Invoice.number), sa.func.max(Invoice.number))
    ).one()
    if (count, lowest or 1, highest or 0) != (last, 1, last):
        yield Drift("numbers of invoices", f"1 to {last}", f"{count}, from {lowest} to {highest}")


PROOFS = [
    Proof("N1", "An invoice charges what the journal says", invoices_are_the_ledgers),
    Proof("N2", "An invoice is as it was issued", invoices_are_as_issued),
    Proof("N3", "Invoices are numbered without gaps", numbers_have_no_gap),
]
