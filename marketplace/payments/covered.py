"""What of the approved pay is really there. Clients who work on credit pay later, and of some a payment fails
after its money was spent, or their bank takes it back.

Nobody else's money pays for that: an expert's pay for such work goes out of the operator's own money, as far
as that is there. The rest waits, the newest approvals first, and only it. A batch looks when it is prepared
and again when it is released, and whatever takes from what is there takes turns with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.gigs.models import Project
from marketplace.ledger import chart, proofs
from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.payments import exchanged
from marketplace.payments.chargebacks.models import Chargeback
from marketplace.payments.debts.models import LEFT, ClientDebt
from marketplace.payments.models import Funding, PayoutItem, PayoutItemApproval, Sweep
from marketplace.payments.states import ItemState, SweepState

# Where the money is, and what of it is owed to whom: the accounts of proof P8.
# What a client’s bank contests counts as there: whose it is shows later, and other proofs warn of it.
THERE = ("1020", "1100", "1130", "1160", "1210")
OF_PROJECTS = ("1200", "2010", "2015", "2020", "2120")
OWED = ("2030", "2040", "2100", "2110", "2310", "2500", "2510")
# Sweeps that are decided, or on their way, and that the books do not know yet.
LEAVING = (SweepState.PREPARED, SweepState.RELEASED, SweepState.SENDING, SweepState.UNKNOWN)
TURNS = 0x7061796F7574


@dataclass(frozen=True)
class Cover:
    """In minor units of one currency: money that is `there`, all that is `owed`, by project (public id as
    text) what its client has not paid of work that was approved, with what we lost of its payments, and what
    is `leaving` as fees."""

    there: int
    owed: int
    unpaid: dict[str, int]
    leaving: int

    @property
    def short(self) -> int:
        """How much of what is owed is not there, by the books; below zero when more is there."""
        return self.owed - self.there

    @property
    def missing(self) -> int:
        """How much of what is owed is not there, once fees have left, because clients have not paid."""
        return min(max(0, self.short + self.leaving), sum(self.unpaid.values()))


def take_turns(session: Session) -> None:
    """Those who take from what is there come one after another, so the second sees what the first took."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(TURNS)))


def look(session: Session, currency: str) -> Cover:
    """How things stand in the books, and what sweeps will take."""
    unpaid, paid = _projects_sums(session, currency)
    there, owed = _of_others(session, currency)
    changed, due = exchanged.sides(session, currency, lambda each: _short(session, each))
    leaving = sa.select(sa.func.coalesce(sa.func.sum(Sweep.amount), 0)).where(
        Sweep.currency == currency, Sweep.state.in_(LEAVING)
    )
    return Cover(there + changed, paid + owed + due, unpaid, int(session.scalar(leaving) or 0))


def _of_others(session: Session, currency: str) -> tuple[int, int]:
    """What is there, and what is owed besides the money of projects, in one currency."""
    rows = session.execute(
        sa.select(LedgerAccount.code, sa.func.sum(LedgerBalance.amount))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.currency == currency, LedgerAccount.code.in_((*THERE, *OWED)))
        .group_by(LedgerAccount.code)
    )
    sums = {code: int(amount) for code, amount in rows}
    return sum(sums.get(code, 0) for code in THERE), -sum(sums.get(code, 0) for code in OWED)


def _short(session: Session, currency: str) -> int:
    """What is owed in a currency and not there in it, without what was changed."""
    there, owed = _of_others(session, currency)
    return _projects_sums(session, currency)[1] + owed - there


def _projects_sums(session: Session, currency: str) -> tuple[dict[str, int], int]:
    """What projects have taken and not paid, each, and what the others have paid and not taken, together."""
    project = sa.func.split_part(LedgerAccount.key, ":", 2)
    rows = session.execute(
        sa.select(project, sa.func.sum(LedgerBalance.amount))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.currency == currency, LedgerAccount.code.in_(OF_PROJECTS))
        .group_by(project)
    )
    sums = {key: int(amount) for key, amount in rows}
    unpaid = {key: amount for key, amount in sums.items() if amount > 0}
    paid = -sum(amount for amount in sums.values() if amount < 0)
    for key, amount in _lost(session, currency):
        unpaid[key] = unpaid.get(key, 0) + amount
    return unpaid, paid


