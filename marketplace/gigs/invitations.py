"""Inviting an expert whom the client knows only by what decides a match."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.gigs import find
from marketplace.gigs.members import tell
from marketplace.gigs.models import Application, ExpertProfile, Gig, Invitation, Project
from marketplace.gigs.qualification.graders import graders_of
from marketplace.gigs.states import INVITATION_MOVES, GigState, InvitationState, move
from marketplace.i18n import gettext as _
from marketplace.matching import ranking
from marketplace.text import paragraph

MOST_AT_ONCE, MOST_A_DAY = 100, 500
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Sent:
    """How many were invited; how many were before, had applied, or do not fit any more."""

    invited: int = 0
    before: int = 0
    applied: int = 0
    unfit: int = 0


@use_case
def invite(
    session: Session, actor: Actor, gig_public_id: uuid.UUID, profile_public_id: uuid.UUID, message: str
) -> Invitation:
    """Ask an expert to apply. Inviting twice changes nothing.

    Raises Refused before the gig is published, after too many in a day, and for somebody who cannot work for
    this client.
    """
    gig = open_gig(session, actor, gig_public_id)
    profile = find.profile(session, profile_public_id)
    found = find.invitation(session, gig.id, profile.person_id)
    if found is not None:
        return found
    _require_room(session, gig, 1)
    if not _may_be_asked(session, gig, profile.person_id):
        raise Refused(_("This expert cannot take the gig any more. Look at the list again."))
    return _invite(session, actor, gig, profile.person_id, message)


@use_case
def invite_many(
    session: Session, actor: Actor, gig_public_id: uuid.UUID, profiles: Sequence[uuid.UUID], message: str
) -> Sent:
    """Ask all of these experts to apply, once each, all of them or none; a second click changes nothing.

    Whoever was invited, has applied, or does not fit any more is left out and counted. Raises Refused before
    the gig is published, for more than MOST_AT_ONCE, and after too many in a day; Invalid for nobody.
    """
    gig, asked = open_gig(session, actor, gig_public_id), list(dict.fromkeys(profiles))
    if not asked:
        raise Invalid(_("Tick the experts whom you want to invite."), field="who")
    if len(asked) > MOST_AT_ONCE:
        raise Refused(_("Invite at most %(most)s experts at a time.", most=MOST_AT_ONCE))
    ids = _people(session, asked)
    invited, applied = _known(session, Invitation, gig), _known(session, Application, gig)
    new = [id_ for id_ in ids if id_ not in invited and id_ not in applied]
    fit = [id_ for id_ in new if _may_be_asked(session, gig, id_)]
    _require_room(session, gig, len(fit))
    for person_id in fit:
        _invite(session, actor, gig, person_id, message)
    before = sum(id_ in invited for id_ in ids)
    gone = len(asked) - len(ids)
    return Sent(len(fit), before, len(ids) - len(new) - before, len(new) - len(fit) + gone)


def open_gig(session: Session, actor: Actor, gig_public_id: uuid.UUID) -> Gig:
    """The gig, locked, for an administrator of its client. Raises NotFound; Refused unless published."""
    gig = find.gig(session, actor, gig_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
    if gig.state is not GigState.PUBLISHED:
        raise Refused(_("Publish the gig before you invite experts to it."))
    return gig


def _may_be_asked(session: Session, gig: Gig, person_id: int) -> bool:
    """Does the expert still meet all that decides, and judge none of those who apply?"""
    match = ranking.match_of(session, gig.id, person_id)
    return match is not None and match.eligible and person_id not in graders_of(session, gig)


def _people(session: Session, profiles: Sequence[uuid.UUID]) -> list[int]:
    """Internal ids of whose profiles these are, in their order."""
    rows = session.execute(
        sa.select(ExpertProfile.public_id, ExpertProfile.person_id).where(
            ExpertProfile.public_id.in_(profiles)
        )
    )
    known = {public_id: person_id for public_id, person_id in rows}  # noqa: C416 (rows are no pairs to the type checker)
    return [known[each] for each in profiles if each in known]


def _known(session: Session, table: type[Invitation] | type[Application], gig: Gig) -> set[int]:
    return set(session.scalars(sa.select(table.person_id).where(table.gig_id == gig.id)))


def _require_room(session: Session, gig: Gig, wanted: int) -> None:
    """Nobody's post is filled by a client who asks everybody."""
    mine = sa.select(Project.id).filter_by(organization_id=gig.project.organization_id)
    query = (
        sa.select(sa.func.count())
        .select_from(Invitation)
        .join(Invitation.gig)
        .where(Gig.project_id.in_(mine), Invitation.at > clock.now() - DAY)
    )
    sent = session.scalar(query) or 0
    if sent + wanted > MOST_A_DAY:
        raise Refused(
            _(
                "Your company invited %(sent)s experts within a day, of at most %(most)s. Wait for answers.",
                sent=sent,
                most=MOST_A_DAY,
            )
        )


def _invite(session: Session, actor: Actor, gig: Gig, person_id: int, message: str) -> Invitation:
    invitation = Invitation(
        gig=gig,
        person_id=person_id,
        state=InvitationState.INVITED,
        message=paragraph(message),
        invited_by=actor.id,
        at=clock.now(),
    )
    session.add(invitation)
    session.flush()
    audit.record(session, actor, "expert.invited", "invitation", invitation.public_id)
    client = gig.project.organization.name
    tell(
        session,
        person_id,
        "expert.invited",
        f"/gigs/{gig.public_id}",
        lambda: (_("%(client)s invites you to apply", client=client), gig.title),
    )
    return invitation


@use_case
def decline_invitation(session: Session, actor: Actor, gig_public_id: uuid.UUID) -> Invitation:
    """Say no to an invitation. Raises NotFound when there is none."""
    gig = find.gig(session, actor, gig_public_id)
    invitation = find.invitation(session, gig.id, actor.id, lock=True)
    if invitation is None:
        raise NotFound(_("There is no such page, or it is not yours to see."))
    move(invitation, InvitationState.DECLINED, INVITATION_MOVES)
    audit.record(session, actor, "invitation.declined", "invitation", invitation.public_id)
    return invitation
