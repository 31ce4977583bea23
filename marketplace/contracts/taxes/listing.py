"""The listing of tax: what was taxed at what rate and why, for whom, by the day of the books
that carries its entry: what is booked after its month was closed is of the month that was open then.

It is made of the lines as they were approved, and of bonuses and corrections; together that is what they put
on 2300, which proof C24 compares.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval, ApprovedLine, Contract, Timesheet
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes.models import TaxDecision
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting

OURS = ("approval", "adjustment")


@dataclass(frozen=True)
class Listed:
    """Fees of one entry of the journal under one decision, with their tax: minor units of `currency`."""

    entry_id: int
    source: str
    on: date
    client: str
    client_id: int
    currency: str
    decision: TaxDecision
    fee: int
    tax: int


def listed(
    session: Session,
    start: date | None = None,
    end: date | None = None,
    entries: Sequence[int] | None = None,
) -> list[Listed]:
    """What the books carry on days of [start, end), or by these `entries` (internal ids), in order; nothing
    about which no tax was decided."""
    found = _found(None if entries is None else _ids(session, entries))
    query = (
        sa.select(
            JournalEntry.id, found.c.source, JournalEntry.booked_on, Organization.name, Organization.id,
            found.c.currency,
            TaxDecision, found.c.fee, found.c.tax,
        )
        .join(JournalEntry, JournalEntry.source == found.c.source)
        .join(Organization, Organization.id == found.c.organization_id)
        .join(TaxDecision, TaxDecision.id == found.c.decision_id)
        .order_by(JournalEntry.booked_on, JournalEntry.id, TaxDecision.id)
    )  # fmt: skip
    if start is not None:
        query = query.where(JournalEntry.booked_on >= start)
    if end is not None:
        query = query.where(JournalEntry.booked_on < end)
    if entries is not None:
        query = query.where(JournalEntry.id.in_(entries))
    return [
        Listed(entry, source, on, client, client_id, currency, decision, int(fee), int(tax))
        for entry, source, on, client, client_id, currency, decision, fee, tax in session.execute(query)
    ]


def totals(session: Session) -> dict[str, int]:
    """The tax of all that is listed, by currency."""
    found = _found(None)
    rows = session.execute(sa.select(found.c.currency, sa.func.sum(found.c.tax)).group_by(found.c.currency))
    return {currency: int(tax) for currency, tax in rows}


def booked(session: Session) -> dict[str, int]:
    """What work, bonuses and corrections put on 2300, by currency."""
    kind = sa.func.split_part(JournalEntry.source, ":", 1)
    rows = session.execute(
        sa.select(LedgerAccount.currency, -sa.func.sum(Posting.amount))
        .join(Posting, Posting.account_id == LedgerAccount.id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(LedgerAccount.key == chart.tax_payable().key, kind.in_(OURS))
        .group_by(LedgerAccount.currency)
    )
    return {currency: int(amount) for currency, amount in rows}


def _ids(session: Session, entries: Sequence[int]) -> list[uuid.UUID]:
    """The approvals and adjustments (public ids) of which these entries are the records."""
    kind = sa.func.split_part(JournalEntry.source, ":", 1)
    query = sa.select(JournalEntry.source).where(JournalEntry.id.in_(entries), kind.in_(OURS))
    return [uuid.UUID(source.partition(":")[2]) for source in session.scalars(query)]


def _found(ids: Sequence[uuid.UUID] | None) -> sa.Subquery:
    """What is taxed: of all approvals and adjustments, or of those with these public ids."""
    lines, besides = _lines(), _adjustments()
    if ids is not None:
        lines = lines.where(Approval.public_id.in_(ids))
        besides = besides.where(Adjustment.public_id.in_(ids))
    return lines.union_all(besides).subquery()


def _lines() -> sa.Select[str, int, str, int | None, int, int]:
    return (
        sa.select(
            sa.func.concat("approval:", Approval.public_id).label("source"),
            Contract.organization_id,
            Contract.currency,
            ApprovedLine.tax_decision_id.label("decision_id"),
            sa.func.sum(ApprovedLine.fee_amount).label("fee"),
            sa.func.sum(ApprovedLine.tax_amount).label("tax"),
        )
        .join(ApprovedLine, ApprovedLine.approval_id == Approval.id)
        .join(Timesheet, Timesheet.id == Approval.timesheet_id)
        .join(Contract, Contract.id == Timesheet.contract_id)
        .where(ApprovedLine.tax_decision_id.is_not(None))
        .group_by(Approval.public_id, Contract.id, ApprovedLine.tax_decision_id)
    )


def _adjustments() -> sa.Select[str, int, str, int | None, int, int]:
    return (
        sa.select(
            sa.func.concat("adjustment:", Adjustment.public_id),
            Contract.organization_id,
            Contract.currency,
            Adjustment.tax_decision_id,
            Adjustment.fee_amount,
            Adjustment.tax_amount,
        )
        .join(Contract, Contract.id == Adjustment.contract_id)
        .where(Adjustment.tax_decision_id.is_not(None), Adjustment.state == OfferState.ACCEPTED)
    )
