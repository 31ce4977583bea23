"""Telling people what happened, each in their own language, whoever acts for a client today."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Person, RoleGrant
from marketplace.actor import Role
from marketplace.i18n import reading
from marketplace.notifications.notices import notify

Say = Callable[[], tuple[str, str]]


def tell(session: Session, person_id: int, kind: str, path: str, say: Say) -> None:
    """Notify one person. `say` gives title and body; it is called in their language and zone."""
    person = session.get_one(Person, person_id)
    with reading(person.locale, person.time_zone):
        title, body = say()
    notify(session, person_id, kind, title, body, path)


def people_with(session: Session, organization_id: int, *roles: Role) -> list[int]:
    """Ids of those who hold any of `roles` in the organization now."""
    query = (
        sa.select(RoleGrant.person_id)
        .where(RoleGrant.organization_id == organization_id)
        .where(RoleGrant.role.in_(roles), RoleGrant.ended_at.is_(None))
        .distinct()
    )
    return list(session.scalars(query))
