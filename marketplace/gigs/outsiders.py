"""Inviting people who are not here yet: a link is mailed, and the invitation waits for them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock, crypto, i18n, mail
from marketplace.accounts import limits
from marketplace.accounts.models import SignIn
from marketplace.accounts.people import address
from marketplace.accounts.tokens import new_token, token_hash
from marketplace.actor import SITE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs import find
from marketplace.gigs.invitations import open_gig
from marketplace.gigs.models import Gig, Invitation, MailRefusal, OutsideInvitation, Project
from marketplace.gigs.states import GigState, InvitationState
from marketplace.i18n import gettext as _
from marketplace.text import paragraph

LASTS = timedelta(days=30)


def ask(
    session: Session, actor: Actor, gig_public_id: uuid.UUID, email: str, message: str
) -> OutsideInvitation:
    """Mail somebody a link to the gig, once for each gig; again changes nothing and mails nothing.

    Whether the address has a sign-in here is not said. Raises Invalid, NotFound, TooMany; Refused for a gig
    that is not published, and for an address whose owner wants no such mail.
    """
    kept = address(email)
    limits.spend(session, limits.INVITATIONS, str(actor.id))
    return _ask(session, actor, gig_public_id, kept, message)


@use_case
def _ask(
    session: Session, actor: Actor, gig_public_id: uuid.UUID, email: str, message: str
) -> OutsideInvitation:
    gig = open_gig(session, actor, gig_public_id)
    found = session.scalars(sa.select(OutsideInvitation).filter_by(gig_id=gig.id, email=email)).first()
    if found is not None:
        return found
    if session.get(MailRefusal, _fingerprint(email)) is not None:
        raise Refused(_("Whoever has this address wants no invitations by mail."))
    token, now = new_token(), clock.now()
    asked = OutsideInvitation(
        gig=gig, email=email, token_hash=token_hash(token), message=paragraph(message),
        invited_by=actor.id, at=now, expires_at=now + LASTS,
    )  # fmt: skip
    session.add(asked)
    session.flush()
    audit.record(session, actor, "outsider.invited", "gig", gig.public_id, invitation=asked.public_id)
    mail.send(
        session, email, "outside_invitation", locale=i18n.current_locale(), token=token,
        client=gig.project.organization.name, gig=gig.title, message=asked.message,
    )  # fmt: skip
    return asked


def asked_by(session: Session, gig: Gig) -> Sequence[OutsideInvitation]:
    """Everybody who was asked by mail for this gig, the last first. For its client's own people."""
    query = sa.select(OutsideInvitation).filter_by(gig_id=gig.id)
    return session.scalars(query.order_by(OutsideInvitation.id.desc())).all()


def find_asked(session: Session, token: str, *, lock: bool = False) -> OutsideInvitation:
    """The invitation that the link opens. Raises Refused when it has run out, was refused, or never was."""
    query = (
        sa.select(OutsideInvitation)
        .where(OutsideInvitation.token_hash == token_hash(token), OutsideInvitation.expires_at > clock.now())
        .options(joinedload(OutsideInvitation.gig).joinedload(Gig.project).joinedload(Project.organization))
    )
    asked = session.scalars(query.with_for_update(of=OutsideInvitation) if lock else query).first()
    if asked is None:
        raise Refused(_("This link has run out, or is not whole. Copy all of it from the mail."))
    return asked


@use_case
def take(session: Session, actor: Actor, token: str) -> Gig:
    """Let the invitation wait among this expert's own: whoever holds the link, with whichever address.

    A second click changes nothing. Raises Refused when somebody else took it, or the gig is not published.
    """
    actor.require(Role.EXPERT)
    asked = find_asked(session, token, lock=True)
    if asked.gig.state is not GigState.PUBLISHED:
        raise Refused(_("This gig takes no applications at the moment. Open the link again later."))
    if asked.taken_by not in (None, actor.id):
        raise Refused(_("Somebody took this invitation already, with another account."))
    _take(session, asked, actor.id)
    return asked.gig


@use_case
def refuse(session: Session, token: str) -> None:
    """Whoever holds the link wants no invitations by mail, of anybody. What was kept of them is removed."""
    asked = find_asked(session, token, lock=True)
    session.merge(MailRefusal(address=_fingerprint(asked.email), at=clock.now()))
    audit.record(session, SITE, "outsider.refused", "gig", asked.gig.public_id)
    session.execute(sa.delete(OutsideInvitation).filter_by(email=asked.email, taken_by=None))


def arrive(session: Session, person_id: int) -> None:
    """Give somebody who has a profile now what was mailed to a verified address of theirs."""
    mine = sa.select(SignIn.email).where(SignIn.person_id == person_id, SignIn.email_verified_at.is_not(None))
    query = sa.select(OutsideInvitation).where(
        OutsideInvitation.email.in_(mine),
        OutsideInvitation.taken_by.is_(None),
        OutsideInvitation.expires_at > clock.now(),
    )
    for asked in session.scalars(query.with_for_update()).all():
        _take(session, asked, person_id)


@use_case
def forget_outsiders(session: Session) -> None:
    """Forget those who did not come, once their link has run out."""
    gone = sa.delete(OutsideInvitation).where(
        OutsideInvitation.expires_at < clock.now(), OutsideInvitation.taken_by.is_(None)
    )
    session.execute(gone)


def _take(session: Session, asked: OutsideInvitation, person_id: int) -> None:
    asked.taken_by = person_id
    if find.invitation(session, asked.gig_id, person_id) is None:
        session.add(
            Invitation(
                gig_id=asked.gig_id, person_id=person_id, state=InvitationState.INVITED,
                message=asked.message, invited_by=asked.invited_by, at=clock.now(),
            )
        )  # fmt: skip


def _fingerprint(email: str) -> bytes:
    return crypto.fingerprint(email, "mail_refusals.address")
