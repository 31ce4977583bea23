"""Reading a client's paid tests."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from marketplace.actor import CLIENT, Actor
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.qualification.models import QualificationTest


def tests_of(actor: Actor) -> sa.Select[QualificationTest]:
    """The tests of one's organizations, whether in use or put away."""
    ours = QualificationTest.organization_id.in_(actor.organizations(*CLIENT))
    return (
        sa.select(QualificationTest)
        .where(ours)
        .options(selectinload(QualificationTest.rubric), selectinload(QualificationTest.questions))
    )


def to_choose(session: Session, project: Project, gig: Gig | None = None) -> Sequence[QualificationTest]:
    """What a gig of the project may ask for: its client's tests in use, and the one that it asks for now."""
    in_use = QualificationTest.retired_at.is_(None)
    query = sa.select(QualificationTest).where(
        QualificationTest.organization_id == project.organization_id,
        in_use | (QualificationTest.id == gig.test_id) if gig else in_use,
    )
    return session.scalars(query.order_by(QualificationTest.title, QualificationTest.id)).all()
