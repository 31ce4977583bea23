"""What must hold of tax on our fees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval, ApprovedLine, Contract, TimeEntry, Timesheet
from marketplace.contracts.taxes.listing import booked, totals
from marketplace.contracts.taxes.models import TaxDecision
from marketplace.proof import Drift, Proof


def taxes_are_locked(session: Session) -> Iterator[Drift]:
    """An approved line bears the tax that is decided for the client and the day of the work, and the amount
    that it makes of the fee; of a line of which an appeal awarded the rest, the two parts together do."""
    day = sa.cast(sa.func.timezone(Contract.time_zone, TimeEntry.started_at), sa.Date)
    due = sa.func.coalesce(
        _newest(day, aliased(TaxDecision), own=True), _newest(day, aliased(TaxDecision), own=False)
    )
    wrong = due.is_distinct_from(ApprovedLine.tax_decision_id) | (
        (ApprovedLine.part == 0)
        & (ApprovedLine.tax_amount != _tax(ApprovedLine.fee_amount, TaxDecision.rate_bps))
    )
    rows = session.execute(
        sa.select(TimeEntry.public_id, due, ApprovedLine.tax_decision_id, ApprovedLine.tax_amount)
        .join(ApprovedLine, ApprovedLine.time_entry_id == TimeEntry.id)
        .join(Approval, Approval.id == ApprovedLine.approval_id)
        .join(Timesheet, Timesheet.id == Approval.timesheet_id)
        .join(Contract, Contract.id == Timesheet.contract_id)
        .outerjoin(TaxDecision, TaxDecision.id == ApprovedLine.tax_decision_id)
        .where(wrong)
    )
    for entry, expected, found, tax in rows:
        yield Drift(f"tax of time entry {entry}", f"decision {expected}", f"decision {found}, {tax}")


def adjustments_bear_theirs(session: Session) -> Iterator[Drift]:
    """A bonus or a correction to more pay bears the tax that its decision makes of its fee."""
    rows = session.execute(
        sa.select(Adjustment.public_id, TaxDecision.rate_bps, Adjustment.fee_amount, Adjustment.tax_amount)
        .join(TaxDecision, TaxDecision.id == Adjustment.tax_decision_id)
        .where(
            Adjustment.amount > 0,
            Adjustment.tax_amount != _tax(Adjustment.fee_amount, TaxDecision.rate_bps),
        )
    )
    for adjustment, bps, fee, tax in rows:
        yield Drift(f"tax of adjustment {adjustment}", f"{bps} bps of {fee}", str(tax))


def the_listing_ties(session: Session) -> Iterator[Drift]:
    """What the listing of tax names is what work, bonuses and corrections put on 2300, by currency."""
    sums, found = totals(session), booked(session)
    for currency in sorted({*sums, *found}):
        expected, there = sums.get(currency, 0), found.get(currency, 0)
        if expected != there:
            yield Drift(f"tax listed in {currency}", str(expected), str(there))


def _newest(
    day: sa.ColumnElement[date], decision: type[TaxDecision], *, own: bool
) -> sa.ScalarSelect[int | None]:
    whose = (
        decision.organization_id == Contract.organization_id if own else decision.organization_id.is_(None)
    )
    query = sa.select(decision.id).where(decision.from_on <= day, whose)
    newest = query.order_by(decision.from_on.desc(), decision.id.desc()).limit(1)
    return newest.correlate(Contract, TimeEntry).scalar_subquery()


def _tax(
    fee: sa.orm.InstrumentedAttribute[int], bps: sa.orm.InstrumentedAttribute[int]
) -> sa.ColumnElement[int]:
    return sa.func.floor((2 * fee * sa.func.coalesce(bps, 0) + 10_000) / 20_000)


TAX_PROOFS = [
    Proof("C22", "An approved hour keeps the tax of its day", taxes_are_locked),
    Proof("C23", "Bonuses bear the tax of their fee", adjustments_bear_theirs),
    Proof("C24", "The listing of tax is what is on 2300", the_listing_ties),
]
