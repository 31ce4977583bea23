"""What is looked at when a gig and an expert are matched. Pure: the same facts give the same match.

To add one: docs/recipes/add-a-criterion.md. Why these weights: docs/decisions/matching-weights.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from marketplace.matching import domains, requirements, zones
from marketplace.matching.domains import Nearness
from marketplace.matching.facts import ExpertFacts, GigFacts
from marketplace.matching.match import Change, Criterion, Kind, Match, Verdict, Who

WEIGHTS_VERSION = "2026-11"
WEIGHTS = {"domain": 30, "rate": 25, "availability": 20, "credentials": 15, "zone": 10}
NEARNESS_PERCENT = {Nearness.ELSEWHERE: 0, Nearness.GROUP: 30, Nearness.FAMILY: 60, Nearness.SAME: 100}


@dataclass(frozen=True)
class Pair:
    """A gig and an expert, looked at for work that begins on `day`."""

    gig: GigFacts
    expert: ExpertFacts
    day: date


Criteria = Callable[[Pair], Iterator[Criterion]]


def explain(gig: GigFacts, expert: ExpertFacts, today: date | None = None) -> Match:
    """Match the two. Credentials are looked at on the gig's first day, or `today` if that has passed."""
    pair = Pair(gig, expert, max(gig.starts_on, today or gig.starts_on))
    return Match(tuple(each for criteria in ALL for each in criteria(pair)), WEIGHTS_VERSION)


def domain_points(nearness: Nearness) -> int:
    """Of the weight for the domain."""
    return WEIGHTS["domain"] * NEARNESS_PERCENT[nearness] // 100


