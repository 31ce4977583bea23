"""People made through the use cases, and browsers in which they are signed in."""

from __future__ import annotations

import itertools
from dataclasses import replace

import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts import sessions
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import Organization, OrganizationKind, Person, SignIn
from marketplace.accounts.people import add_person, add_sign_in, new_organization
from marketplace.actor import SECOND_FACTOR, SITE, Actor, Role
from marketplace.db import use_case

PASSWORD = "seven quiet herons wade"
_numbers = itertools.count(1)


def a_person(
    session: Session,
    name: str = "Ana Expert",
    *roles: Role,
    organization: Organization | None = None,
    email: str = "",
    country: str = "US",
    time_zone: str = "America/New_York",
) -> Person:
    """A person with roles, who cannot sign in yet."""
    held = [(role, organization if role.value.startswith("client") else None) for role in roles]
    email = email or f"{name.split(maxsplit=1)[0].lower()}{next(_numbers)}@example.com"
    return add_person(session, SITE, name, email, country, time_zone, held)


def an_actor(session: Session, person: Person) -> Actor:
    """The person as one who acts; with a second factor just given where their role needs one."""
    actor = actor_for(session, person.id, request_id="test")
    return replace(actor, second_factor_at=clock.now()) if actor.has(*SECOND_FACTOR) else actor


@use_case
def an_organization(session: Session, name: str = "Lumen Labs", *, verified: bool = True) -> Organization:
    """A client's organization."""
    made = new_organization(session, SITE, OrganizationKind.CLIENT, name, "US")
    made.verified_at = clock.now() if verified else None
    return made


def a_sign_in(session: Session, person: Person, *, email: str = "", totp_secret: str | None = None) -> SignIn:
    """A verified sign-in with PASSWORD."""
    return add_sign_in(session, person.id, email or person.email, PASSWORD, totp_secret=totp_secret)


def enter(client: FlaskClient, session: Session, actor: Actor) -> FlaskClient:
    """Sign the actor in, without walking through the form: the browser holds a live session."""
    person = session.get_one(Person, actor.id)
    sign_in = session.scalars(sa.select(SignIn).filter_by(person_id=person.id)).first()
    sign_in = sign_in or a_sign_in(session, person)
    _row, token = sessions.begin(
        session, "A browser", {}, sign_in_id=sign_in.id, second_factor_at=actor.second_factor_at
    )
    client.set_cookie("session", token)
    return client
