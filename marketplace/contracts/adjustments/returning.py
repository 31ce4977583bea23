"""What comes back to the project with less pay: of the fee, and of the rounding that the site bore.

Fees were rounded line by line, so a share of a sum can be more than was charged. All of it needs the
contract's lock.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.fees.schedule import split
from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.contracts.states import OfferState
from marketplace.ledger import chart
from marketplace.money import Money


def fee_on(session: Session, contract: Contract, pay: int, week: Timesheet | None) -> int:
    """The fee on so much pay, minor units; below zero for less pay, and then no more than was charged for the
    contract and is not asked back already.

    At the fee that was in force when the week began that it is about, or that is in force today.
    """
    fee = split(pay, contract.fee_on(week.starts_on if week else clock.today(contract.time_zone))).fee
    return fee if pay > 0 else -min(-fee, max(0, _charged(session, contract)))


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


def _charged(session: Session, contract: Contract) -> int:
    """Fees of approvals and of more pay, less those of less pay that was signed or waits for it."""
    approved = sa.select(sa.func.sum(Approval.fee_amount)).join(Approval.timesheet)
    adjusted = sa.select(sa.func.sum(Adjustment.fee_amount)).where(
        sa.or_(
            Adjustment.state == OfferState.ACCEPTED,
            sa.and_(Adjustment.state == OfferState.MADE, Adjustment.amount < 0),
        )
    )
    return int(
        (session.scalar(approved.where(Timesheet.contract_id == contract.id)) or 0)
        + (session.scalar(adjusted.where(Adjustment.contract_id == contract.id)) or 0)
    )


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
