"""Reading chargebacks, within what a person may see."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from marketplace.actor import FINANCE, Actor
from marketplace.contracts.models import Contract, Timesheet
from marketplace.gigs.find import there
from marketplace.gigs.models import Project
from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.payments.chargebacks.models import INQUIRY_WAITS, OPEN, Chargeback
from marketplace.payments.models import Funding
from marketplace.payments.states import ChargebackState

# What is not decided yet.
UNDECIDED = (ChargebackState.INQUIRY, *OPEN)
# What somebody of finance has to look at.
TO_DO = (
    (Chargeback.state == ChargebackState.NEEDS_RESPONSE)
    | (Chargeback.state == ChargebackState.INQUIRY) & (Chargeback.stripe_status == INQUIRY_WAITS)
    | Chargeback.trouble.is_not(None)
)
# What a client hears of: an inquiry moved no money.
NOT_HEARD = (ChargebackState.INQUIRY, ChargebackState.CLOSED)


def chargebacks_for(actor: Actor, *, decided: bool) -> sa.Select[Chargeback]:
    """All for finance: those that are decided, or the others."""
    actor.require(*FINANCE)
    here = Chargeback.state.in_(UNDECIDED)
    return (
        sa.select(Chargeback)
        .where(~here if decided else here)
        .options(
            joinedload(Chargeback.funding).joinedload(Funding.project).joinedload(Project.organization),
            selectinload(Chargeback.moves),
            selectinload(Chargeback.evidence),
        )
    )


def chargeback(session: Session, actor: Actor, public_id: uuid.UUID) -> Chargeback:
    """One, for finance. Raises NotFound."""
    actor.require(*FINANCE)
    return there(session.scalars(sa.select(Chargeback).filter_by(public_id=public_id)).one_or_none())


def of_project(session: Session, project: Project) -> Sequence[Chargeback]:
    """Those of a project that moved money, for those who may see its money, the newest first."""
    query = (
        sa.select(Chargeback)
        .join(Chargeback.funding)
        .where(Funding.project_id == project.id, Chargeback.state.not_in(NOT_HEARD))
    )
    return session.scalars(query.order_by(Chargeback.id.desc())).all()


def exposure(session: Session, currency: str) -> int:
    """What banks have taken back and may keep, in minor units: it is owed to clients, and not there."""
    held = (
        sa.select(sa.func.coalesce(sa.func.sum(LedgerBalance.amount), 0))
        .join(LedgerAccount, LedgerAccount.id == LedgerBalance.account_id)
        .where(LedgerAccount.code == "1210", LedgerAccount.currency == currency)
    )
    return int(session.scalar(held) or 0)


def is_contested(session: Session, project_id: int) -> bool:
    """Is a payment of this project (internal id) with its bank at this moment?"""
    query = sa.select(Chargeback.id).join(Chargeback.funding)
    query = query.where(Funding.project_id == project_id, Chargeback.state.in_(OPEN))
    return session.scalars(query.limit(1)).first() is not None


def work_of(session: Session, project: Project) -> list[tuple[Contract, Sequence[Timesheet]]]:
    """The contracts of a project, each with its weeks: what shows that the work was done."""
    contracts = session.scalars(
        sa.select(Contract)
        .filter_by(project_id=project.id)
        .options(joinedload(Contract.gig))
        .order_by(Contract.id)
    ).all()
    sheets = session.scalars(
        sa.select(Timesheet)
        .where(Timesheet.contract_id.in_([each.id for each in contracts]), Timesheet.worked())
        .order_by(Timesheet.week_start_at)
    ).all()
    return [(each, [sheet for sheet in sheets if sheet.contract_id == each.id]) for each in contracts]
