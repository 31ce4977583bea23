"""Inviting a colleague: a link is mailed, and the role begins when they accept it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock, i18n, mail
from marketplace.accounts import limits
from marketplace.accounts.claiming import brought_in
from marketplace.accounts.grants import actor_for, give
from marketplace.accounts.links import drop_invitations, drop_invitations_of, find_link, new_link
from marketplace.accounts.models import (
    EmailLink,
    LinkPurpose,
    Organization,
    OrganizationKind,
    Person,
    RoleGrant,
    SignIn,
)
from marketplace.accounts.people import address, new_person, new_sign_in
from marketplace.actor import CLIENT, SITE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _


def invite_member(
    session: Session, actor: Actor, organization_public_id: uuid.UUID, email: str, role: Role
) -> EmailLink:
    """Mail a link by which a colleague joins the organization in `role`. Its admins only.

    An invitation sent before to the same address stops working. Whether the address has a sign-in here
    already is not said. Raises Invalid, NotFound, TooMany.
    """
    kept = address(email)
    limits.spend(session, limits.INVITATIONS, str(actor.id))
    return _invite(session, actor, organization_public_id, kept, role)


def invite_first_admin(
    session: Session, actor: Actor, organization_public_id: uuid.UUID, email: str
) -> EmailLink:
    """Mail a link by which somebody becomes the administrator of a client that has none. Operators only.

    As when a client was brought in from a file. Raises Invalid, NotFound, Refused, TooMany.
    """
    actor.require(Role.OPERATOR)
    kept = address(email)
    limits.spend(session, limits.INVITATIONS, str(actor.id))
    return _invite(session, actor, organization_public_id, kept, Role.CLIENT_ADMIN)


@use_case
def _invite(
    session: Session, actor: Actor, organization_public_id: uuid.UUID, email: str, role: Role
) -> EmailLink:
    if role not in CLIENT:
        raise Invalid(_("Choose a role from the list."), field="role")
    organization = _administered(session, actor, organization_public_id)
    _refuse_members(session, organization, email)
    drop_invitations(session, organization.id, email)
    token = new_link(
        session, LinkPurpose.INVITE, email,
        organization_id=organization.id, role=role, invited_by=actor.id,
    )  # fmt: skip
    session.flush()
    link = find_link(session, LinkPurpose.INVITE, token)
    audit.record(
        session, actor, "invite", "organization", organization.public_id, role=role, link=link.public_id
    )
    mail.send(
        session, email, "invitation", locale=i18n.current_locale(),
        inviter=actor.name, organization=organization.name, token=token,
    )  # fmt: skip
    return link


@use_case
def withdraw_invitation(session: Session, actor: Actor, public_id: uuid.UUID) -> None:
    """Make an invitation that was not accepted yet useless. The organization's admins only."""
    link = session.scalars(
        _pending(actor).where(EmailLink.public_id == public_id).with_for_update(of=EmailLink)
    ).first()
    if link is None:
        raise NotFound(_("There is no such invitation, or it was accepted already."))
    link.used_at = clock.now()
    audit.record(session, actor, "withdraw_invitation", "email_link", link.public_id)


@use_case
def accept_as_new(
    session: Session, token: str, full_name: str, country: str, time_zone: str, password: str
) -> SignIn:
    """Join as somebody who is new here, or was only brought in: who keeps their name. The link was mailed, so
    the address needs no other proof.

    Raises Refused when the link no longer works or the address has a sign-in, whose owner signs in first.
    """
    link = _valid(session, token)
    before = session.scalars(sa.select(SignIn).filter_by(email=link.email)).first()
    if before is not None:
        raise Refused(_("You have a sign-in already. Sign in with this address, then open the link again."))
    person = brought_in(session, link.email)
    person = person or new_person(session, SITE, full_name, link.email, country, time_zone)
    sign_in = new_sign_in(session, person, link.email, password)
    sign_in.email_verified_at = clock.now()
    _join(session, link, person)
    return sign_in


