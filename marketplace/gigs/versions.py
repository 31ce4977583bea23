"""Texts of a gig that are kept in versions: each stays as it was, the highest one is in force."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session


class Versioned(Protocol):
    """A version, counted from 1 for each gig."""

    gig_id: Any
    version: Any


V = TypeVar("V", bound=Versioned)


def newest_of(session: Session, kind: type[V], gig_ids: Iterable[int]) -> dict[int, V]:
    """The version in force of each of these gigs (internal ids) that has one."""
    query = (
        sa.select(kind)
        .where(kind.gig_id.in_(set(gig_ids)))
        .ext(distinct_on(kind.gig_id))
        .order_by(kind.gig_id, kind.version.desc())
    )
    return {each.gig_id: each for each in session.scalars(query)}
