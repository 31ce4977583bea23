"""Who comes into question, in the order of the score: the part of matching that runs in the database.

Why so: docs/decisions/ranking.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from marketplace.matching import bits, rules, scoring, steps
from marketplace.matching.criteria import domain_points, least_strength, rate_points
from marketplace.matching.facts import ExpertFacts, GigFacts
from marketplace.matching.scoring import Asked, Values, run
from marketplace.matching.tree import Nearness

Others = TypeVar("Others", int, npt.NDArray[np.int64])

# One person in so many is in the sample, by which it is learned what score the best must reach.
SAMPLE = 32
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
# The domains that are near; and the parts of the index that are worth reading (see `_parts`).
NEAR = "unnest(CAST(:markets AS bigint[]), CAST(:points AS integer[])) AS near (market, points)"
PARTS = """
    unnest(CAST(:markets AS bigint[]), CAST(:points AS integer[]), CAST(:steps AS smallint[]),
        CAST(:strengths AS smallint[]), CAST(:skilled AS boolean[]))
    AS near (market, points, rate_step, strength, skilled)
"""
AFFORDED = "r.rate_step <= :top_step"
IN_SAMPLE = f"{AFFORDED} AND r.person_id % {SAMPLE} = 0"
STRONG = "r.rate_step = near.rate_step AND r.strength >= near.strength"
BEST_OF_SAMPLE = f"""
    SELECT score FROM {NEAR} CROSS JOIN LATERAL ({{experts}}) AS sample ORDER BY score DESC LIMIT :most
"""  # noqa: S608 (constants of our own, here and below; values are bound)
BEST_EXPERTS = f"""
    SELECT person_id FROM (
        SELECT person_id, max(score) AS score FROM {PARTS} CROSS JOIN LATERAL ({{experts}}) AS found
        WHERE score >= :least GROUP BY person_id
    ) AS each
    ORDER BY score DESC, {LOT.format(one="person_id", other="CAST(:gig AS bigint)")}, person_id LIMIT :wanted
"""  # noqa: S608


def for_gig(session: Session, gig: GigFacts, day: date, wanted: int) -> Sequence[int]:
    """Internal ids of the `wanted` experts with the highest scores, best first.

    All pass the hard criteria, but for languages, of which some may turn out to be missing.
    """
    near = _near_gig(gig)
    asked = scoring.asked(session, gig, max(gig.starts_on, day))
    query = BEST_EXPERTS.format(experts=asked.experts_reaching(STRONG))
    for least in _reached(session, asked, gig, near, wanted):
        these = {"least": least, "wanted": wanted, "gig": gig.gig_id, **_parts(gig, near, least)}
        ids = run(session, query, asked.values | these).scalars().all()
        if len(ids) == wanted:
            break
    return ids


def _reached(
    session: Session, asked: Asked, gig: GigFacts, near: dict[str, int], wanted: int
) -> Iterable[int]:
    """Scores that `wanted` people reach, each more likely than the one before; the last is 0.

    The more of the sample reach a score, the more of all do. By chance it may have more of the best than its
    share, hardly ever so many more.
    """
    share = wanted / SAMPLE
    nth = [math.ceil(share + spare * math.sqrt(share)) for spare in (3, 6, 10)]
    query = BEST_OF_SAMPLE.format(experts=asked.experts(IN_SAMPLE))
    scores = run(session, query, asked.values | _markets(gig, near) | {"most": nth[-1]}).scalars().all()
    return dict.fromkeys([*(scores[n - 1] for n in nth if n <= len(scores)), 0])


def _parts(gig: GigFacts, near: dict[str, int], least: int) -> Values:
    """The parts of the index, each of one domain and one step of rates, in which somebody can score `least`:
    how strong they must be for it, and whether they need any of the skills."""
    weights = rules.current().weights
    of_others = weights.availability + weights.skills
    paid = [rate_points(gig, rate, weights.rate) for rate in steps.LEAST[: steps.step(gig.rate_max) + 1]]
    parts = [
        (code, points, step, least - points - for_rate - of_others)
        for code, points in near.items()
        for step, for_rate in enumerate(paid)
    ]
    parts = [part for part in parts if part[-1] <= weights.of_expert]
    return {
        "markets": _array(bits.market(gig.currency, code) for code, *_rest in parts),
        "points": _array(points for _code, points, *_rest in parts),
        "steps": _array(step for *_rest, step, _missing in parts),
        "strengths": _array(_least_strength(missing) for *_rest, missing in parts),
        "skilled": _array(missing + weights.skills > weights.of_expert for *_rest, missing in parts),
    }


def _least_strength(points: int) -> int:
    """How strong somebody must be who has so many points for what depends on the expert alone."""
    weights = rules.current().weights
    return least_strength(max(points, 0), weights.record, weights.response)


def scored(session: Session, gig: GigFacts, day: date) -> tuple[str, Values]:
    """A select of `person_id` and `score`, for each domain that somebody knows, of everybody who passes the
    hard criteria, and its values; see `for_gig`."""
    asked = scoring.asked(session, gig, max(gig.starts_on, day))
    query = f"SELECT person_id, score FROM {NEAR} CROSS JOIN LATERAL ({asked.experts(AFFORDED)}) AS each"  # noqa: S608
    return query, asked.values | _markets(gig, _near_gig(gig))


def newest_near(session: Session, expert: ExpertFacts, limit: int) -> Sequence[int]:
    """Internal ids of the open gigs near to what the expert knows, fit or not, the newest first."""
    near = near_expert(expert)
    query = """
        SELECT gig_id FROM match_gigs WHERE open AND domain = ANY (CAST(:codes AS text[]))
        ORDER BY gig_id DESC LIMIT :limit
    """
    return run(session, query, {"codes": list(near), "limit": limit}).scalars().all()


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


def _markets(gig: GigFacts, near: dict[str, int]) -> Values:
    markets = _array(bits.market(gig.currency, code) for code in near)
    return {"markets": markets, "points": _array(near.values())}


def _array(values: Iterable[object]) -> str:
    """Numbers as the database writes an array: to hand over hundreds one by one takes milliseconds."""
    return "{" + ",".join(map(str, values)) + "}"
