"""What comes back to the project with less pay: of the fee, of its tax, and of the rounding that the site
bore.

Fees and taxes are those of the days of the work and were rounded line by line, so what was charged says what
comes back, and no fee of a day. All of it needs the contract's lock.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger, money
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.fees.schedule import Split, split
from marketplace.contracts.models import Approval, ApprovedLine, Contract, Timesheet
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes.models import TaxDecision
from marketplace.ledger import chart
from marketplace.money import Money


@dataclass(frozen=True)
class Priced:
    """Pay with its fee and the tax on that, minor units, below zero for less; and which tax it is."""

    parts: Split
    tax_decision: TaxDecision | None


def priced(session: Session, contract: Contract, pay: int, week: Timesheet | None) -> Priced:
    """So much pay with its fee and tax; below zero for less pay.

    On more pay: at the fee and tax that were in force when its week began, or that are in force today. For
    less pay it is what was charged: of the fees and taxes of its week, or of the whole contract, that are not
    asked back already, the share that the pay has of what is left of theirs, each rounded once, half up. So
    all pay takes all fees and taxes with it, in however many parts, and never a minor unit more than was
    charged.
    """
    if pay > 0:
        day = week.starts_on if week else clock.today(contract.time_zone)
        decided = contract.tax_on(day)
        return Priced(split(pay, contract.fee_on(day), decided.rate_bps if decided else 0), decided)
    whole = _left(session, contract)
    left = _left(session, contract, week) if week else whole
    fee, tax = (min(most, _share(of, left.pay, -pay)) for most, of in _pairs(whole, left))
    # Nothing of a tax comes back without its fee.
    parts = Split(pay, -fee, -tax if fee else 0)
    return Priced(parts, _charged_at(session, contract, week))


def borne(session: Session, contract: Contract) -> int:
    """What of the contract is still on 5080, minor units: what comes back is the site's first."""
    return sum(
        posting.amount
        for entry in ledger.entries_of(session, _sources(session, contract))
        for posting in entry.postings
        if posting.account.key == chart.rounding().key
    )


def back(session: Session, adjustment: Adjustment) -> Money:
    """What the project had back of less pay with its fee and tax; as long as nobody signed it, what it would
    have."""
    contract, total = adjustment.contract, -adjustment.total.amount
    site = ours(session, contract, total)
    if adjustment.state is OfferState.ACCEPTED:
        (entry,) = ledger.entries_of(session, [f"adjustment:{adjustment.public_id}"])
        site = -sum(each.amount for each in entry.postings if each.account.key == chart.rounding().key)
    return Money(total - site, contract.currency)


def ours(session: Session, contract: Contract, back: int) -> int:
    """How much of the `back`, pay, fee and tax, is the site's."""
    return max(0, min(back, borne(session, contract)))


def _pairs(whole: Split, left: Split) -> tuple[tuple[int, int], tuple[int, int]]:
    return (whole.fee, left.fee), (whole.tax, left.tax)


def _share(of: int, pay: int, less: int) -> int:
    """Of the fee or tax that is left, what goes with so much of the `pay` that is left."""
    return of if less >= pay else money.part(of, less, pay)


def _charged_at(session: Session, contract: Contract, week: Timesheet | None) -> TaxDecision | None:
    """The newest tax that an approved line, else a bonus, bore: what comes back is listed under it."""
    lines = (
        sa.select(TaxDecision)
        .join(ApprovedLine, ApprovedLine.tax_decision_id == TaxDecision.id)
        .join(Approval, Approval.id == ApprovedLine.approval_id)
        .join(Timesheet, Timesheet.id == Approval.timesheet_id)
        .where(Timesheet.contract_id == contract.id)
        .order_by((ApprovedLine.tax_amount > 0).desc(), ApprovedLine.id.desc())
    )
    besides = (
        sa.select(TaxDecision)
        .join(Adjustment, Adjustment.tax_decision_id == TaxDecision.id)
        .where(Adjustment.contract_id == contract.id)
        .order_by((Adjustment.tax_amount > 0).desc(), Adjustment.id.desc())
    )
    queries = [lines.where(Timesheet.id == week.id)] if week else []
    found = (session.scalars(query.limit(1)).first() for query in (*queries, lines, besides))
    return next((each for each in found if each is not None), None)


def _left(session: Session, contract: Contract, week: Timesheet | None = None) -> Split:
    """What was approved for the contract, or its week, and given besides, less what was taken back of it or
    is asked back; nothing of it is below zero."""
    approved = sa.select(
        *(sa.func.sum(each) for each in (Approval.expert_amount, Approval.fee_amount, Approval.tax_amount))
    )
    approved = approved.join(Approval.timesheet).where(Timesheet.contract_id == contract.id)
    adjusted = sa.select(
        *(sa.func.sum(each) for each in (Adjustment.amount, Adjustment.fee_amount, Adjustment.tax_amount))
    ).where(
        Adjustment.contract_id == contract.id,
        sa.or_(
            Adjustment.state == OfferState.ACCEPTED,
            sa.and_(Adjustment.state == OfferState.MADE, Adjustment.amount < 0),
        ),
    )
    if week is not None:
        approved = approved.where(Timesheet.id == week.id)
        adjusted = adjusted.where(Adjustment.timesheet_id == week.id)
    rows = [session.execute(query).one() for query in (approved, adjusted)]
    return Split(*(max(0, sum(int(amount or 0) for amount in each)) for each in zip(*rows, strict=True)))


def _sources(session: Session, contract: Contract) -> list[str]:
    rows = [
        (
            "approval",
            sa.select(Approval.public_id)
            .join(Approval.timesheet)
            .filter(Timesheet.contract_id == contract.id),
        ),
        ("time_dispute", sa.select(TimeDispute.public_id).filter_by(contract_id=contract.id)),
        ("adjustment", sa.select(Adjustment.public_id).filter_by(contract_id=contract.id)),
    ]
    return [f"{kind}:{each}" for kind, query in rows for each in session.scalars(query)]
