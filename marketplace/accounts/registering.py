"""Registering, and proving that the address is one's own."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, mail
from marketplace.accounts import limits, passwords
from marketplace.accounts.claiming import brought_in, send_claim
from marketplace.accounts.grants import actor_for, give
from marketplace.accounts.hooks import tell_roles_changed
from marketplace.accounts.links import drop_links, find_link, mark_verified, new_link
from marketplace.accounts.models import EmailLink, LinkPurpose, OrganizationKind, Person, SignIn
from marketplace.accounts.people import address, new_organization, new_person, new_sign_in
from marketplace.actor import SITE, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _

EXPERT, CLIENT = "expert", "client"


def register(
    session: Session,
    full_name: str,
    email: str,
    password: str,
    *,
    wants: str,
    country: str,
    time_zone: str,
    organization_name: str | None = None,
    network: str = "",
) -> Person | None:
    """A new expert, or a new client who is the admin of their organization; a link is mailed to `email`.

    None when the address has a sign-in already, whose owner is told by mail, and when somebody was brought in
    with it, who is mailed a link to take over; the page answers the same, so that nobody learns who is
    registered. Raises Invalid, or TooMany after many registrations.
    """
    if wants == CLIENT and not (organization_name or "").strip():
        raise Invalid(_("Fill in the name of your company."), field="organization_name")
    kept = address(email)
    passwords.check(password, full_name, kept)
    limits.spend(session, limits.MAIL_FROM_NETWORK, network)
    limits.spend(session, limits.MAIL, kept)
    return _register(session, full_name, kept, password, wants, organization_name, country, time_zone)


@use_case
def _register(
    session: Session,
    full_name: str,
    email: str,
    password: str,
    wants: str,
    organization_name: str | None,
    country: str,
    time_zone: str,
) -> Person | None:
    before = session.scalars(sa.select(SignIn).filter_by(email=email).with_for_update(of=SignIn)).first()
    if before is not None and (before.email_verified_at or before.disabled_at):
        passwords.pretend(password)
        mail.send(
            session, email, "already_registered", locale=before.person.locale, name=before.person.full_name
        )
        return None
    if before is not None:
        _forget(session, before)
    if (known := brought_in(session, email)) is not None:
        passwords.pretend(password)
        send_claim(session, known)
        return None
    person = new_person(session, SITE, full_name, email, country, time_zone)
    organization = None
    if wants == CLIENT:
        organization = new_organization(
            session, SITE, OrganizationKind.CLIENT, organization_name or "", country
        )
    give(session, SITE, person, Role.CLIENT_ADMIN if organization else Role.EXPERT, organization)
    _send_verification(session, new_sign_in(session, person, email, password))
    return person


def find_unverified(session: Session, token: str) -> EmailLink:
    """The link to confirm an address. Raises Refused when it no longer works."""
    return find_link(session, LinkPurpose.VERIFY, token)


@use_case
def verify_email(session: Session, token: str, password: str) -> SignIn:
    """Open the link from the mail, with the password chosen at registration.

    The password shows that who reads the mail is who registered: otherwise somebody could register with
    another's address and wait for them to confirm it. Raises Refused for a link that no longer works and
    Invalid for another password.
    """
    link = find_link(session, LinkPurpose.VERIFY, token, lock=True)
    sign_in = _sign_in_of(link)
    if not passwords.matches(sign_in.password_hash, password):
        raise Invalid(
            _("This is not the password that was chosen for this address. You can set a new one."),
            field="password",
        )
    link.used_at = clock.now()
    mark_verified(session, sign_in)
    actor = actor_for(session, sign_in.person_id)
    audit.record(session, actor, "verify_email", "sign_in", sign_in.public_id)
    return sign_in


@use_case
def send_verification_again(session: Session, sign_in_id: int) -> None:
    """Mail a new link; those sent before stop working."""
    sign_in = session.get_one(SignIn, sign_in_id)
    if sign_in.email_verified_at is None:
        _send_verification(session, sign_in)


def _send_verification(session: Session, sign_in: SignIn) -> None:
    drop_links(session, sign_in.id, LinkPurpose.VERIFY)
    token = new_link(session, LinkPurpose.VERIFY, sign_in.email, sign_in_id=sign_in.id)
    person = sign_in.person
    mail.send(session, sign_in.email, "verify", locale=person.locale, name=person.full_name, token=token)


def _forget(session: Session, sign_in: SignIn) -> None:
    """Whoever registered first with this address never proved that it is theirs; make room."""
    person = sign_in.person
    person.closed_at = clock.now()
    session.execute(sa.delete(EmailLink).where(EmailLink.sign_in_id == sign_in.id))
    session.delete(sign_in)
    # Who is closed acts in none of their roles.
    tell_roles_changed(session, person.id)
    audit.record(session, SITE, "replace_unverified", "person", person.public_id)


def _sign_in_of(link: EmailLink) -> SignIn:
    if link.sign_in is None:
        raise Refused(_("This link was used already or has run out. Ask for a new one."))
    return link.sign_in
