"""What must hold of fees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.fees.models import FeeChange
from marketplace.contracts.models import Approval, ApprovedLine, Contract, TimeEntry, Timesheet
from marketplace.contracts.states import OfferState
from marketplace.proof import Drift


def fees_are_locked(session: Session) -> Iterator[Drift]:
    """An approved line bears the fee that the schedule has for the day of the work, and the amount that it
    makes; of a line of which an appeal awarded the rest, the two parts together do."""
    day = sa.cast(sa.func.timezone(Contract.time_zone, TimeEntry.started_at), sa.Date)
    # A fee that has ended is empty, so that the wider one is asked.
    due = sa.func.coalesce(
        _newest(day, FeeChange.project_id == Contract.project_id),
        _newest(day, FeeChange.organization_id == Contract.organization_id),
        _newest(day, FeeChange.project_id.is_(None) & FeeChange.organization_id.is_(None)),
        Contract.fee_bps,
    )
    amount = sa.func.floor((2 * ApprovedLine.expert_amount * ApprovedLine.fee_bps + 10_000) / 20_000)
    wrong = (due != ApprovedLine.fee_bps) | ((ApprovedLine.part == 0) & (amount != ApprovedLine.fee_amount))
    rows = session.execute(
        sa.select(TimeEntry.public_id, due, ApprovedLine.fee_bps, ApprovedLine.fee_amount)
        .join(ApprovedLine, ApprovedLine.time_entry_id == TimeEntry.id)
        .join(Approval, Approval.id == ApprovedLine.approval_id)
        .join(Timesheet, Timesheet.id == Approval.timesheet_id)
        .join(Contract, Contract.id == Timesheet.contract_id)
        .where(ApprovedLine.fee_bps.is_not(None), wrong)
    )
    for entry, expected, found, fee in rows:
        yield Drift(f"fee of time entry {entry}", f"{expected} bps", f"{found} bps, {fee}")


def _newest(day: sa.ColumnElement[date], of: sa.ColumnElement[bool]) -> sa.ScalarSelect[int | None]:
    query = sa.select(FeeChange.fee_bps).where(
        FeeChange.state == OfferState.ACCEPTED, FeeChange.from_on <= day, of
    )
    newest = query.order_by(FeeChange.from_on.desc()).limit(1)
    return newest.correlate(Contract, TimeEntry).scalar_subquery()
