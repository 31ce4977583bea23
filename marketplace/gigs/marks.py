"""Experts whom a client keeps in mind for a gig, or sets aside, before anybody applied; theirs alone."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.gigs import find
from marketplace.gigs.models import CandidateMark, Gig
from marketplace.gigs.states import Mark
from marketplace.text import line

LONGEST_NOTE = 500


@use_case
def mark(
    session: Session,
    actor: Actor,
    gig_public_id: uuid.UUID,
    profile_public_id: uuid.UUID,
    as_: Mark,
    note: str = "",
) -> CandidateMark:
    """Keep an expert in mind for this gig, or set them aside; again changes it. Raises NotFound."""
    gig, person_id = _found(session, actor, gig_public_id, profile_public_id)
    return session.merge(
        CandidateMark(
            gig_id=gig.id,
            person_id=person_id,
            mark=as_,
            note=line(note)[:LONGEST_NOTE],
            marked_by=actor.id,
            marked_at=clock.now(),
        )
    )


@use_case
def unmark(session: Session, actor: Actor, gig_public_id: uuid.UUID, profile_public_id: uuid.UUID) -> None:
    """Forget the mark. One that is not there changes nothing."""
    gig, person_id = _found(session, actor, gig_public_id, profile_public_id)
    session.execute(sa.delete(CandidateMark).filter_by(gig_id=gig.id, person_id=person_id))


def _found(
    session: Session, actor: Actor, gig_public_id: uuid.UUID, profile_public_id: uuid.UUID
) -> tuple[Gig, int]:
    gig = find.gig(session, actor, gig_public_id)
    actor.require(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
    return gig, find.profile(session, profile_public_id).person_id
