"""Taking up, one by one, what was released and has to be sent: for the time of a lease nobody else does."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.payments.sending import LEASE
from marketplace.payments.states import move


class Sendable(Protocol):
    """Something that two people released, with its tries."""

    id: Any
    state: Any
    first_tried_at: Any
    tries: Any
    retry_at: Any


S = TypeVar("S", bound=Sendable)


def take(
    session: Session, kind: type[S], released: StrEnum, sending: StrEnum, unresolved: Collection[StrEnum]
) -> tuple[S, datetime, bool] | None:
    """The next that is due, locked and marked as being sent or looked into; when it was first tried, and
    whether it may be at Stripe already. None when nothing is due. To be committed before the call."""
    now = clock.now()
    due = sa.or_(kind.retry_at.is_(None), kind.retry_at <= now)
    query = sa.select(kind).where(kind.state.in_((released, *unresolved)), due).order_by(kind.id).limit(1)
    found = session.scalars(query.with_for_update(of=kind, skip_locked=True)).one_or_none()
    if found is None:
        return None
    tried_before = found.state in unresolved
    if not tried_before:
        move(found, sending)
    found.first_tried_at = found.first_tried_at or now
    found.tries += 1
    found.retry_at = now + LEASE
    return found, found.first_tried_at, tried_before
