"""Who comes into question, in the order of the score: the part of matching that runs in the database.

Written as SQL, since every column, bound and index here is a matter of speed: docs/decisions/ranking.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache, lru_cache
from typing import Any
from zoneinfo import available_timezones

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.matching import bits, rules, skills, uses, zones
from marketplace.matching.criteria import (
    WHOLE_PROMPTNESS,
    WHOLE_RECORD,
    base_points,
    domain_points,
    least_hours,
    least_strength,
)
from marketplace.matching.facts import ExpertFacts, GigFacts
from marketplace.matching.rules import Weights
from marketplace.matching.tree import Nearness

IDS = sa.ARRAY(sa.BigInteger)
Values = dict[str, Any]

# So many, the strongest of each of the nearest domains, are looked at to learn what the best must reach.
FEW = 400
# A prime below 2^31: a product of two remainders fits into the database's integers.
PRIME = 2_147_483_647


def draw(one: int, other: int) -> int:
    """A lot for these two, drawn the same each time: who comes first among equals."""
    mixed = (one % PRIME * 48_271 + other % PRIME * 69_621) % PRIME
    return mixed * mixed % PRIME


LOT = """
    ((({one} % 2147483647) * 48271 + ({other} % 2147483647) * 69621) % 2147483647)
    * ((({one} % 2147483647) * 48271 + ({other} % 2147483647) * 69621) % 2147483647) % 2147483647
"""
RATE = """
    CASE WHEN {min_rate} <= {rate_min} THEN :for_rate
    ELSE :for_rate * ({rate_max} - {min_rate}) / greatest({rate_max} - {rate_min}, 1) END
"""
TIME = ":for_availability * least({offered}, {liked}) / greatest({liked}, 1)"
BASE = f":for_record * r.record / {WHOLE_RECORD} + :for_response * r.promptness / {WHOLE_PROMPTNESS}"

# {fits} are the hard criteria; {skills} the points for them. `near` has the points of each domain.
EXPERTS = f"""
    SELECT r.person_id, near.points + {BASE} + {{skills}}
        + {RATE.format(min_rate="r.min_rate", rate_min=":rate_min", rate_max=":rate_max")}
        + {TIME.format(offered="r.hours_per_week", liked=":hours")} AS score
    FROM match_expert_domains r
    WHERE r.currency = :currency AND r.domain = near.domain AND r.min_rate <= :rate_max
        AND r.hours_per_week >= :least_hours AND r.language_bits & :languages = :languages {{fits}}
"""  # noqa: S608 (constants of our own, here and below; values are bound)
# As `requirements.lack` says it.
COUNTS = """c.type = :type_{n} AND c.level >= greatest(:level_{n}, 2)
        AND (CAST(:jurisdiction_{n} AS text) IS NULL OR c.jurisdiction = :jurisdiction_{n})
        AND c.valid_from <= :day AND (c.valid_to IS NULL OR c.valid_to >= :day)
        AND (CAST(:max_age_days_{n} AS integer) IS NULL OR c.checked_on + :max_age_days_{n} >= :day)"""
# Only asked of those whose bits allow it.
HELD = f"EXISTS (SELECT FROM match_credentials c WHERE c.person_id = r.person_id AND {COUNTS})"
NEAR = (
    "unnest(CAST(:codes AS text[]), CAST(:points AS integer[]), CAST(:strengths AS smallint[])) "
    "AS near (domain, points, strength)"
)
# What `wanted` of the strongest few reach.
REACHED = f"""
    SELECT score FROM (
        SELECT max(score) AS score FROM {NEAR} CROSS JOIN LATERAL (
            {{experts}} ORDER BY r.strength DESC LIMIT :few
        ) AS strong GROUP BY person_id
    ) AS each ORDER BY score DESC LIMIT 1 OFFSET :wanted - 1
"""  # noqa: S608
BEST_EXPERTS = f"""
    SELECT person_id FROM (
        SELECT person_id, max(score) AS score FROM {NEAR} CROSS JOIN LATERAL (
            {{experts}} AND r.strength >= near.strength
        ) AS found WHERE score >= :least GROUP BY person_id
    ) AS each
    ORDER BY score DESC, {LOT.format(one="person_id", other="CAST(:gig AS bigint)")}, person_id LIMIT :wanted
