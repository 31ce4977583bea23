"""Reading statements and appeals, each within what the reader may see."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.actor import Actor, Role
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.reasons.models import Appeal, Statement


def statements(actor: Actor) -> sa.Select[Statement]:
    """What was decided about this person."""
    return sa.select(Statement).filter_by(person_id=actor.id)


def statement(session: Session, actor: Actor, public_id: uuid.UUID) -> Statement:
    """One of them, with who decided. Raises NotFound when it is about somebody else."""
    found = session.scalars(
        sa.select(Statement)
        .filter_by(public_id=public_id, person_id=actor.id)
        .options(joinedload(Statement.decider))
    ).first()
    if found is None:
        raise NotFound(_("There is no such decision."))
    return found


def last_about(session: Session, actor: Actor, subject_kind: str, subject_id: uuid.UUID) -> Statement | None:
    """The last decision about a subject, with who took it, for an operator."""
    actor.require(Role.OPERATOR)
    return session.scalars(
        sa.select(Statement)
        .filter_by(subject_kind=subject_kind, subject_id=subject_id)
        .options(joinedload(Statement.decider))
        .order_by(Statement.id.desc())
        .limit(1)
    ).first()


def waiting(actor: Actor) -> sa.Select[Appeal]:
    """Appeals to decide, without those this operator may not decide."""
    return _with_people().where(_to_decide(actor))


def waiting_count(session: Session, actor: Actor) -> int:
    """How many appeals this operator may decide now."""
    counted = sa.select(sa.func.count()).select_from(Appeal).join(Appeal.statement).where(_to_decide(actor))
    return session.scalar(counted) or 0


def one_appeal(session: Session, actor: Actor, public_id: uuid.UUID) -> Appeal:
    """An appeal for an operator. Raises NotFound when there is none."""
    actor.require(Role.OPERATOR)
    found = session.scalars(_with_people().where(Appeal.public_id == public_id)).first()
    if found is None:
        raise NotFound(_("There is no such appeal."))
    return found


def _with_people() -> sa.Select[Appeal]:
    loaded = joinedload(Appeal.statement)
    return (
        sa.select(Appeal)
        .join(Appeal.statement)
        .options(loaded.joinedload(Statement.person), loaded.joinedload(Statement.decider))
    )


def _to_decide(actor: Actor) -> sa.ColumnElement[bool]:
    actor.require(Role.OPERATOR)
    return sa.and_(
        Appeal.outcome.is_(None), Statement.decided_by != actor.id, Statement.person_id != actor.id
    )
