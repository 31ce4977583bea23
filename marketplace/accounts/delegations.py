"""Who stands in for whom in a client's organization while somebody is away.

It ends by itself: it counts only within its days, and while both still belong to the organization.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload

from marketplace import clock
from marketplace.accounts.models import Delegation, Person, RoleGrant
from marketplace.actor import CLIENT, Actor, Role


def counting(at: sa.ColumnElement[datetime] | None = None) -> sa.ColumnElement[bool]:
    """Those that count at this moment, or at one that the statement is given."""
    moment = clock.now() if at is None else at
    return sa.and_(
        Delegation.ended_at.is_(None),
        Delegation.starts_at <= moment,
        Delegation.ends_at > moment,
        _belongs(Delegation.person_id),
        _belongs(Delegation.delegate_id),
        sa.exists().where(Person.id == Delegation.person_id, Person.closed_at.is_(None)),
    )


def lent(person_id: sa.ColumnElement[int], at: sa.ColumnElement[datetime]) -> sa.Select[Role, int]:
    """The role that a person (internal id) holds for others then, with the organization, as in grants."""
    role = sa.literal(Role.CLIENT_APPROVER, RoleGrant.role.type).label("role")
    return sa.select(role, Delegation.organization_id).where(
        Delegation.delegate_id == person_id, counting(at)
    )


def stood_in_for(session: Session, actor: Actor, organization_id: int | None = None) -> Sequence[Delegation]:
    """For whom `actor` stands in now (within one organization, if named), the longest first."""
    about = {"delegate": actor.id, "organization": organization_id, "at": clock.now()}
    return session.scalars(_stood_in_for(), about).all()


def stand_ins(session: Session, organization_id: int) -> dict[int, list[Delegation]]:
    """Who stands in for others in an organization now, by their internal id."""
    query = sa.select(Delegation).where(Delegation.organization_id == organization_id, counting())
    found: dict[int, list[Delegation]] = {}
    for each in session.scalars(query.options(joinedload(Delegation.person)).order_by(Delegation.id)):
        found.setdefault(each.delegate_id, []).append(each)
    return found


def seen_by(actor: Actor) -> sa.ColumnElement[bool]:
    """Those in which one is a side, and for an admin all of the organization."""
    return sa.or_(
        Delegation.person_id == actor.id,
        Delegation.delegate_id == actor.id,
        Delegation.organization_id.in_(actor.organizations(Role.CLIENT_ADMIN)),
    )


@cache
def _stood_in_for() -> sa.Select[Delegation]:
    """Put together once: every page asks it, and it takes longer to write than to run."""
    organization = sa.bindparam("organization", type_=Delegation.organization_id.type)
    return (
        sa.select(Delegation)
        .where(
            Delegation.delegate_id == sa.bindparam("delegate"),
            sa.or_(organization.is_(None), Delegation.organization_id == organization),
            counting(sa.bindparam("at", type_=Delegation.starts_at.type)),
        )
        .options(joinedload(Delegation.person), joinedload(Delegation.organization))
        .order_by(Delegation.starts_at, Delegation.id)
    )


def _belongs(person: sa.orm.InstrumentedAttribute[int]) -> sa.ColumnElement[bool]:
    held = aliased(RoleGrant)
    return sa.exists().where(
        held.person_id == person,
        held.organization_id == Delegation.organization_id,
        held.role.in_(CLIENT),
        held.ended_at.is_(None),
    )
