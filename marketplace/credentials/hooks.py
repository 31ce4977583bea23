"""Who wants to know when a person's credentials changed. Filled by the slices above."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

changed: list[Callable[[Session, int], None]] = []
"""Called as `hook(session, person_id)` in the transaction of the change."""


def tell_changed(session: Session, person_id: int) -> None:
    """Say that what the person (internal id) holds may be different now."""
    session.flush()
    for hook in changed:
        hook(session, person_id)
