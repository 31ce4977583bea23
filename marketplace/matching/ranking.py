"""The best experts for a gig, and the best gigs for an expert: exact, and bounded in what they read.

SQL keeps who passes the hard criteria (of the credentials only that one of the type was checked) and orders
them by the most that their score can be. Each is then scored exactly, until the most that the next can have
is below the last of the best.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from typing import Any
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.matching import domains, facts
from marketplace.matching.criteria import WEIGHTS, domain_points, explain, least_hours
from marketplace.matching.domains import Nearness
from marketplace.matching.facts import ExpertFacts, GigFacts
from marketplace.matching.match import Match
from marketplace.matching.models import MatchExpert, MatchExpertDomain, MatchGig

Ranked = list[tuple[int, Match]]
Int = sa.ColumnElement[int]
# What SQL does not work out counts as if it were given in full.
UNBOUNDED = WEIGHTS["credentials"] + WEIGHTS["zone"]
CHUNK = 200


def best_experts(session: Session, gig_id: int, limit: int = 50) -> Ranked:
    """(person's internal id, match) of the eligible experts with the highest scores, best first.

    Of equal scores, the order is drawn anew for each gig, so that nobody is always behind.
    """
    gig = _gig(session, gig_id)
    if gig is None:
        return []
    today = clock.today("UTC")
    with session.execute(_experts_for(gig), execution_options={"yield_per": CHUNK}) as rows:
        found = ((bound, id_, explain(gig, facts.expert_from_json(kept), today)) for bound, id_, kept in rows)
        return _best(found, gig_id, limit)


def best_gigs(
    session: Session, person_id: int, limit: int = 50, among: sa.Select[int] | None = None
) -> Ranked:
    """(gig's internal id, match) of the open gigs that suit the expert best, best first; of all, or of those
    whose internal ids `among` selects."""
    expert = _expert(session, person_id)
    if expert is None or expert.suspended or not expert.domains:
        return []
    today = clock.today("UTC")
    query = _gigs_for(expert)
    query = query if among is None else query.where(MatchGig.gig_id.in_(among))
    with session.execute(query, execution_options={"yield_per": CHUNK}) as rows:
        found = ((bound, id_, explain(facts.gig_from_json(kept), expert, today)) for bound, id_, kept in rows)
        return _best(found, person_id, limit)


def match_of(session: Session, gig_id: int, person_id: int) -> Match | None:
    """The match of these two as they stand, eligible or not; None when either was never pushed."""
    gig, expert = _gig(session, gig_id), _expert(session, person_id)
    return explain(gig, expert, clock.today("UTC")) if gig and expert else None


def _best(found: Iterable[tuple[int, int, Match]], drawn_for: int, limit: int) -> Ranked:
    best: list[tuple[int, int, int, Match]] = []
    for bound, id_, match in found:
        if len(best) == limit and bound < -best[-1][0]:
            break
        if match.eligible:
            insort(best, (-match.score, _draw(drawn_for, id_), id_, match), key=lambda row: row[:3])
            del best[limit:]
    return [(id_, match) for _score, _drawn, id_, match in best]


def _draw(one: int, other: int) -> int:
    return crc32(f"{one}:{other}".encode())


def _gig(session: Session, gig_id: int) -> GigFacts | None:
    kept = session.scalar(sa.select(MatchGig.facts).where(MatchGig.gig_id == gig_id))
    return facts.gig_from_json(kept) if kept else None


def _expert(session: Session, person_id: int) -> ExpertFacts | None:
    kept = session.scalar(sa.select(MatchExpert.facts).where(MatchExpert.person_id == person_id))
    return facts.expert_from_json(kept) if kept else None


def _experts_for(gig: GigFacts) -> sa.Select[int, int, dict[str, Any]]:
    of, group = MatchExpertDomain, domains.group_of(gig.domain)
    points = _domain_points(of.domain, lambda have: domains.nearness(have, gig.domain), {group})
    near = (
        sa.select(of.person_id, sa.func.max(points).label("points"))
        .where(of.domain_group == group)
        .where(of.currency == gig.currency, of.min_rate <= gig.rate_max)
        .group_by(of.person_id)
        .subquery()
    )
    expert = MatchExpert
    rate = _rate_points(expert.min_rate, sa.literal(gig.rate_min), sa.literal(gig.rate_max))
    time = _time_points(expert.hours_per_week, sa.literal(gig.hours_per_week))
    bound = (near.c.points + rate + time + UNBOUNDED).label("bound")
    query = (
        sa.select(bound, expert.person_id, expert.facts)
        .join(near, near.c.person_id == expert.person_id)
        .where(~expert.suspended, expert.hours_per_week >= least_hours(gig.hours_per_week))
        .where(expert.languages.contains(list(gig.languages)))
        .where(expert.credential_types.contains([each.type for each in gig.requirements]))
        .order_by(bound.desc(), expert.person_id)
    )
    query = query.where(expert.country.in_(gig.countries)) if gig.countries else query
    return query if gig.funded and gig.headcount_left > 0 else query.where(sa.false())


def _gigs_for(expert: ExpertFacts) -> sa.Select[int, int, dict[str, Any]]:
    gig, groups = MatchGig, {domains.group_of(domain) for domain in expert.domains}
    points = _domain_points(gig.domain, lambda need: domains.nearest(expert.domains, need), groups)
    rate = _rate_points(sa.literal(expert.min_rate), gig.rate_min, gig.rate_max)
    time = _time_points(sa.literal(expert.hours_per_week), gig.hours_per_week)
    bound = (points + rate + time + UNBOUNDED).label("bound")
    return (
        sa.select(bound, gig.gig_id, gig.facts)
        .where(gig.open, gig.funded, gig.headcount_left > 0)
        .where(gig.domain_group.in_(groups))
        .where(gig.currency == expert.currency, gig.rate_max >= expert.min_rate)
        .where(gig.hours_per_week <= 2 * expert.hours_per_week)
        .where(gig.languages.contained_by(list(expert.languages)))
        .where(sa.or_(gig.countries == [], gig.countries.contains([expert.country])))
        .order_by(bound.desc(), gig.gig_id)
    )


def _domain_points(column: Any, nearest: Callable[[str], Nearness], groups: set[str]) -> Int:
    """Points by the code in `column`, worked out beforehand for every code of these groups."""
    codes = (code for code in domains.codes() if domains.group_of(code) in groups)
    return sa.case({code: domain_points(nearest(code)) for code in codes}, value=column, else_=0)


def _rate_points(min_rate: Any, rate_min: Any, rate_max: Any) -> Int:
    inside = WEIGHTS["rate"] * (rate_max - min_rate) // sa.func.greatest(rate_max - rate_min, 1)
    return sa.case((min_rate <= rate_min, WEIGHTS["rate"]), else_=inside)


def _time_points(offered: Any, liked: Any) -> Int:
    return WEIGHTS["availability"] * sa.func.least(offered, liked) // sa.func.greatest(liked, 1)