"""  # noqa: S608
BEST_GIGS = f"""
    SELECT gig_id, score FROM {NEAR} CROSS JOIN LATERAL (
        SELECT g.gig_id, near.points + :base + {{skills}}
            + {RATE.format(min_rate=":min_rate", rate_min="g.rate_min", rate_max="g.rate_max")}
            + {TIME.format(offered=":hours", liked="g.hours_per_week")} AS score
        FROM match_gigs g
        WHERE g.open AND g.currency = :currency AND g.domain = near.domain
            AND g.rate_max >= :min_rate AND g.hours_per_week <= 2 * :hours
            AND g.language_bits & ~CAST(:languages AS bigint) = 0
            AND g.credential_bits & ~CAST(:credentials AS bigint) = 0
            AND (g.countries = '{{{{}}}}' OR :country = ANY (g.countries)) {{fits}}
    ) AS found
    WHERE score >= :least
    ORDER BY score DESC, {LOT.format(one="CAST(:person AS bigint)", other="gig_id")}, gig_id LIMIT :wanted
"""  # noqa: S608


def for_gig(
    session: Session, gig: GigFacts, day: date, wanted: int, *, least: int | None = None
) -> Sequence[int]:
    """Internal ids of the `wanted` experts with the highest scores, best first.

    All pass the hard criteria, but for languages, of which some may turn out to be missing. `least` is a
    score that so many are known to reach; by default a first look finds one, and 0 looks at everybody.
    """
    weights, near = rules.current().weights, _near_gig(gig)
    experts, values = _experts_for(session, gig, max(gig.starts_on, day))
    if least is None:
        best = _nearest(near)
        few = {"few": max(FEW // len(best), 2 * wanted), "wanted": wanted}
        least = run(session, REACHED.format(experts=experts), values | _codes(best) | few).scalar() or 0
    most = weights.of_pair + weights.of_expert
    within = _codes({code: points for code, points in near.items() if points + most >= least})
    within["strengths"] = [_least_strength(weights, least - points) for points in within["points"]]
    asked = {"least": least, "wanted": wanted, "gig": gig.gig_id}
    return run(session, BEST_EXPERTS.format(experts=experts), values | within | asked).scalars().all()


def eligible(session: Session, gig: GigFacts, day: date) -> tuple[str, Values]:
    """A select of `person_id`, once each, of everybody who passes the hard criteria, and its values; see
    `for_gig`."""
    near = _near_gig(gig)
    experts, values = _experts_for(session, gig, max(gig.starts_on, day))
    query = f"SELECT DISTINCT person_id FROM {NEAR} CROSS JOIN LATERAL ({experts}) AS each"  # noqa: S608
    return query, values | _codes(near)


def for_expert(
    session: Session, expert: ExpertFacts, wanted: int, among: Sequence[int] | None = None
) -> Sequence[int]:
    """Internal ids of the `wanted` open gigs with the highest scores, best first; see `for_gig`."""
    weights, near = rules.current().weights, _near_expert(expert)
    query, values = _gigs_for(session, expert, among)
    values["wanted"], best = wanted, _nearest(near)
    first = run(session, query, values | _codes(best) | {"least": 0}).all()
    reached = first[-1].score if len(first) == wanted else 0
    highest = weights.of_pair + base_points(expert, weights)
    within = {code: points for code, points in near.items() if points + highest >= reached}
    if within.keys() <= best.keys():
        return [row.gig_id for row in first]
    return run(session, query, values | _codes(within) | {"least": reached}).scalars().all()


def newest_near(session: Session, expert: ExpertFacts, limit: int) -> Sequence[int]:
    """Internal ids of the open gigs near to what the expert knows, fit or not, the newest first."""
    near = _near_expert(expert)
    query = """
        SELECT gig_id FROM match_gigs WHERE open AND domain = ANY (CAST(:codes AS text[]))
        ORDER BY gig_id DESC LIMIT :limit
    """
    return run(session, query, {"codes": list(near), "limit": limit}).scalars().all()


def barred(session: Session, client: int) -> Sequence[int]:
    """Who cannot work for this client."""
    query = "SELECT person_id FROM match_experts WHERE conflicts @> ARRAY[CAST(:client AS bigint)]"
    return run(session, query, {"client": client}).scalars().all()


def zones_within(zone: str, least: int, day: date) -> list[str]:
    """The zones that share so many working hours with this one."""
    return [each for each in _zones() if zones.shared_hours(zone, each, day) >= least]


def run(session: Session, query: str, values: Values) -> sa.Result[*tuple[Any, ...]]:
    """Run a statement, which is parsed once however often it is asked."""
    return session.execute(_text(query), values)


def _experts_for(session: Session, gig: GigFacts, day: date) -> tuple[str, Values]:
    """The select of the experts who fit, and its values."""
    fits: list[str] = []
    values: Values = {
        "currency": gig.currency,
        "rate_min": gig.rate_min,
        "rate_max": gig.rate_max,
        "hours": gig.hours_per_week,
        "least_hours": least_hours(gig.hours_per_week),
        "languages": bits.languages(gig.languages),
        **_weights(),
    }
    if gig.countries:
        fits.append("r.country = ANY (CAST(:countries AS char(2)[]))")
        values["countries"] = list(gig.countries)
    if gig.requirements:
        fits += ["r.credential_bits & :credentials = :credentials", "r.counts_until >= :day"]
        values |= {"credentials": bits.asked(gig.requirements), "day": day}
        for number, asked in enumerate(gig.requirements):
            fits.append(HELD.format(n=number))
            values |= {f"{name}_{number}": value for name, value in vars(asked).items()}
    if gig.time_zone and gig.shared_hours:
        fits.append("EXISTS (SELECT FROM match_experts e WHERE e.person_id = r.person_id "
                    "AND e.time_zone = ANY (:zones))")  # fmt: skip
        values["zones"] = zones_within(gig.time_zone, gig.shared_hours, day)
    if gig.uses is None or gig.uses:
        fits.append("r.refusal_bits & :uses = 0")
        values["uses"] = uses.bits(gig.uses)
    if not_these := barred(session, gig.client):
        fits.append("r.person_id <> ALL (CAST(:barred AS bigint[]))")
        values["barred"] = not_these
    points = ":for_skills"
    if gig.skills:
        points = f":for_skills * {_met('r.skills')} / {len(gig.skills)}"
        values["skills"] = list(skills.find(session, gig.skills).values())
    return EXPERTS.format(skills=points, fits=_and(fits)), values


def _gigs_for(session: Session, expert: ExpertFacts, among: Sequence[int] | None) -> tuple[str, Values]:
    """The select of the gigs that fit, and its values."""
    fits: list[str] = []
    values: Values = {
        **_weights(),
        "person": expert.person_id,
        "base": base_points(expert, rules.current().weights),
        "currency": expert.currency,
        "min_rate": expert.min_rate,
        "hours": expert.hours_per_week,
        "languages": bits.languages(expert.languages),
        "credentials": bits.held(expert.credentials),
        "country": expert.country,
        "skills": list(skills.find(session, expert.skills).values()) if expert.skills else [],
    }
    if expert.conflicts:
        fits.append("g.client <> ALL (CAST(:conflicts AS bigint[]))")
        values["conflicts"] = list(expert.conflicts)
    if expert.refusals:
        fits.append("g.use_bits & :refusals = 0")
        values["refusals"] = uses.bits(expert.refusals)
    if among is not None:
        fits.append("g.gig_id = ANY (CAST(:among AS bigint[]))")
        values["among"] = list(among)
    share = f":for_skills * {_met('g.skills')} / cardinality(g.skills)"
    points = f"CASE WHEN g.skills = '{{}}' THEN :for_skills ELSE {share} END"
    return BEST_GIGS.format(skills=points, fits=_and(fits)), values


def _met(column: str) -> str:
    """How many of the skills are in the column."""
    named = "unnest(CAST(:skills AS integer[])) AS named"
    return f"(SELECT count(*)::integer FROM {named} WHERE named = ANY ({column}))"  # noqa: S608


def _weights() -> Values:
    """The weights for what is scored in the database."""
    weights = rules.current().weights
    return {f"for_{name}": getattr(weights, name) for name in rules.WEIGHTS if name != "domain"}


def _least_strength(weights: Weights, missing: int) -> int:
    """How strong somebody must be who brings so many points, those for the pair included."""
    return least_strength(max(missing - weights.of_pair, 0), weights.record, weights.response)


def _near_gig(gig: GigFacts) -> dict[str, int]:
    tree = rules.current().tree
    return _near(lambda have: tree.nearness(have, gig.domain), (gig.domain,))


def _near_expert(expert: ExpertFacts) -> dict[str, int]:
    tree = rules.current().tree
    return _near(lambda need: tree.nearest(expert.domains, need)[0], expert.domains)


def _near(nearness: Callable[[str], Nearness], of: Sequence[str]) -> dict[str, int]:
    """The domain points of every code that is near at all."""
    by = rules.current()
    groups = dict.fromkeys(by.tree.path(code)[0] for code in of)
    near = ((code, nearness(code)) for group in groups for code in by.tree.within(group))
    return {
        code: domain_points(each, by.weights.domain) for code, each in near if each is not Nearness.ELSEWHERE
    }


def _nearest(near: dict[str, int]) -> dict[str, int]:
    most = max(near.values())
    return {code: points for code, points in near.items() if points == most}


def _codes(near: dict[str, int]) -> Values:
    return {"codes": list(near), "points": list(near.values()), "strengths": [0] * len(near)}


def _and(conditions: list[str]) -> str:
    return "".join(f"AND {each} " for each in conditions)


@lru_cache(maxsize=500)
def _text(query: str) -> sa.TextClause:
    """Read once: the statements are long, and of few forms."""
    return sa.text(query)


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))
