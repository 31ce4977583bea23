"""Inviting an expert whom the client knows only by what decides a match."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import NotFound, Refused
from marketplace.gigs import find
from marketplace.gigs.members import tell
from marketplace.gigs.models import Invitation
from marketplace.gigs.states import INVITATION_MOVES, GigState, InvitationState, move
from marketplace.i18n import gettext as _
from marketplace.text import paragraph


@use_case
def invite(
    session: Session, actor: Actor, gig_public_id: uuid.UUID, profile_public_id: uuid.UUID, message: str
) -> Invitation:
    """Ask an expert to apply. Inviting twice changes nothing. Raises Refused before the gig is published."""
    gig = find.gig(session, actor, gig_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
    if gig.state is not GigState.PUBLISHED:
        raise Refused(_("Publish the gig before you invite experts to it."))
    profile = find.profile(session, profile_public_id)
    found = find.invitation(session, gig.id, profile.person_id)
    if found is not None:
        return found
    invitation = Invitation(
        gig=gig,
        person_id=profile.person_id,
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
        profile.person_id,
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
