"""Gigs that somebody does not want to see again, and why; it is theirs alone, and nobody is told."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.gigs import find
from marketplace.gigs.finding.models import HiddenGig, HideReason
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.qualification.graders import gigs_with_their_test
from marketplace.i18n import gettext as _
from marketplace.text import line


@use_case
def hide(
    session: Session, actor: Actor, gig_public_id: uuid.UUID, reason: HideReason, note: str = ""
) -> None:
    """Hide a gig; again with another reason changes the reason."""
    actor.require(Role.EXPERT)
    gig = find.gig(session, actor, gig_public_id)
    session.merge(
        HiddenGig(
            person_id=actor.id, gig_id=gig.id, reason=reason, note=line(note)[:500], hidden_at=clock.now()
        )
    )


@use_case
def show_again(session: Session, actor: Actor, gig_public_id: uuid.UUID) -> None:
    """Hide it no longer. One that is not hidden stays as it is."""
    hidden = sa.select(Gig.id).filter_by(public_id=gig_public_id).scalar_subquery()
    session.execute(sa.delete(HiddenGig).where(HiddenGig.person_id == actor.id, HiddenGig.gig_id == hidden))


def hidden_ids(session: Session, person_id: int) -> frozenset[int]:
    """Internal ids of the gigs that this person (internal id) has hidden."""
    return frozenset(session.scalars(sa.select(HiddenGig.gig_id).filter_by(person_id=person_id)))


def left_out(session: Session, person_id: int) -> frozenset[int]:
    """Internal ids of the gigs that stand in none of this person's (internal id) lists: those that they have
    hidden, and those whose test they grade."""
    return hidden_ids(session, person_id) | gigs_with_their_test(session, person_id)


def hidden(actor: Actor) -> sa.Select[HiddenGig]:
    """One's own, to be paged by the gig's internal id."""
    return (
        sa.select(HiddenGig)
        .filter_by(person_id=actor.id)
        .options(joinedload(HiddenGig.gig).joinedload(Gig.project).joinedload(Project.organization))
    )


def reason_word(reason: str) -> str:
    """Why, as people read it."""
    return {
        HideReason.PAY: _("It pays too little"),
        HideReason.WORK: _("I do not want this kind of work"),
        HideReason.USE: _("I do not want my work used so"),
        HideReason.CLIENT: _("I do not want to work for this client"),
        HideReason.TIME: _("I have no time for it"),
        HideReason.OTHER: _("Something else"),
    }[HideReason(reason)]
