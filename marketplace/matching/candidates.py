"""Who comes into question, in the order of the score: the part of matching that runs in the database.

Written as SQL, since every column, bound and index here is a matter of speed: docs/decisions/ranking.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache, lru_cache
from typing import Any, TypeVar
from zoneinfo import available_timezones

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.matching import bits, rules, skills, uses, zones
from marketplace.matching.criteria import (
    WHOLE_PROMPTNESS,
    WHOLE_RECORD,
    domain_points,
    least_hours,
    least_strength,
)
from marketplace.matching.facts import ExpertFacts, GigFacts
from marketplace.matching.rules import Weights
from marketplace.matching.tree import Nearness

IDS = sa.ARRAY(sa.BigInteger)
Values = dict[str, Any]
Others = TypeVar("Others", int, npt.NDArray[np.int64])

# So many, the strongest of each of the nearest domains, are looked at to learn what the best must reach.
FEW = 400
# A prime below 2^31: a product of two remainders fits into the database's integers.
PRIME = 2_147_483_647


def draw(one: int, other: Others) -> Others:
    """A lot for these two, drawn the same each time: who comes first among equals. Of many others at once
    where they are an array."""
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

# All points but those for skills, which take longer than all of these.
CHEAP = f"""near.points + {BASE}
    + {RATE.format(min_rate="r.min_rate", rate_min=":rate_min", rate_max=":rate_max")}
    + {TIME.format(offered="r.hours_per_week", liked=":hours")}
"""
# {fits} are the hard criteria; {skills} the points for them. `near` has the points of each domain.
EXPERTS = f"""
    SELECT r.person_id, {CHEAP} + {{skills}} AS score
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
# What `wanted` of the strongest few reach: any few will do, and the better they are the less is read after.
GLAD = "AND r.min_rate <= :rate_min AND r.hours_per_week >= :hours"
REACHED = f"""
    SELECT score FROM (
        SELECT max(score) AS score FROM {NEAR} CROSS JOIN LATERAL (
            {{experts}} {{glad}} ORDER BY r.strength DESC LIMIT :few
        ) AS strong GROUP BY person_id
    ) AS each ORDER BY score DESC LIMIT 1 OFFSET :wanted - 1
"""  # noqa: S608
BEST_EXPERTS = f"""
    SELECT person_id FROM (
        SELECT person_id, max(score) AS score FROM {NEAR} CROSS JOIN LATERAL (
            {{experts}} {{bound}}
        ) AS found WHERE score >= :least GROUP BY person_id
    ) AS each
    ORDER BY score DESC, {LOT.format(one="person_id", other="CAST(:gig AS bigint)")}, person_id LIMIT :wanted
"""  # noqa: S608
# Only whom the index says to reach the score. Fenced in, so that each domain is looked up in the index: the
# planner would at times rather read the whole table.
FENCE = "OFFSET 0"
BOUND = f"AND r.strength >= near.strength AND {CHEAP} + :for_skills >= :least {FENCE}"


def for_gig(
    session: Session, gig: GigFacts, day: date, wanted: int, *, least: int | None = None
) -> Sequence[int]:
    """Internal ids of the `wanted` experts with the highest scores, best first.

    All pass the hard criteria, but for languages, of which some may turn out to be missing. `least` is a
    score that so many are known to reach; by default a first look finds one, and 0 looks at everybody.
    """
    weights, near = rules.current().weights, _near_gig(gig)
    experts, values = _experts_for(session, gig, max(gig.starts_on, day))
    reads_all = least == 0
    if least is None:
        looks = ((_nearest(near), _glad(gig, values)), (_nearest(near), ""), (near, ""))
        reached = (_reached(session, experts, values, codes, wanted, glad) for codes, glad in looks)
        least = next((score for score in reached if score is not None), 0)
    most = weights.of_pair + weights.of_expert
    within = _codes({code: points for code, points in near.items() if points + most >= least})
    within["strengths"] = [_least_strength(weights, least - points) for points in within["points"]]
    asked = {"least": least, "wanted": wanted, "gig": gig.gig_id}
    query = BEST_EXPERTS.format(experts=experts, bound="" if reads_all else BOUND)
    return run(session, query, values | within | asked).scalars().all()


def _reached(
    session: Session, experts: str, values: Values, codes: dict[str, int], wanted: int, glad: str
) -> int | None:
    """What score `wanted` of the strongest in these domains reach; None when there are not so many. Of those
    who are `glad` of the rate and the hours, or of all."""
    few = {"few": max(FEW, 4 * wanted) // len(codes) + 1, "wanted": wanted}
    score = run(session, REACHED.format(experts=experts, glad=glad), values | _codes(codes) | few).scalar()
    return None if score is None else int(score)


def _glad(gig: GigFacts, values: Values) -> str:
    """Those who also name half of the skills."""
    many = sum(name.startswith("skill_") for name in values)
    return f"{GLAD} AND 2 * ({_met(many)}) >= {len(gig.skills)}" if gig.skills else GLAD


def eligible(session: Session, gig: GigFacts, day: date) -> tuple[str, Values]:
    """A select of `person_id`, once each, of everybody who passes the hard criteria, and its values; see
    `for_gig`."""
    near = _near_gig(gig)
    experts, values = _experts_for(session, gig, max(gig.starts_on, day))
    query = f"SELECT DISTINCT person_id FROM {NEAR} CROSS JOIN LATERAL ({experts} {FENCE}) AS each"  # noqa: S608
    return query, values | _codes(near)


def newest_near(session: Session, expert: ExpertFacts, limit: int) -> Sequence[int]:
    """Internal ids of the open gigs near to what the expert knows, fit or not, the newest first."""
    near = near_expert(expert)
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
        numbers = list(skills.find(session, gig.skills).values())
        points = f":for_skills * ({_met(len(numbers))}) / {len(gig.skills)}"
        values |= {f"skill_{n}": number for n, number in enumerate(numbers)}
    return EXPERTS.format(skills=points, fits=_and(fits)), values


def _met(many: int) -> str:
    """How many of so many skills somebody names: each asked for alone, which is quicker than a subquery."""
    named = [f"(CAST(:skill_{n} AS integer) = ANY (r.skills))::integer" for n in range(many)]
    return " + ".join(named) or "0"


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


def near_expert(expert: ExpertFacts) -> dict[str, int]:
    """The points of each domain that is near to what the expert knows."""
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
