"""Skills: free terms, known by number so that a million experts' fit into an index.

Two ways to write one term are one skill: `key` folds case and white space.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import text
from marketplace.matching.models import MatchSkill

NAMES = sa.ARRAY(sa.Text)


@lru_cache(maxsize=50_000)
def key(term: str) -> str:
    """How a term is compared: `  Style  Guides ` and `style guides` are one skill."""
    return text.line(term).casefold()


def keys(terms: Iterable[str]) -> tuple[str, ...]:
    """Each once, in the order given."""
    return tuple(dict.fromkeys(found for term in terms if (found := key(term))))


def numbers(session: Session, names: Iterable[str]) -> dict[str, int]:
    """The number of each of these skills, by its key; new ones get one. Needs a running transaction."""
    wanted = sorted(set(names))
    known = find(session, wanted)
    new = [{"name": name} for name in wanted if name not in known]
    if new:
        session.execute(insert(MatchSkill).on_conflict_do_nothing(), new)
        known = find(session, wanted)
    return known


def find(session: Session, names: Iterable[str]) -> dict[str, int]:
    """The numbers of those that somebody has."""
    rows = session.execute(
        sa.select(MatchSkill.name, MatchSkill.id).where(
            MatchSkill.name == sa.any_(sa.literal(list(names), NAMES))
        )
    )
    return {name: number for name, number in rows}  # noqa: C416 (rows are no pairs to the type checker)
