"""Roles: who gives them to whom. Nobody gives one to themselves."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.delegations import lent
from marketplace.accounts.hooks import tell_roles_changed
from marketplace.accounts.links import drop_invitations_of
from marketplace.accounts.models import Organization, OrganizationKind, Person, RoleGrant
from marketplace.actor import CLIENT, SECOND_FACTOR, Actor, Grant, Role
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _

# Asked by every page, so it is put together once.
_PERSON: sa.BindParameter[int] = sa.bindparam("person", type_=sa.BigInteger)
_NOW: sa.BindParameter[datetime] = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_HELD_OR_LENT: sa.CompoundSelect[Role, int | None] = sa.union(
    sa.select(RoleGrant.role, RoleGrant.organization_id).where(
        RoleGrant.person_id == _PERSON, RoleGrant.ended_at.is_(None)
    ),
    lent(_PERSON, _NOW),
)


def actor_for(
    session: Session, person_id: int, *, request_id: str = "", second_factor_at: datetime | None = None
) -> Actor:
    """The person as one who acts, with the roles they hold now, also for others who are away; none when their
    account is closed."""
    person = session.get_one(Person, person_id)
    held = session.execute(_HELD_OR_LENT, {"person": person_id, "now": clock.now()})
    grants = frozenset(Grant(role, organization_id) for role, organization_id in held)
    return Actor(
        person_id=person.id,
        name=person.full_name,
        grants=grants if person.closed_at is None else frozenset(),
        request_id=request_id,
        second_factor_at=second_factor_at,
    )


@use_case
def grant_role(
    session: Session,
    actor: Actor,
    person_public_id: uuid.UUID,
    role: Role,
    organization_public_id: uuid.UUID | None = None,
) -> RoleGrant:
    """Give a role: a client's admin within their organization to who is in it, an operator the site's own.

    Raises NotFound for people whom the actor may not know of; Refused for oneself; FreshFactorNeeded where
    the role shows other people's money or papers.
    """
    if role in CLIENT:
        organization = _own_organization(session, actor, organization_public_id)
        person = _member(session, organization, person_public_id)
    else:
        organization = None
        person = _for_operator(session, actor, person_public_id, role)
    if person.id == actor.id:
        raise Refused(_("Nobody gives a role to themselves. Ask a colleague."))
    return give(session, actor, person, role, organization)


@use_case
def end_role(session: Session, actor: Actor, grant_public_id: uuid.UUID) -> RoleGrant:
    """End a role from this moment on. An organization keeps at least one admin, the site one operator.

    Invitations of the person that wait stop working, or an older one would bring the role back.
    """
    grant = session.scalars(
        sa.select(RoleGrant).filter_by(public_id=grant_public_id, ended_at=None).with_for_update()
    ).first()
    if grant is None or not _may_end(actor, grant):
        raise NotFound(_("There is no such role, or it has ended already."))
    if grant.organization_id is None:
        actor.require_fresh_factor()
    _require_another(session, grant)
    grant.ended_by, grant.ended_at = actor.person_id, clock.now()
    if grant.organization_id is not None:
        drop_invitations_of(session, grant.organization_id, grant.person_id)
    person = session.get_one(Person, grant.person_id)
    audit.record(session, actor, "end_role", "person", person.public_id, role=grant.role)
    tell_roles_changed(session, person.id)
    return grant


@use_case
def verify_organization(session: Session, actor: Actor, public_id: uuid.UUID) -> Organization:
    """Say that the company exists and that its admin may act for it. Operators, not about their own."""
    actor.require(Role.OPERATOR)
    organization = session.scalars(
        sa.select(Organization).filter_by(public_id=public_id, kind=OrganizationKind.CLIENT).with_for_update()
    ).first()
    if organization is None:
        raise NotFound(_("There is no such organization."))
    if organization.id in actor.organizations(*CLIENT):
        raise Refused(_("Another operator has to verify it, because you belong to it."))
    if organization.verified_at is None:
        organization.verified_at = clock.now()
        audit.record(session, actor, "verify", "organization", organization.public_id)
    return organization


def give(
    session: Session, actor: Actor, person: Person, role: Role, organization: Organization | None = None
) -> RoleGrant:
    """Give a role in the running transaction; the one held already, if there is one. Checks no rights."""
    if (role in CLIENT) != (organization is not None):
        raise Invalid(_("A client's role belongs to an organization, and no other does."), field="role")
    organization_id = organization.id if organization else None
    held = session.scalars(
        sa.select(RoleGrant).filter_by(
            person_id=person.id, role=role, organization_id=organization_id, ended_at=None
        )
    ).first()
    if held is not None:
        return held
    grant = RoleGrant(
        public_id=new_id(),
        person_id=person.id,
        role=role,
        organization_id=organization_id,
        granted_by=actor.person_id,
        granted_at=clock.now(),
    )
    session.add(grant)
    session.flush()
    within = organization.public_id if organization else None
    audit.record(session, actor, "give_role", "person", person.public_id, role=role, organization=within)
    tell_roles_changed(session, person.id)
    return grant


def _own_organization(session: Session, actor: Actor, public_id: uuid.UUID | None) -> Organization:
    mine = actor.organizations(Role.CLIENT_ADMIN)
    found = session.scalars(
        sa.select(Organization).where(Organization.public_id == public_id, Organization.id.in_(mine))
    ).first()
    if found is None:
        raise NotFound(_("There is no such organization."))
    return found


def _member(session: Session, organization: Organization, public_id: uuid.UUID) -> Person:
    """Strangers are invited, not granted: they have to agree first."""
    in_it = sa.exists().where(
        RoleGrant.person_id == Person.id,
        RoleGrant.organization_id == organization.id,
        RoleGrant.ended_at.is_(None),
    )
    found = session.scalars(sa.select(Person).where(Person.public_id == public_id, in_it)).first()
    if found is None:
        raise NotFound(_("There is no such person in your organization."))
    return found


def _for_operator(session: Session, actor: Actor, public_id: uuid.UUID, role: Role) -> Person:
    actor.require(Role.OPERATOR)
    if role in SECOND_FACTOR:
        actor.require_fresh_factor()
    found = session.scalars(sa.select(Person).filter_by(public_id=public_id, closed_at=None)).first()
    if found is None:
        raise NotFound(_("There is no such person."))
    return found


def _may_end(actor: Actor, grant: RoleGrant) -> bool:
    if grant.organization_id is None:
        return actor.has(Role.OPERATOR)
    return actor.has(Role.CLIENT_ADMIN, organization_id=grant.organization_id)


def _require_another(session: Session, grant: RoleGrant) -> None:
    """The last who can give roles stays, or nobody ever could again."""
    if grant.role not in (Role.CLIENT_ADMIN, Role.OPERATOR):
        return
    others = session.scalars(
        sa.select(RoleGrant.id)
        .where(
            RoleGrant.role == grant.role,
            RoleGrant.organization_id.is_not_distinct_from(grant.organization_id),
            RoleGrant.ended_at.is_(None),
        )
        # Two admins who end each other's role at the same moment wait here for one another.
        .order_by(RoleGrant.id)
        .with_for_update()
    ).all()
    if len(others) < 2:
        raise Refused(_("This is the last one with that role. Give it to somebody else first."))
