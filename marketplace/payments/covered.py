"""What of the approved pay is really there. Clients who work on credit pay later.

Nobody else's money pays for that: an expert's pay for such work goes out of the operator's own money, as far
as that is there. The rest waits, the newest approvals first, and only it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.gigs.models import Project
from marketplace.ledger.models import LedgerAccount, LedgerBalance

# Where the money is, and what of it is owed to whom: the accounts of proof P8.
# What a client’s bank contests counts as there: whose it is shows later, and other proofs warn of it.
THERE = ("1020", "1100", "1130", "1160", "1210")
OF_PROJECTS = ("2010", "2015", "2020", "2120")
OWED = ("2030", "2100", "2110", "2500", "2510")


@dataclass(frozen=True)
class Cover:
    """In minor units of one currency: money that is `there`, all that is `owed`, and by project (public id as
    text) what its client has not paid of work that was approved."""

    there: int
    owed: int
    unpaid: dict[str, int]

    @property
    def missing(self) -> int:
        """How much of what is owed is not there because clients work on credit."""
        return min(max(0, self.owed - self.there), sum(self.unpaid.values()))


def look(session: Session, currency: str) -> Cover:
    """How things stand in the books."""
    unpaid, paid = _projects_sums(session, currency)
    rows = session.execute(
        sa.select(LedgerAccount.code, sa.func.sum(LedgerBalance.amount))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.currency == currency, LedgerAccount.code.in_((*THERE, *OWED)))
        .group_by(LedgerAccount.code)
    )
    sums = {code: int(amount) for code, amount in rows}
    there = sum(sums.get(code, 0) for code in THERE)
    return Cover(there, paid - sum(sums.get(code, 0) for code in OWED), unpaid)


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
    return unpaid, -sum(amount for amount in sums.values() if amount < 0)


def waiting(session: Session, approvals: Iterable[Approval], currency: str) -> set[int]:
    """Which of these approvals (internal ids) wait for a client who has not paid: the newest of the projects
    that owe, each project's up to what it owes, until what is missing is made up."""
    unpaid, _paid = _projects_sums(session, currency)
    missing = look(session, currency).missing if unpaid else 0
    if missing <= 0:
        return set()
    by_id = {each.id: each for each in approvals}
    project_of = _projects(session, by_id)
    held: set[int] = set()
    for approval_id in sorted(by_id, reverse=True):
        owes = unpaid.get(project_of[approval_id], 0)
        if missing > 0 and owes > 0:
            amount = by_id[approval_id].expert_amount
            held.add(approval_id)
            missing -= amount
            unpaid[project_of[approval_id]] = owes - amount
    return held


def _projects(session: Session, ids: Iterable[int]) -> dict[int, str]:
    rows = session.execute(
        sa.select(Approval.id, Project.public_id)
        .join(Approval.timesheet)
        .join(Timesheet.contract)
        .join(Contract.project)
        .where(Approval.id.in_(list(ids)))
    )
    return {approval_id: str(project) for approval_id, project in rows}
