"""What comes back to the project with less pay: of the fee, and of the rounding that the site bore.

Fees are those of the days of the work and were rounded line by line, so what was charged says what comes
back, and no fee of a day. All of it needs the contract's lock.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger, money
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.fees.schedule import Split, split
from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.contracts.states import OfferState
from marketplace.ledger import chart
from marketplace.money import Money


def fee_on(session: Session, contract: Contract, pay: int, week: Timesheet | None) -> int:
    """The fee on so much pay, minor units; below zero for less pay.

    On more pay: at the fee that was in force when its week began, or that is in force today. For less pay it
    is what was charged: of the fees of its week, or of the whole contract, that are not asked back already,
    the share that the pay has of what is left of theirs, rounded once, half up. So all pay takes all fees
    with it, in however many parts, and never a minor unit more than was charged.
    """
    if pay > 0:
        day = week.starts_on if week else clock.today(contract.time_zone)
        return split(pay, contract.fee_on(day)).fee
    whole = _left(session, contract)
    return -min(whole.fee, _share(_left(session, contract, week) if week else whole, -pay))


def borne(session: Session, contract: Contract) -> int:
    """What of the contract is still on 5080, minor units: what comes back is the site's first."""
    return sum(
        posting.amount
        for entry in ledger.entries_of(session, _sources(session, contract))
        for posting in entry.postings
        if posting.account.key == chart.rounding().key
    )


def back(session: Session, adjustment: Adjustment) -> Money:
    """What the project had back of less pay with its fee; as long as nobody signed it, what it would have."""
    contract, total = adjustment.contract, -adjustment.amount - adjustment.fee_amount
    site = ours(session, contract, total)
    if adjustment.state is OfferState.ACCEPTED:
        (entry,) = ledger.entries_of(session, [f"adjustment:{adjustment.public_id}"])
        site = -sum(each.amount for each in entry.postings if each.account.key == chart.rounding().key)
    return Money(total - site, contract.currency)


def ours(session: Session, contract: Contract, back: int) -> int:
    """How much of the `back`, pay and fee, is the site's."""
    return max(0, min(back, borne(session, contract)))


def _share(left: Split, less: int) -> int:
    """Of the fee that is left, what goes with so much of the pay that is left."""
    return left.fee if less >= left.pay else money.part(left.fee, less, left.pay)


def _left(session: Session, contract: Contract, week: Timesheet | None = None) -> Split:
    """What was approved for the contract, or its week, and given besides, less what was taken back of it or
    is asked back; nothing of it is below zero."""
    approved = sa.select(sa.func.sum(Approval.expert_amount), sa.func.sum(Approval.fee_amount))
    approved = approved.join(Approval.timesheet).where(Timesheet.contract_id == contract.id)
    adjusted = sa.select(sa.func.sum(Adjustment.amount), sa.func.sum(Adjustment.fee_amount)).where(
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
    pay, fee = (sum(int(amount or 0) for amount in column) for column in zip(*rows, strict=True))
    return Split(max(0, pay), max(0, fee))


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
