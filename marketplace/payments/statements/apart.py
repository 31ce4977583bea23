"""Questioned lines at the end of a period: what still waits apart, and what is not paid in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.models import Approval, ApprovedLine, Contract
from marketplace.contracts.periods import Period
from marketplace.money import Money


@dataclass(frozen=True)
class Apart:
    """Minutes of a questioned line, and their pay, of which nobody was awarded anything by then."""

    worked_on: date
    client: str
    gig: str
    minutes: int
    pay: Money
    waits: bool


def apart(session: Session, person_id: int, period: Period) -> list[Apart]:
    """Of an expert (internal id): what waits at the period's end, and what ended unpaid within it."""
    ended = TimeDispute.settled_at.is_(None) | (TimeDispute.settled_at >= period.start)
    disputes = session.scalars(
        sa.select(TimeDispute)
        .join(TimeDispute.contract)
        .where(Contract.person_id == person_id, TimeDispute.opened_at < period.end, ended)
        .options(
            joinedload(TimeDispute.contract).joinedload(Contract.gig),
            joinedload(TimeDispute.contract).joinedload(Contract.organization),
            joinedload(TimeDispute.entry),
        )
        .order_by(TimeDispute.id)
    ).all()
    awarded = _awarded(session, disputes, period)
    rows = [_rest(each, *awarded.get(each.id, (0, 0)), period) for each in disputes]
    return [row for row in rows if row.minutes]


def _awarded(session: Session, disputes: Sequence[TimeDispute], period: Period) -> dict[int, tuple[int, int]]:
    """Minutes and pay that were approved of each line by the end of the period, by internal id."""
    rows = session.execute(
        sa.select(
            Approval.dispute_id, sa.func.sum(ApprovedLine.minutes), sa.func.sum(ApprovedLine.expert_amount)
        )
        .join(ApprovedLine, ApprovedLine.approval_id == Approval.id)
        .where(Approval.dispute_id.in_([each.id for each in disputes]), Approval.at < period.end)
        .group_by(Approval.dispute_id)
    )
    return {dispute: (int(minutes), int(pay)) for dispute, minutes, pay in rows if dispute is not None}


def _rest(dispute: TimeDispute, minutes: int, pay: int, period: Period) -> Apart:
    contract = dispute.contract
    return Apart(
        worked_on=dispute.entry.started_at.astimezone(period.zone).date(),
        client=contract.organization.name,
        gig=contract.gig.title,
        minutes=dispute.minutes - minutes,
        pay=Money(dispute.expert_amount - pay, contract.currency),
        waits=dispute.settled_at is None or dispute.settled_at >= period.end,
    )
