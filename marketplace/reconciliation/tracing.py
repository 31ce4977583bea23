"""One amount both ways: a bank line down to the fees in it, an expert's deposit down to the hours."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace.contracts.models import Approval, ApprovedLine
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.ledger.models import Posting
from marketplace.money import Money
from marketplace.payments.models import (
    ConnectedAccount,
    ConnectedPayout,
    ConnectedPayoutTransfer,
    PayoutItem,
    PayoutItemAdjustment,
    PayoutItemApproval,
    Sweep,
    SweepPosting,
    Transfer,
)
from marketplace.reconciliation.models import StatementLine, StatementMatch, StatementMatchLine
from marketplace.reconciliation.states import MatchState


@dataclass(frozen=True)
class SweepTrace:
    """A sweep with how many fee and cost postings it took, and their sum."""

    sweep: Sweep
    count: int
    total: Money


@dataclass(frozen=True)
class Deposit:
    """A payout to an expert's bank with the transfers in it, each with its approvals and their lines."""

    payout: ConnectedPayout
    transfers: Sequence[Transfer]

    @property
    def total(self) -> Money:
        return Money(sum(transfer.amount for transfer in self.transfers), self.payout.currency)

    @property
    def other(self) -> Money:
        """What the payout carries besides: earlier balances, or what came back from a bank."""
        return Money(self.payout.amount, self.payout.currency) - self.total


def sweep_behind(session: Session, line: StatementLine) -> SweepTrace | None:
    """The sweep that a bank line shows."""
    sweep = session.scalar(
        sa.select(Sweep)
        .join(StatementMatchLine, StatementMatchLine.sweep_id == Sweep.id)
        .join(StatementMatch, StatementMatch.id == StatementMatchLine.match_id)
        .where(
            StatementMatch.state == MatchState.CONFIRMED,
            StatementMatch.lines.any(StatementMatchLine.statement_line_id == line.id),
        )
    )
    if sweep is None:
        return None
    count, total = session.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(Posting.amount), 0))
        .join(SweepPosting, SweepPosting.posting_id == Posting.id)
        .where(SweepPosting.sweep_id == sweep.id)
    ).one()
    return SweepTrace(sweep, int(count), Money(-int(total), sweep.currency))


def arrival_of(session: Session, sweep_public_id: uuid.UUID) -> StatementLine | None:
    """The bank line that shows the sweep, once one is matched with it."""
    taken = sa.orm.aliased(StatementMatchLine)
    return session.scalar(
        sa.select(StatementLine)
        .join(StatementMatchLine, StatementMatchLine.statement_line_id == StatementLine.id)
        .join(taken, taken.match_id == StatementMatchLine.match_id)
        .join(Sweep, Sweep.id == taken.sweep_id)
        .where(Sweep.public_id == sweep_public_id, StatementMatchLine.live, taken.live)
    )


def taken_by(trace: SweepTrace) -> sa.Select[Posting]:
    """The postings that a sweep took, for paging."""
    return (
        sa.select(Posting)
        .join(SweepPosting, SweepPosting.posting_id == Posting.id)
        .where(SweepPosting.sweep_id == trace.sweep.id)
        .options(joinedload(Posting.entry), joinedload(Posting.account))
    )


def deposit(session: Session, stripe_id: str) -> Deposit:
    """An expert's deposit by Stripe's id of the payout. Raises NotFound."""
    payout = session.scalar(
        sa.select(ConnectedPayout)
        .where(ConnectedPayout.stripe_id == stripe_id)
        .options(joinedload(ConnectedPayout.account).joinedload(ConnectedAccount.person))
    )
    if payout is None:
        raise NotFound(_("There is no such payout."))
    return Deposit(payout, _transfers(session, payout))


def _transfers(session: Session, payout: ConnectedPayout) -> Sequence[Transfer]:
    approvals = (
        selectinload(PayoutItem.approvals)
        .joinedload(PayoutItemApproval.approval)
        .selectinload(Approval.lines)
        .joinedload(ApprovedLine.entry)
    )
    adjustments = selectinload(PayoutItem.adjustments).joinedload(PayoutItemAdjustment.adjustment)
    return session.scalars(
        sa.select(Transfer)
        .join(ConnectedPayoutTransfer, ConnectedPayoutTransfer.transfer_id == Transfer.id)
        .where(ConnectedPayoutTransfer.payout_id == payout.id)
        .options(joinedload(Transfer.item).joinedload(PayoutItem.batch))
        .options(joinedload(Transfer.item).options(approvals, adjustments))
        .order_by(Transfer.id)
    ).all()