def least_hours(needed: int) -> int:
    """Hours a week that an expert must offer: half of what the gig would like, rounded up."""
    return -(-needed // 2)


# Hard: does it fit at all?


def standing(pair: Pair) -> Iterator[Criterion]:
    yield _hard("standing", not pair.expert.suspended, {}, Change(Who.SITE, {"suspended": False}, {}))


def domain(pair: Pair) -> Iterator[Criterion]:
    gig, expert = pair.gig, pair.expert
    fits = _nearest(pair) is not Nearness.ELSEWHERE
    learnt = Change(Who.EXPERT, {"domains": (*expert.domains, gig.domain)}, {"domain": gig.domain})
    yield _hard("domain", fits, {"domain": gig.domain, "have": list(expert.domains)}, learnt)


def rate(pair: Pair) -> Iterator[Criterion]:
    gig, expert = pair.gig, pair.expert
    same = gig.currency == expert.currency
    lower = _asking(gig, min(expert.min_rate, gig.rate_max) if same else gig.rate_max)
    higher = [_paying(gig, gig.rate_min, expert.min_rate)] if same else []
    fits = same and expert.min_rate <= gig.rate_max
    yield _hard("rate", fits, _rates(pair), lower, *higher)


def credentials(pair: Pair) -> Iterator[Criterion]:
    for asked in pair.gig.requirements:
        found = requirements.best(asked, pair.expert.credentials, pair.day)
        facts = {**requirements.facts(asked), "lack": found.lack, "day": pair.day.isoformat()}
        who = Who.SITE if found.verdict is Verdict.UNKNOWN else Who.EXPERT
        shown = requirements.shown(asked, pair.day)
        gained = Change(who, {"credentials": (*pair.expert.credentials, shown)}, facts)
        yield Criterion("credential", Kind.HARD, found.verdict, facts, _unless(found.passes, gained))


def languages(pair: Pair) -> Iterator[Criterion]:
    have, need = pair.expert.languages, pair.gig.languages
    missing = tuple(each for each in need if each not in have)
    facts = {"languages": list(need), "missing": list(missing)}
    spoken = Change(Who.EXPERT, {"languages": (*have, *missing)}, facts)
    dropped = Change(Who.CLIENT, {"languages": tuple(each for each in need if each in have)}, facts)
    yield _hard("languages", not missing, facts, spoken, dropped)


def country(pair: Pair) -> Iterator[Criterion]:
    place, allowed = pair.expert.country, pair.gig.countries
    facts = {"country": place, "countries": list(allowed)}
    opened = Change(Who.CLIENT, {"countries": (*allowed, place)}, facts)
    yield _hard("country", not allowed or place in allowed, facts, opened)


def hours(pair: Pair) -> Iterator[Criterion]:
    offered, least = pair.expert.hours_per_week, least_hours(pair.gig.hours_per_week)
    more = Change(Who.EXPERT, {"hours_per_week": least}, {"hours": least})
    fewer = Change(Who.CLIENT, {"hours_per_week": 2 * offered}, {"hours": 2 * offered})
    changes = (more, fewer) if offered else (more,)
    yield _hard("hours", offered >= least, {"offered": offered, "least": least}, *changes)


def places(pair: Pair) -> Iterator[Criterion]:
    one_more = Change(Who.CLIENT, {"headcount_left": 1}, {})
    yield _hard("places", pair.gig.headcount_left > 0, {"left": pair.gig.headcount_left}, one_more)


def funds(pair: Pair) -> Iterator[Criterion]:
    yield _hard("funds", pair.gig.funded, {}, Change(Who.CLIENT, {"funded": True}, {}))


# Soft: how well does it fit?


def domain_depth(pair: Pair) -> Iterator[Criterion]:
    nearest, need = _nearest(pair), pair.gig.domain
    learnt = Change(Who.EXPERT, {"domains": (*pair.expert.domains, need)}, {"domain": need})
    facts = {"domain": need, "nearness": nearest.name.lower()}
    yield _soft("domain_depth", "domain", domain_points(nearest), facts, learnt)


def rate_fit(pair: Pair) -> Iterator[Criterion]:
    gig, expert = pair.gig, pair.expert
    if gig.currency != expert.currency:
        points, changes = 0, [_asking(gig, gig.rate_min)]
    else:
        points = rate_points(gig, expert.min_rate)
        wanted = expert.min_rate
        changes = [_asking(gig, gig.rate_min), _paying(gig, wanted, wanted)]
    yield _soft("rate_fit", "rate", points, _rates(pair), *changes)


def rate_points(gig: GigFacts, min_rate: int) -> int:
    """All of the weight up to the bottom of the band, none at its top, in proportion between."""
    if min_rate <= gig.rate_min:
        return WEIGHTS["rate"]
    if min_rate >= gig.rate_max:
        return 0
    return WEIGHTS["rate"] * (gig.rate_max - min_rate) // (gig.rate_max - gig.rate_min)


def availability(pair: Pair) -> Iterator[Criterion]:
    offered, liked = pair.expert.hours_per_week, pair.gig.hours_per_week
    points = availability_points(liked, offered)
    more = Change(Who.EXPERT, {"hours_per_week": liked}, {"hours": liked})
    fewer = Change(Who.CLIENT, {"hours_per_week": offered}, {"hours": offered})
    changes = (more, fewer) if offered else (more,)
    yield _soft("availability", "availability", points, {"offered": offered, "liked": liked}, *changes)


def availability_points(liked: int, offered: int) -> int:
    """In proportion to the hours a week that the gig would like, all of them at most."""
    return WEIGHTS["availability"] * min(offered, liked) // liked if liked else WEIGHTS["availability"]


def credential_strength(pair: Pair) -> Iterator[Criterion]:
    """By the least deeply checked of the credentials asked for; of any credential when none is."""
    asked, held = pair.gig.requirements, pair.expert.credentials
    level = requirements.weakest_level(asked, held, pair.day)
    points = WEIGHTS["credentials"] * max(0, level - 1) // 3
    at_source = (*held, *requirements.at_source(asked, held, pair.day))
    deeper = Change(Who.EXPERT, {"credentials": at_source}, {"asked": len(asked)})
    facts = {"level": level, "asked": len(asked)}
    yield _soft("credential_strength", "credentials", points, facts, deeper)


def zone_overlap(pair: Pair) -> Iterator[Criterion]:
    """Of eight working hours at the client's, those that are working hours at the expert's."""
    shared = zones.shared_hours(pair.gig.time_zone, pair.expert.time_zone, pair.day)
    points = WEIGHTS["zone"] * shared // zones.WORKING_HOURS
    any_zone = Change(Who.CLIENT, {"time_zone": None}, {})
    facts = {"shared": shared, "any": pair.gig.time_zone is None}
    yield _soft("zone_overlap", "zone", points, facts, any_zone)


ALL: tuple[Criteria, ...] = (
    standing, domain, rate, credentials, languages, country, hours, places, funds,
    domain_depth, rate_fit, availability, credential_strength, zone_overlap,
)  # fmt: skip


def _nearest(pair: Pair) -> Nearness:
    return domains.nearest(pair.expert.domains, pair.gig.domain)


def _rates(pair: Pair) -> dict[str, Any]:
    return {
        "asks": pair.expert.min_rate,
        "asks_currency": pair.expert.currency,
        "from": pair.gig.rate_min,
        "to": pair.gig.rate_max,
        "currency": pair.gig.currency,
    }


def _asking(gig: GigFacts, at_least: int) -> Change:
    fields = {"min_rate": at_least, "currency": gig.currency}
    return Change(Who.EXPERT, fields, {"rate": at_least, "currency": gig.currency})


def _paying(gig: GigFacts, from_rate: int, to_rate: int) -> Change:
    """A band that begins at `from_rate` at least, and reaches `to_rate`."""
    fields = {"rate_min": from_rate, "rate_max": max(gig.rate_max, to_rate)}
    return Change(Who.CLIENT, fields, {"rate": to_rate, "currency": gig.currency})


def _hard(code: str, passes: bool, facts: dict[str, Any], *changes: Change) -> Criterion:
    verdict = Verdict.PASS if passes else Verdict.FAIL
    return Criterion(code, Kind.HARD, verdict, facts, _unless(passes, *changes))


def _soft(code: str, weight: str, points: int, facts: dict[str, Any], *changes: Change) -> Criterion:
    full = points == WEIGHTS[weight]
    verdict = Verdict.PASS if full else Verdict.FAIL
    return Criterion(code, Kind.SOFT, verdict, facts, _unless(full, *changes), WEIGHTS[weight], points)


def _unless(passes: bool, *changes: Change) -> tuple[Change, ...]:
    return () if passes else changes
