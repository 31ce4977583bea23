"""Skills: free terms, known by number so that a million experts' fit into an index.

Two ways to write one term are one skill: `key` folds case and white space, and operators name what else is
the same (`aliases`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import text
from marketplace.matching.models import MatchSkill, MatchSkillAlias

NAMES = sa.ARRAY(sa.Text)
# Of two terms that share this much of their trigrams, one is likely the other, mistyped.
ALIKE = 0.5
# Only what open gigs ask for or an operator named is ever suggested: nobody's own words are shown to others.
# And only what was known before, so that of two terms each is not taken for the other.
MEANT = sa.text(f"""
    SELECT coalesce(a.stands_for, found.name) FROM (
        SELECT id, name FROM match_skills s
        WHERE s.name % :term AND similarity(s.name, :term) >= {ALIKE} AND s.name <> :term
            AND NOT EXISTS (SELECT FROM match_skills own WHERE own.name = :term AND own.id < s.id)
        ORDER BY similarity(s.name, :term) DESC, id LIMIT 3
    ) AS found LEFT JOIN match_skill_aliases a ON a.name = found.name
    WHERE a.name IS NOT NULL OR EXISTS (SELECT FROM match_gigs g WHERE g.open AND found.id = ANY (g.skills))
        OR EXISTS (SELECT FROM match_skill_aliases other WHERE other.stands_for = found.name)
    LIMIT 1
""")  # noqa: S608 (a number of this module)


@dataclass(frozen=True)
class Heard:
    """How a term was understood: as another's second name, or perhaps as a slip for `alike`."""

    term: str
    stands_for: str | None = None
    alike: str | None = None


@lru_cache(maxsize=50_000)
def key(term: str) -> str:
    """How a term is compared: `  Style  Guides ` and `style guides` are one skill."""
    return text.line(term).casefold()


def keys(terms: Iterable[str]) -> tuple[str, ...]:
    """Each once, in the order given."""
    return tuple(dict.fromkeys(found for term in terms if (found := key(term))))


def meant(names: Iterable[str], second: Mapping[str, str]) -> tuple[str, ...]:
    """The skills that are meant, each once, where `second` are the aliases of what they stand for."""
    return tuple(dict.fromkeys(second.get(name, name) for name in names))


def aliases(session: Session, names: Iterable[str]) -> dict[str, str]:
    """Of these keys, those that are second names, and what each stands for."""
    wanted = list(names)
    if not wanted:
        return {}
    rows = session.execute(
        sa.select(MatchSkillAlias.name, MatchSkillAlias.stands_for).where(
            MatchSkillAlias.name == sa.any_(sa.literal(wanted, NAMES))
        )
    )
    return {name: stands_for for name, stands_for in rows}  # noqa: C416 (rows are no pairs to the type checker)


def heard(session: Session, terms: Iterable[str]) -> list[Heard]:
    """Those of the terms that count as another, or that may be a slip for one."""
    asked = keys(terms)
    second = aliases(session, asked)
    found = (Heard(term, second.get(term), _alike(session, term, second)) for term in asked)
    return [each for each in found if each.stands_for or each.alike]


def _alike(session: Session, term: str, second: Mapping[str, str]) -> str | None:
    return None if term in second else session.scalar(MEANT, {"term": term})


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
