"""The best experts for a gig, and the best gigs for an expert: exact, and bounded in what they read.

Of experts, a sample gives the score that the best must reach; whoever cannot reach it is then
not read at all. SQL works out the whole score, and the hard criteria as far as its narrow copies tell (see
`bits`); for gigs, arrays in memory do (`suitable`). So whoever comes out is matched once more, in full, and
if too few remain the question is asked again for more.
Why so: docs/decisions/ranking.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.matching import candidates, facts, openings
from marketplace.matching.criteria import explain
from marketplace.matching.facts import CredentialFact, ExpertFacts, GigFacts
from marketplace.matching.match import Match
from marketplace.matching.models import MatchGig
from marketplace.matching.suitable import Suitable

Ranked = list[tuple[int, Match]]

# Asked for every page that matches anything, and so not built anew each time.
EXPERTS = sa.text("SELECT * FROM match_experts WHERE person_id = ANY (CAST(:ids AS bigint[]))")
CREDENTIALS = sa.text("""
    SELECT person_id, type, jurisdiction, level, valid_from, valid_to, checked_on FROM match_credentials
    WHERE person_id = ANY (CAST(:ids AS bigint[])) ORDER BY id
""")
GIGS = sa.text("SELECT gig_id, facts FROM match_gigs WHERE gig_id = ANY (CAST(:ids AS bigint[]))")
OPEN_GIGS = sa.text(f"{GIGS.text} AND open")
# How many more than asked for are looked at first, since some may not pass the exact match.
SPARE = 10


def best_experts(session: Session, gig_id: int, limit: int = 50, *, supposing: bool = False) -> Ranked:
    """(person's internal id, match) of the eligible experts with the highest scores, best first.

    Of equal scores, the order is drawn anew for each gig, so that nobody is always behind. With
    `supposing`, as if the gig had a place and the money for it, which it may get yet.
    """
    gig = _gig(session, gig_id)
    if gig is not None and supposing:
        gig = replace(gig, funded=True, headcount_left=max(gig.headcount_left, 1))
    if gig is None or not gig.funded or gig.headcount_left < 1:
        return []
    today = clock.today("UTC")

    def matched(ids: Sequence[int]) -> Iterable[tuple[int, Match]]:
        found = experts(session, ids)
        return ((id_, explain(gig, found[id_], today)) for id_ in ids)

    return _best(lambda wanted: candidates.for_gig(session, gig, today, wanted), matched, limit)


def best_gigs(
    session: Session, person_id: int, limit: int = 50, among: Sequence[int] | None = None
) -> Ranked:
    """(gig's internal id, match) of the open gigs that suit the expert best, best first; of all, or of those
    of `among` (internal ids)."""
    expert = experts(session, [person_id]).get(person_id)
    if expert is None:
        return []
    board = openings.current(session)
    within = None if among is None else np.isin(board.ids, list(among))
    suitable = Suitable(session, board, expert, within)
    return _best(
        lambda wanted: board.ids[suitable.first(wanted)].tolist(),
        lambda ids: matched_gigs(session, expert, ids),
        limit,
    )


def matched_gigs(session: Session, expert: ExpertFacts, ids: Sequence[int]) -> Iterator[tuple[int, Match]]:
    """The exact match with each of these gigs (internal ids) that is open, in this order."""
    today, found = clock.today("UTC"), _gigs(session, OPEN_GIGS, ids)
    return ((id_, explain(found[id_], expert, today)) for id_ in ids if id_ in found)


def takes_experts(session: Session, gig_id: int) -> bool:
    """Is it open, with a place and the money for it?"""
    return bool(session.scalar(sa.select(MatchGig.open).where(MatchGig.gig_id == gig_id)))


def match_of(session: Session, gig_id: int, person_id: int) -> Match | None:
    """The match of these two as they stand, eligible or not; None when either was never pushed."""
    gig, expert = _gig(session, gig_id), experts(session, [person_id]).get(person_id)
    return explain(gig, expert, clock.today("UTC")) if gig and expert else None


def experts(session: Session, ids: Sequence[int]) -> dict[int, ExpertFacts]:
    """The facts of these experts, by internal id."""
    held: dict[int, list[CredentialFact]] = {}
    for person_id, *fact in session.execute(CREDENTIALS, {"ids": list(ids)}):
        held.setdefault(person_id, []).append(CredentialFact(*fact))
    rows = session.execute(EXPERTS, {"ids": list(ids)})
    return {row.person_id: _facts(row, held.get(row.person_id, ())) for row in rows}


def _best(
    top: Callable[[int], Sequence[int]],
    matched: Callable[[Sequence[int]], Iterable[tuple[int, Match]]],
    limit: int,
) -> Ranked:
    """The first `limit` of the candidates, in their order, that are eligible."""
    best, seen, wanted = list[tuple[int, Match]](), set[int](), limit + SPARE
    while True:
        ids = top(wanted)
        further = matched([id_ for id_ in ids if id_ not in seen])
        best.extend(islice((each for each in further if each[1].eligible), limit - len(best)))
        if len(best) == limit or len(ids) < wanted:
            return best
        seen.update(ids)
        wanted *= 2


def _facts(row: Any, held: Iterable[CredentialFact]) -> ExpertFacts:
    return ExpertFacts(
        person_id=row.person_id,
        domains=tuple(row.domains),
        min_rate=row.min_rate,
        currency=row.currency,
        country=row.country,
        time_zone=row.time_zone,
        languages=tuple(row.languages),
        hours_per_week=row.hours_per_week,
        credentials=tuple(held),
        suspended=row.suspended,
        skills=tuple(row.skills),
        record=row.record,
        response_hours=row.response_hours,
        conflicts=tuple(row.conflicts),
        refusals=tuple(row.refusals),
    )


def _gig(session: Session, gig_id: int) -> GigFacts | None:
    return gigs(session, [gig_id]).get(gig_id)


def gigs(session: Session, ids: Sequence[int]) -> dict[int, GigFacts]:
    """The facts of these gigs, by internal id."""
    return _gigs(session, GIGS, ids)


def _gigs(session: Session, query: sa.TextClause, ids: Sequence[int]) -> dict[int, GigFacts]:
    rows = session.execute(query, {"ids": list(ids)})
    return {gig_id: facts.gig_from_json(kept) for gig_id, kept in rows}
