"""Reading refunds, within what a person may see."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.actor import FINANCE, Actor
from marketplace.gigs.find import there
from marketplace.gigs.models import Project
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import RefundState

# What waits for somebody of finance.
TO_DO = (RefundState.PREPARED, RefundState.REFUSED, RefundState.OWED)


def refunds_for(actor: Actor, *, waiting: bool) -> sa.Select[Refund]:
    """All refunds for finance: those that wait for somebody, or the others."""
    actor.require(*FINANCE)
    here = Refund.state.in_(TO_DO)
    return (
        sa.select(Refund)
        .where(here if waiting else ~here)
        .options(joinedload(Refund.project).joinedload(Project.organization), joinedload(Refund.funding))
    )


def refund(session: Session, actor: Actor, public_id: uuid.UUID) -> Refund:
    """One refund, for finance. Raises NotFound."""
    actor.require(*FINANCE)
    query = sa.select(Refund).filter_by(public_id=public_id).options(joinedload(Refund.project))
    return there(session.scalars(query).one_or_none())


def of_project(session: Session, project: Project) -> Sequence[Refund]:
    """A project's refunds but those that were called off, for those who may see the project."""
    query = sa.select(Refund).filter_by(project_id=project.id).where(Refund.state != RefundState.CANCELLED)
    return session.scalars(query.options(joinedload(Refund.funding)).order_by(Refund.id)).all()