def _lost(session: Session, currency: str) -> list[tuple[str, int]]:
    """What we lost of payments of each project: to banks that took them back, and by writing off. As far as
    our own money does not make up for it, it is missing."""
    taken = sa.select(Chargeback.loss.label("amount"), Funding.project_id).join(Chargeback.funding)
    forgone = sa.select(ClientDebt.written_off.label("amount"), Funding.project_id).join(ClientDebt.funding)
    losses = sa.union_all(
        taken.where(Chargeback.currency == currency, Chargeback.loss > 0),
        forgone.where(ClientDebt.currency == currency, ClientDebt.written_off > 0),
    ).subquery()
    rows = session.execute(
        sa.select(Project.public_id, sa.func.sum(losses.c.amount))
        .join(losses, losses.c.project_id == Project.id)
        .group_by(Project.public_id)
    )
    return [(str(project), int(amount)) for project, amount in rows]


def _owing(session: Session, currency: str) -> dict[str, int]:
    """What clients owe of payments that failed, by project."""
    rows = session.execute(
        sa.select(Project.public_id, sa.func.sum(LEFT))
        .join(Funding, Funding.project_id == Project.id)
        .join(ClientDebt, ClientDebt.funding_id == Funding.id)
        .where(ClientDebt.currency == currency, LEFT > 0)
        .group_by(Project.public_id)
    )
    return {str(project): int(amount) for project, amount in rows}


def waiting(session: Session, currency: str) -> set[int]:
    """The approvals (internal ids) that wait for a client who has not paid: of those that were not released,
    the newest of projects that owe, each project's up to what it owes, until what is missing is made up."""
    found = look(session, currency)
    missing, unpaid = found.missing, dict(found.unpaid)
    held: set[int] = set()
    for approval_id, project, amount in _unreleased(session, currency, unpaid) if missing else ():
        if missing > 0 and unpaid[project] > 0:
            held.add(approval_id)
            missing -= amount
            unpaid[project] -= amount
    return held


def lent(session: Session, currency: str, unpaid: Mapping[str, int]) -> int:
    """How much may be short because clients were lent it or owe it, and nobody else's money has paid:
    what they have not paid, as far as the pay for it was not released to the experts."""
    allowed: dict[tuple[str, str], int] = {}
    for each in proofs.may_owe:
        allowed |= each(session)
    owing = _owing(session, currency)
    left = {
        project: min(
            amount,
            allowed.get((chart.project_funds(uuid.UUID(project)).key, currency), 0) + owing.get(project, 0),
        )
        for project, amount in unpaid.items()
    }
    pay = dict.fromkeys(left, 0)
    for _approval, project, amount in _unreleased(session, currency, unpaid):
        pay[project] += amount
    return sum(min(left[project], pay[project]) for project in left)


def _unreleased(session: Session, currency: str, of: Mapping[str, int]) -> list[tuple[int, str, int]]:
    """Approvals of these projects whose pay no released item has, the newest first: internal id, project, and
    minor units."""
    released = sa.exists().where(
        PayoutItemApproval.approval_id == Approval.id,
        PayoutItemApproval.ended_at.is_(None),
        PayoutItemApproval.payout_item_id == PayoutItem.id,
        PayoutItem.state != ItemState.PREPARED,
    )
    rows = session.execute(
        sa.select(Approval.id, Project.public_id, Approval.expert_amount)
        .join(Approval.timesheet)
        .join(Timesheet.contract)
        .join(Contract.project)
        .where(
            Contract.currency == currency,
            Project.public_id.in_([uuid.UUID(project) for project in of]),
            Approval.expert_amount > 0,
            ~released,
        )
        .order_by(Approval.id.desc())
    )
    return [(approval_id, str(project), amount) for approval_id, project, amount in rows]
