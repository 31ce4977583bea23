"""Searching the words of gigs, mistyped or not: full text, and trigrams of the words that are known."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.gigs.models import Gig
from marketplace.matching import domains
from marketplace.matching.openings import Ints

TERM = re.compile(r"\w+")
MOST_TERMS = 8
# The title counts most, then what it is about, then the rest.
WRITE = sa.text("""
    INSERT INTO gig_texts (gig_id, words) SELECT :id,
        setweight(to_tsvector('english', unaccent(:title)), 'A')
        || setweight(to_tsvector('english', unaccent(:about)), 'B')
        || setweight(to_tsvector('english', unaccent(:rest)), 'D')
    ON CONFLICT (gig_id) DO UPDATE SET words = excluded.words
""")
LEARN = sa.text("""
    INSERT INTO search_words (word)
    SELECT unnest(tsvector_to_array(to_tsvector('simple', unaccent(:all)))) ON CONFLICT DO NOTHING
""")
# Of each term as it was typed: does a known word begin so, and if none does, which are the most like it?
LOOK_UP = sa.text("""
    SELECT t.typed, t.term, EXISTS (
        SELECT FROM search_words WHERE word >= t.term AND word < t.term || chr(1114111)
    ) AS known, ARRAY(
        SELECT word FROM search_words WHERE word % t.term ORDER BY similarity(word, t.term) DESC, word LIMIT 3
    ) AS alike
    FROM (
        SELECT typed, lower(unaccent(typed)) COLLATE "C" AS term FROM unnest(CAST(:typed AS text[])) AS typed
    ) AS t
""")
FIND = sa.text("""
    SELECT array_agg(gig_id) FROM gig_texts, to_tsquery('english', :asked) AS asked
    WHERE numnode(asked) = 0 OR words @@ asked
""")


@dataclass(frozen=True)
class Asked:
    """Words as `to_tsquery` reads them, and those taken for others: typed, taken."""

    words: str
    taken: list[tuple[str, str]]


@dataclass(frozen=True)
class Words:
    """Internal ids of the gigs in which every word is found, and the words taken for others: typed, taken."""

    ids: Ints
    taken: list[tuple[str, str]]


def write(session: Session, gig: Gig) -> None:
    """Keep the words of a gig, in the running transaction."""
    company = gig.project.organization.name
    about = " ".join([*gig.skills, domains.title(gig.domain) if gig.domain else "", company])
    session.execute(WRITE, {"id": gig.id, "title": gig.title, "about": about, "rest": gig.description})
    session.execute(LEARN, {"all": f"{gig.title} {about} {gig.description}"})


def find(session: Session, text: str) -> Words:
    """The gigs that say all these words, or their beginnings, or what is most like them."""
    asked = asked_for(session, text)
    ids = session.scalar(FIND, {"asked": asked.words}) or []
    return Words(np.array(ids, np.int64), asked.taken)


def asked_for(session: Session, text: str) -> Asked:
    """What to look for, when somebody has typed this."""
    typed = TERM.findall(text)[:MOST_TERMS]
    asked, taken = [], []
    for row in session.execute(LOOK_UP, {"typed": typed}):
        if row.known or not row.alike:
            asked.append(f"{row.term}:*")
        else:
            asked.append("(" + " | ".join(row.alike) + ")")
            taken.append((row.typed, row.alike[0]))
    return Asked(" & ".join(asked), taken)
