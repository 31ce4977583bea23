"""Who wants to know when a person's roles changed. Filled by the slices above."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

roles_changed: list[Callable[[Session, int], None]] = []
"""Called as `hook(session, person_id)` in the transaction of the change."""


def tell_roles_changed(session: Session, person_id: int) -> None:
    """Say that the person (internal id) may act for others than before."""
    session.flush()
    for hook in roles_changed:
        hook(session, person_id)
