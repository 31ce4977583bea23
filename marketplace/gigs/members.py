"""Telling a client's people what happened, whoever acts for it today."""

from __future__ import annotations

from sqlalchemy.orm import Session

from marketplace.actor import Role
from marketplace.notifications.telling import Say, people_with, tell

__all__ = ["Say", "people_with", "tell", "tell_client"]


def tell_client(session: Session, organization_id: int, kind: str, path: str, say: Say, *roles: Role) -> None:
    """Notify the client's people who hold one of `roles`; its administrators when none are named."""
    for person_id in people_with(session, organization_id, *(roles or (Role.CLIENT_ADMIN,))):
        tell(session, person_id, kind, path, say)
