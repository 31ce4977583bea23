"""What must hold of payments that came back."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.gigs.models import Project
from marketplace.ledger.models import JournalEntry, LedgerAccount, LedgerBalance, Posting
from marketplace.payments.booked import compared, moved_on, source_of
from marketplace.payments.chargebacks.models import OPEN, Chargeback, ChargebackMove, LossClaim
from marketplace.payments.models import Funding
from marketplace.payments.states import FundingState
from marketplace.proof import Drift, Proof


def moves_are_booked(session: Session) -> Iterator[Drift]:
    """CB1: of each chargeback is booked what Stripe's balance transactions moved, and nothing else; one of
    which more came back than left is booked only when a person has explained it."""
    moved = (
        sa.select(
            source_of("chargeback:", Chargeback.public_id).label("source"),
            sa.func.sum(ChargebackMove.net).label("amount"),
        )
        .join(ChargebackMove, ChargebackMove.chargeback_id == Chargeback.id)
        .group_by(Chargeback.public_id)
        .subquery()
    )
    yield from compared(session, moved, moved_on("chargeback:", "1100"))
    for public_id, trouble in session.execute(
        sa.select(Chargeback.public_id, Chargeback.trouble).where(Chargeback.trouble.is_not(None))
    ):
        yield Drift(f"chargeback {public_id}", "all of it booked", str(trouble))


def contested_is_open(session: Session) -> Iterator[Drift]:
    """CB2: under contest is what open chargebacks have moved; of a decided one nothing is."""
    away = (
        sa.select(
            source_of("chargeback:", Chargeback.public_id).label("source"),
            (-sa.func.sum(ChargebackMove.amount) - sa.func.max(Chargeback.exchanged)).label("amount"),
        )
        .join(ChargebackMove, ChargebackMove.chargeback_id == Chargeback.id)
        .where(Chargeback.state.in_(OPEN))
        .group_by(Chargeback.public_id)
        .subquery()
    )
    yield from compared(session, away, moved_on("chargeback:", "1210"))


def set_aside_is_held(session: Session) -> Iterator[Drift]:
    """CB3: what is set aside of a project is what its open chargebacks hold."""
    held = (
        sa.select(
            sa.func.concat("project:", sa.cast(Project.public_id, sa.Text), ":set_aside").label("source"),
            sa.func.sum(Chargeback.held).label("amount"),
        )
        .join(Funding, Funding.id == Chargeback.funding_id)
        .join(Project, Project.id == Funding.project_id)
        .group_by(Project.public_id)
        .subquery()
    )
    kept = (
        sa.select(LedgerAccount.key.label("source"), (-sa.func.sum(LedgerBalance.amount)).label("amount"))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code == "2015")
        .group_by(LedgerAccount.key)
        .subquery()
    )
    yield from compared(session, held, kept)


def lost_is_borne(session: Session) -> Iterator[Drift]:
    """CB4: what a lost chargeback took is booked as said: so much from the project, the rest our loss."""
    lost = (
        sa.select(
            source_of("chargeback:", Chargeback.public_id).label("source"),
            Chargeback.loss.label("amount"),
        )
        .where(Chargeback.loss > 0)
        .subquery()
    )
    yield from compared(session, lost, moved_on("chargeback:", "5040"))


def failures_are_booked(session: Session) -> Iterator[Drift]:
    """CB5: each payment that failed after it was paid is booked once, and no other is."""
    failed = (
        sa.select(
            source_of("funding_failure:", Funding.public_id).label("source"),
            sa.literal(1).label("amount"),
        )
        .where(Funding.state == FundingState.FAILED_AFTER_PAID)
        .subquery()
    )
    booked = (
        sa.select(JournalEntry.source, sa.func.count().label("amount"))
        .where(JournalEntry.source.startswith("funding_failure:"), JournalEntry.event == "failed_after_paid")
        .group_by(JournalEntry.source)
        .subquery()
    )
    yield from compared(session, failed, booked)


def claims_are_booked(session: Session) -> Iterator[Drift]:
    """CB6: what claims recovered is booked against what was lost or is owed, and no chargeback claims more
    than it lost."""
    source = sa.case(
        (LossClaim.chargeback_id.is_(None), sa.func.concat("funding_failure:", Funding.public_id)),
        else_=sa.func.concat("chargeback:", Chargeback.public_id),
    )
    recovered = (
        sa.select(source.label("source"), sa.func.sum(LossClaim.recovered).label("amount"))
        .join(Funding, Funding.id == LossClaim.funding_id)
        .outerjoin(Chargeback, Chargeback.id == LossClaim.chargeback_id)
        .group_by(source)
        .subquery()
    )
    booked = (
        sa.select(JournalEntry.source, sa.func.sum(-Posting.amount).label("amount"))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(JournalEntry.event.startswith("recovered "), LedgerAccount.code.in_(("1200", "5040")))
        .group_by(JournalEntry.source)
        .subquery()
    )
    yield from compared(session, recovered, booked)
    claimed = sa.func.sum(LossClaim.open)
    for public_id, loss, amount in session.execute(
        sa.select(Chargeback.public_id, Chargeback.loss, claimed)
        .join(LossClaim, LossClaim.chargeback_id == Chargeback.id)
        .group_by(Chargeback.id)
        .having(claimed > Chargeback.loss)
    ):
        yield Drift(f"chargeback {public_id}", f"at most {loss} claimed", str(amount))


PROOFS = [
    Proof("CB1", "Each chargeback is booked as Stripe moved it", moves_are_booked),
    Proof("CB2", "Under contest is what open chargebacks took", contested_is_open),
    Proof("CB3", "What is set aside is what chargebacks hold", set_aside_is_held),
    Proof("CB4", "What was lost is borne as booked", lost_is_borne),
    Proof("CB5", "Each payment that failed late is booked once", failures_are_booked),
    Proof("CB6", "What claims on losses recovered is booked", claims_are_booked),
]
