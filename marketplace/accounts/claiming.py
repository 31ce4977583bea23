"""People who were brought in from a file take over what is theirs, by a link that is mailed to them."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, mail
from marketplace.accounts import limits
from marketplace.accounts.grants import actor_for
from marketplace.accounts.links import find_link, new_link
from marketplace.accounts.models import EmailLink, LinkPurpose, Person, SignIn
from marketplace.accounts.people import new_sign_in
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import NotFound, Refused
from marketplace.i18n import gettext as _

# Of these nobody has a sign-in, and none was closed.
BROUGHT_IN = (Person.closed_at.is_(None), ~sa.exists().where(SignIn.person_id == Person.id))
BATCH = 500


def brought_in(session: Session, email: str) -> Person | None:
    """Whoever was brought in with this address (as `people.address` gives it) and cannot sign in yet."""
    return session.scalars(sa.select(Person).where(Person.email == email, *BROUGHT_IN)).first()


def send_claim(session: Session, person: Person) -> None:
    """Mail the person a link, in the running transaction; those sent before stop working."""
    _drop(session, person.id)
    token = new_link(session, LinkPurpose.CLAIM, person.email, person_id=person.id)
    mail.send(session, person.email, "claim", locale=person.locale, name=person.full_name, token=token)


def mail_claim(session: Session, actor: Actor, public_id: uuid.UUID) -> Person:
    """Mail somebody who was brought in the link by which they take over. Operators only.

    Raises NotFound for somebody who can sign in already, and TooMany.
    """
    actor.require(Role.OPERATOR)
    limits.spend(session, limits.INVITATIONS, str(actor.id))
    return _mail_claim(session, actor, public_id)


@use_case
def _mail_claim(session: Session, actor: Actor, public_id: uuid.UUID) -> Person:
    person = session.scalars(sa.select(Person).where(Person.public_id == public_id, *BROUGHT_IN)).first()
    if person is None:
        raise NotFound(_("There is nobody of this kind who cannot sign in yet."))
    send_claim(session, person)
    audit.record(session, actor, "mail_claim", "person", person.public_id)
    return person


@use_case
def mail_some(session: Session, actor: Actor) -> int:
    """Mail a link to some of those who were brought in and were never mailed one; to how many.

    Again and again until none is left. Operators, or the site itself.
    """
    if actor.person_id is not None:
        actor.require(Role.OPERATOR)
    never = ~sa.exists().where(EmailLink.person_id == Person.id)
    found = session.scalars(
        sa.select(Person).where(*BROUGHT_IN, never).order_by(Person.id).limit(BATCH)
    ).all()
    for person in found:
        send_claim(session, person)
    if found:
        audit.record(session, actor, "mail_claims", "people", found[0].public_id, count=len(found))
    return len(found)


def find_claim(session: Session, token: str, *, lock: bool = False) -> Person:
    """Whose the link is. Raises Refused when it no longer works."""
    link = find_link(session, LinkPurpose.CLAIM, token, lock=lock)
    person = session.scalars(sa.select(Person).where(Person.id == link.person_id, *BROUGHT_IN)).first()
    if person is None:
        raise Refused(_("This link was used already or has run out. Ask for a new one."))
    return person


@use_case
def claim(session: Session, token: str, password: str) -> SignIn:
    """Give the person a sign-in. The link was mailed, so the address needs no other proof.

    Raises Refused for a link that no longer works or an address with a sign-in of somebody else's, and
    Invalid for the password.
    """
    person = find_claim(session, token, lock=True)
    if session.scalar(sa.select(sa.exists().where(SignIn.email == person.email))):
        raise Refused(_("This address has a sign-in already. Sign in with it, or write to the site."))
    sign_in = new_sign_in(session, person, person.email, password)
    sign_in.email_verified_at = clock.now()
    _drop(session, person.id)
    audit.record(session, actor_for(session, person.id), "claim", "person", person.public_id)
    return sign_in


def _drop(session: Session, person_id: int) -> None:
    mine = sa.update(EmailLink).where(EmailLink.person_id == person_id, EmailLink.used_at.is_(None))
    session.execute(mine.values(used_at=clock.now()))
