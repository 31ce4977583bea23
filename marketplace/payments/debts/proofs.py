"""What must hold of what clients owe."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.gigs.models import Project
from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.payments.booked import compared, moved_on, source_of
from marketplace.payments.debts.models import LEFT, ClientDebt
from marketplace.payments.models import Funding
from marketplace.proof import Drift, Proof


def owed_is_booked(session: Session) -> Iterator[Drift]:
    """CD1: of each project is booked as owed what its failed payments left, and nothing else."""
    key = sa.func.concat("project:", sa.cast(Project.public_id, sa.Text), ":receivable")
    owed = (
        sa.select(key.label("source"), sa.func.sum(LEFT).label("amount"))
        .join(Funding, Funding.id == ClientDebt.funding_id)
        .join(Project, Project.id == Funding.project_id)
        .group_by(Project.public_id)
        .subquery()
    )
    kept = (
        sa.select(LedgerAccount.key.label("source"), sa.func.sum(LedgerBalance.amount).label("amount"))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code == "1200")
        .group_by(LedgerAccount.key)
        .subquery()
    )
    yield from compared(session, owed, kept)


def written_off_is_lost(session: Session) -> Iterator[Drift]:
    """CD2: what two people wrote off is our loss, as much as was left, and no more."""
    written = sa.select(
        source_of("client_debt:", ClientDebt.public_id).label("source"),
        ClientDebt.written_off.label("amount"),
    ).where(ClientDebt.written_off_by.is_not(None))
    yield from compared(session, written.subquery(), moved_on("client_debt:", "5050"))


PROOFS = [
    Proof("CD1", "What clients owe is what failed payments left", owed_is_booked),
    Proof("CD2", "What was written off is lost, once", written_off_is_lost),
]