@use_case
def accept(session: Session, actor: Actor, token: str) -> RoleGrant:
    """Join as somebody who is signed in, with the address that was invited."""
    link = _valid(session, token)
    mine = sa.select(SignIn.email).where(SignIn.person_id == actor.id, SignIn.email_verified_at.is_not(None))
    if link.email not in session.scalars(mine).all():
        raise Refused(_("This invitation is for another address. Sign in with that one, then open it again."))
    return _join(session, link, session.get_one(Person, actor.id))


def pending(session: Session, actor: Actor, organization: Organization) -> Sequence[EmailLink]:
    """Invitations that wait, to an organization that this person administers; the newest first."""
    asked = _pending(actor).where(EmailLink.organization_id == organization.id)
    return session.scalars(asked.order_by(EmailLink.id.desc())).all()


def find(session: Session, token: str) -> EmailLink:
    """The invitation that was mailed. Raises Refused when it no longer works."""
    return find_link(session, LinkPurpose.INVITE, token)


def is_for_known(session: Session, token: str) -> bool:
    """Has the address that was invited a sign-in? Told only to who holds the link that was mailed to it."""
    email = find(session, token).email
    return bool(session.scalar(sa.select(sa.exists().where(SignIn.email == email))))


def _join(session: Session, link: EmailLink, person: Person) -> RoleGrant:
    inviter = actor_for(session, link.invited_by or 0)
    if link.role is None or link.organization is None or inviter.id == person.id:
        raise Refused(_("Nobody gives a role to themselves. Ask a colleague."))
    link.used_at = clock.now()
    drop_invitations_of(session, link.organization.id, person.id)
    return give(session, inviter, person, link.role, link.organization)


def _valid(session: Session, token: str) -> EmailLink:
    """The invitation, as long as who sent it may still invite."""
    link = find_link(session, LinkPurpose.INVITE, token, lock=True)
    inviter = actor_for(session, link.invited_by or 0)
    if not inviter.has(Role.CLIENT_ADMIN, organization_id=link.organization_id) and not (
        inviter.has(Role.OPERATOR) and not _has_admin(session, link.organization_id)
    ):
        raise Refused(_("Who invited you has left the organization. Ask a colleague there for a new link."))
    return link


def _administered(session: Session, actor: Actor, public_id: uuid.UUID) -> Organization:
    mine = Organization.id.in_(actor.organizations(Role.CLIENT_ADMIN))
    any_client = Organization.kind == OrganizationKind.CLIENT
    within = sa.or_(mine, any_client) if actor.has(Role.OPERATOR) else mine
    found = session.scalars(
        sa.select(Organization).where(Organization.public_id == public_id, within)
    ).first()
    if found is None:
        raise NotFound(_("There is no such organization."))
    if not actor.has(Role.CLIENT_ADMIN, organization_id=found.id) and _has_admin(session, found.id):
        raise Refused(_("It has an administrator, who invites colleagues."))
    return found


def _has_admin(session: Session, organization_id: int | None) -> bool:
    held = sa.select(RoleGrant.id).filter_by(
        organization_id=organization_id, role=Role.CLIENT_ADMIN, ended_at=None
    )
    return bool(session.scalar(sa.select(held.exists())))


def _refuse_members(session: Session, organization: Organization, email: str) -> None:
    member = (
        sa.select(RoleGrant.id)
        .join(SignIn, SignIn.person_id == RoleGrant.person_id)
        .where(
            SignIn.email == email,
            RoleGrant.organization_id == organization.id,
            RoleGrant.ended_at.is_(None),
        )
    )
    if session.scalar(sa.select(member.exists())):
        raise Invalid(_("They are in your organization already."), field="email")


def _pending(actor: Actor) -> sa.Select[EmailLink]:
    return (
        sa.select(EmailLink)
        .where(
            EmailLink.purpose == LinkPurpose.INVITE,
            EmailLink.organization_id.in_(actor.organizations(Role.CLIENT_ADMIN)),
            EmailLink.used_at.is_(None),
            EmailLink.expires_at > clock.now(),
        )
        .options(joinedload(EmailLink.organization))
    )
