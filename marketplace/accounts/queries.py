"""Reading people, roles and organizations, each within what the reader may see."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.accounts.models import Organization, OrganizationKind, Person, RoleGrant, SignIn
from marketplace.actor import CLIENT, Actor, Role
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _


@dataclass(frozen=True)
class Member:
    """A person and the roles they hold, in one organization or on the whole site."""

    person: Person
    grants: tuple[RoleGrant, ...]


def my_organizations(session: Session, actor: Actor) -> Sequence[Organization]:
    """The clients for which this person acts, by name."""
    return session.scalars(
        sa.select(Organization)
        .where(Organization.id.in_(actor.organizations(*CLIENT)))
        .order_by(Organization.name, Organization.id)
    ).all()


def administered(session: Session, actor: Actor) -> Sequence[Organization]:
    """The clients of which this person is an admin, by name."""
    return session.scalars(
        sa.select(Organization)
        .where(Organization.id.in_(actor.organizations(Role.CLIENT_ADMIN)))
        .order_by(Organization.name, Organization.id)
    ).all()


def own_grants(session: Session, actor: Actor) -> Sequence[RoleGrant]:
    """The roles that this person holds, the oldest first."""
    return session.scalars(
        sa.select(RoleGrant)
        .filter_by(person_id=actor.id, ended_at=None)
        .options(joinedload(RoleGrant.organization))
        .order_by(RoleGrant.id)
    ).all()


def members(session: Session, organization: Organization) -> list[Member]:
    """Who is in an organization. The caller has found it within what they may see."""
    held = sa.select(RoleGrant).where(
        RoleGrant.organization_id == organization.id, RoleGrant.ended_at.is_(None)
    )
    return _by_person(session, held)


def people(actor: Actor, search: str = "") -> sa.Select[Person]:
    """People whose name or address contains `search`, for an operator; to be paged by id."""
    actor.require(Role.OPERATOR)
    asked = sa.select(Person)
    if search:
        asked = asked.where(
            sa.or_(
                Person.full_name.icontains(search, autoescape=True),
                Person.email.icontains(search, autoescape=True),
            )
        )
    return asked


def member(session: Session, actor: Actor, public_id: uuid.UUID) -> Member:
    """One person with all their roles, for an operator. Raises NotFound."""
    actor.require(Role.OPERATOR)
    found = session.scalars(sa.select(Person).filter_by(public_id=public_id)).first()
    if found is None:
        raise NotFound(_("There is no such person."))
    held = sa.select(RoleGrant).where(RoleGrant.person_id == found.id, RoleGrant.ended_at.is_(None))
    grants = next((each.grants for each in _by_person(session, held)), ())
    return Member(found, grants)


def sign_ins(session: Session, actor: Actor, person: Person) -> Sequence[SignIn]:
    """A person's ways in, for an operator."""
    actor.require(Role.OPERATOR)
    return session.scalars(sa.select(SignIn).filter_by(person_id=person.id).order_by(SignIn.id)).all()


def client_organizations(actor: Actor, *, verified: bool) -> sa.Select[Organization]:
    """Clients that an operator has verified, or has yet to; to be paged by id."""
    actor.require(Role.OPERATOR)
    is_verified = Organization.verified_at.is_not(None)
    return sa.select(Organization).where(
        Organization.kind == OrganizationKind.CLIENT, is_verified if verified else ~is_verified
    )


def without_admin(session: Session, organizations: Iterable[Organization]) -> set[int]:
    """Internal ids of those that nobody administers."""
    ids = {each.id for each in organizations}
    held = sa.select(RoleGrant.organization_id).where(
        RoleGrant.organization_id.in_(ids), RoleGrant.role == Role.CLIENT_ADMIN, RoleGrant.ended_at.is_(None)
    )
    return ids - set(session.scalars(held))


def unadministered(session: Session, actor: Actor, public_id: uuid.UUID) -> Organization:
    """A client that nobody administers, for an operator. Raises NotFound."""
    actor.require(Role.OPERATOR)
    found = organization(session, public_id)
    if found is None or not without_admin(session, [found]):
        raise NotFound(_("There is no such company, or it has an administrator already."))
    return found


def organization(session: Session, public_id: uuid.UUID) -> Organization | None:
    """An organization by its public id; for use cases that check who asks."""
    return session.scalars(sa.select(Organization).filter_by(public_id=public_id)).first()


def _by_person(session: Session, held: sa.Select[RoleGrant]) -> list[Member]:
    loaded = held.options(joinedload(RoleGrant.person), joinedload(RoleGrant.organization)).order_by(
        RoleGrant.id
    )
    found: dict[int, tuple[Person, list[RoleGrant]]] = {}
    for grant in session.scalars(loaded):
        found.setdefault(grant.person_id, (grant.person, []))[1].append(grant)
    return [Member(person, tuple(grants)) for person, grants in found.values()]
