"""What is looked at when a gig and an expert are matched. Pure: the same facts give the same match.

To add one: docs/recipes/add-a-criterion.md. Why these weights: docs/decisions/matching-weights.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from marketplace.matching import requirements, rules, zones
from marketplace.matching.facts import ExpertFacts, GigFacts, RequirementFact
from marketplace.matching.match import Change, Criterion, Kind, Match, Verdict, Who
from marketplace.matching.requirements import Found
from marketplace.matching.rules import Rules, Weights
from marketplace.matching.tree import Nearness

# Nobody is behind for being new: what is not known yet counts this much.
UNKNOWN_PERCENT = 50
PROMPT_HOURS, SLOW_HOURS = 24, 96
WHOLE_RECORD, WHOLE_PROMPTNESS = 100, SLOW_HOURS - PROMPT_HOURS
NEARNESS_PERCENT = {
    Nearness.ELSEWHERE: 0,
    Nearness.GROUP: 30,
    Nearness.FAMILY: 60,
    Nearness.OCCUPATION: 80,
    Nearness.SAME: 100,
}


@dataclass(frozen=True)
class Pair:
    """A gig and an expert, looked at by these rules for work that begins on `day`."""

    gig: GigFacts
    expert: ExpertFacts
    day: date
    rules: Rules

    @property
    def weights(self) -> Weights:
        return self.rules.weights


Criteria = Callable[[Pair], Iterator[Criterion]]


def explain(gig: GigFacts, expert: ExpertFacts, today: date | None = None, by: Rules | None = None) -> Match:
    """Match the two, by the rules in use unless others are given.

    Credentials are looked at on the gig's first day, or `today` if that has passed.
    """
    pair = Pair(gig, expert, max(gig.starts_on, today or gig.starts_on), by or rules.current())
    return Match(tuple(each for criteria in ALL for each in criteria(pair)), pair.rules.version)


def domain_points(nearness: Nearness, weight: int) -> int:
    """Of the weight for the domain."""
    return weight * NEARNESS_PERCENT[nearness] // 100


def least_hours(needed: int) -> int:
    """Hours a week that an expert must offer: half of what the gig would like, rounded up."""
    return -(-needed // 2)


# Hard: does it fit at all?


def standing(pair: Pair) -> Iterator[Criterion]:
    yield _hard(
        "standing", not pair.expert.suspended, {}, lambda: [Change(Who.SITE, {"suspended": False}, {})]
    )


def domain(pair: Pair) -> Iterator[Criterion]:
    gig, expert = pair.gig, pair.expert
    nearness, _known = _nearest(pair)
    fits = nearness is not Nearness.ELSEWHERE
    facts = {"domain": gig.domain, "have": list(expert.domains)}
    yield _hard("domain", fits, facts, lambda: [_learning(pair)])


def rate(pair: Pair) -> Iterator[Criterion]:
    gig, expert = pair.gig, pair.expert
    if gig.currency != expert.currency:
        yield _hard("rate", False, _rates(pair), lambda: [_asking(gig, gig.rate_max)])
        return
    yield _hard(
        "rate",
        expert.min_rate <= gig.rate_max,
        _rates(pair),
        lambda: [_asking(gig, gig.rate_max), _paying(gig, gig.rate_min, expert.min_rate)],
    )


def credentials(pair: Pair) -> Iterator[Criterion]:
    for asked in pair.gig.requirements:
        found = requirements.best(asked, pair.expert.credentials, pair.day)
        facts = {**requirements.facts(asked), "lack": found.lack, "day": pair.day.isoformat()}
        changes = () if found.passes else (_gaining(pair, asked, found, facts),)
        yield Criterion("credential", Kind.HARD, found.verdict, facts, changes)


def languages(pair: Pair) -> Iterator[Criterion]:
    have, need = pair.expert.languages, pair.gig.languages
    missing = tuple(each for each in need if each not in have)
    facts = {"languages": list(need), "missing": list(missing)}
    yield _hard(
        "languages",
        not missing,
        facts,
        lambda: [
            Change(Who.EXPERT, {"languages": (*have, *missing)}, facts),
            Change(Who.CLIENT, {"languages": tuple(each for each in need if each in have)}, facts),
        ],
    )


def country(pair: Pair) -> Iterator[Criterion]:
    place, allowed = pair.expert.country, pair.gig.countries
    facts = {"country": place, "countries": list(allowed)}
    fits = not allowed or place in allowed
    yield _hard("country", fits, facts, lambda: [Change(Who.CLIENT, {"countries": (*allowed, place)}, facts)])


def hours(pair: Pair) -> Iterator[Criterion]:
    offered, least = pair.expert.hours_per_week, least_hours(pair.gig.hours_per_week)
    facts = {"offered": offered, "least": least}
    yield _hard("hours", offered >= least, facts, lambda: _hours(least, 2 * offered))


def zone(pair: Pair) -> Iterator[Criterion]:
    """Of eight working hours at the client's, enough must be working hours at the expert's."""
    gig = pair.gig
    shared = zones.shared_hours(gig.time_zone, pair.expert.time_zone, pair.day)
    least = gig.shared_hours if gig.time_zone else 0
    facts = {"shared": shared, "least": least, "any": gig.time_zone is None}
    fewer = {"shared_hours": shared}
    yield _hard("zone", shared >= least, facts, lambda: [Change(Who.CLIENT, fewer, {"hours": shared})])


def conflict(pair: Pair) -> Iterator[Criterion]:
    client, held = pair.gig.client, pair.expert.conflicts
    yield _hard(
        "conflict",
        client not in held,
        {},
        lambda: [Change(Who.SITE, {"conflicts": tuple(each for each in held if each != client)}, {})],
    )


def data_use(pair: Pair) -> Iterator[Criterion]:
    """None of what the work is for is refused. Until the client has said, nobody knows."""
    uses, refused = pair.gig.uses, pair.expert.refusals
    clash = tuple(each for each in refused if uses is None or each in uses)
    facts = {"uses": None if uses is None else list(uses), "clash": list(clash)}
    left = () if uses is None else tuple(each for each in uses if each not in refused)
    changes = (
        Change(Who.EXPERT, {"refusals": tuple(each for each in refused if each not in clash)}, {}),
        Change(Who.CLIENT, {"uses": left}, {}),
    )
    verdict = Verdict.PASS if not clash else Verdict.UNKNOWN if uses is None else Verdict.FAIL
    yield Criterion("data_use", Kind.HARD, verdict, facts, changes if clash else ())


def places(pair: Pair) -> Iterator[Criterion]:
    left = pair.gig.headcount_left
    yield _hard("places", left > 0, {"left": left}, lambda: [Change(Who.CLIENT, {"headcount_left": 1}, {})])


def funds(pair: Pair) -> Iterator[Criterion]:
    yield _hard("funds", pair.gig.funded, {}, lambda: [Change(Who.CLIENT, {"funded": True}, {})])


# Soft: how well does it fit?


def domain_depth(pair: Pair) -> Iterator[Criterion]:
    (nearness, known), need, most = _nearest(pair), pair.gig.domain, pair.weights.domain
    whole = known is not None and known != need and known in pair.rules.tree.path(need)
    facts = {"domain": need, "nearness": nearness.name.lower(), "known": known, "whole": whole}
    points = domain_points(nearness, most)
    yield _soft("domain_depth", most, points, facts, lambda: [_learning(pair)])


def rate_fit(pair: Pair) -> Iterator[Criterion]:
    gig, expert, most = pair.gig, pair.expert, pair.weights.rate
    if gig.currency != expert.currency:
        yield _soft("rate_fit", most, 0, _rates(pair), lambda: [_asking(gig, gig.rate_min)])
        return
    wanted = expert.min_rate
    yield _soft(
        "rate_fit",
        most,
        rate_points(gig, wanted, most),
        _rates(pair),
        lambda: [_asking(gig, gig.rate_min), _paying(gig, wanted, wanted)],
    )


def rate_points(gig: GigFacts, min_rate: int, weight: int) -> int:
    """All of the weight up to the bottom of the band, none at its top, in proportion between."""
    if min_rate <= gig.rate_min:
        return weight
    if min_rate >= gig.rate_max:
        return 0
    return weight * (gig.rate_max - min_rate) // (gig.rate_max - gig.rate_min)


def availability(pair: Pair) -> Iterator[Criterion]:
    offered, liked, most = pair.expert.hours_per_week, pair.gig.hours_per_week, pair.weights.availability
    points = availability_points(liked, offered, most)
    facts = {"offered": offered, "liked": liked}
    yield _soft("availability", most, points, facts, lambda: _hours(liked, offered))


def availability_points(liked: int, offered: int, weight: int) -> int:
    """In proportion to the hours a week that the gig would like, all of them at most."""
    return weight * min(offered, liked) // liked if liked else weight


def skills(pair: Pair) -> Iterator[Criterion]:
    """In proportion to how many of the skills that the gig names the expert names too."""
    asked, named = pair.gig.skills, pair.expert.skills
    missing = tuple(each for each in asked if each not in named)
    most = pair.weights.skills
    points = skill_points(len(asked), len(asked) - len(missing), most)
    facts = {"asked": list(asked), "missing": list(missing)}
    yield _soft(
        "skills",
        most,
        points,
        facts,
        lambda: [
            Change(Who.EXPERT, {"skills": (*named, *missing)}, {"missing": list(missing)}),
            Change(Who.CLIENT, {"skills": tuple(each for each in asked if each in named)}, {}),
        ],
    )


def skill_points(asked: int, met: int, weight: int) -> int:
    """All of the weight when nothing is asked."""
    return weight * met // asked if asked else weight


def record(pair: Pair) -> Iterator[Criterion]:
    """Weeks approved as they were submitted, and tests passed, of all that were decided."""
    kept, most, grown = pair.expert.record, pair.weights.record, {"record": 100}
    points = most * known_record(kept) // WHOLE_RECORD
    yield _soft("record", most, points, {"record": kept}, lambda: [Change(Who.EXPERT, grown, {})])


def known_record(record: int | None) -> int:
    """Of 100, what counts for the weeks and tests that were decided."""
    return UNKNOWN_PERCENT if record is None else record


def response(pair: Pair) -> Iterator[Criterion]:
    """How soon invitations and offers are answered."""
    hours, most, sooner = pair.expert.response_hours, pair.weights.response, {"response_hours": PROMPT_HOURS}
    points = most * promptness(hours) // WHOLE_PROMPTNESS
    yield _soft("response", most, points, {"hours": hours}, lambda: [Change(Who.EXPERT, sooner, {})])


def promptness(hours: int | None) -> int:
    """Of 72: all within a day, none from four days on, an hour less for each between."""
    if hours is None:
        return WHOLE_PROMPTNESS * UNKNOWN_PERCENT // 100
    return WHOLE_PROMPTNESS - min(max(hours - PROMPT_HOURS, 0), WHOLE_PROMPTNESS)


def strength(record: int, prompt: int) -> int:
    """How strong an expert is for any gig whatever, about as the shipped weights see it.

    Only an order in which to look, by whatever weights (see `least_strength`): so that the weights can change
    and a million kept rows need not.
    """
    return 3 * record + 2 * prompt


@lru_cache(maxsize=200)
def least_strength(points: int, record_weight: int, response_weight: int) -> int:
    """Whoever has so many points for record and response by these weights has at least this strength."""
    # Each with the least of the one that gives its points, and of the other that gives what is missing.
    reached = (
        strength(-(-part * WHOLE_RECORD // record_weight) if part else 0, prompt)
        for part in range(min(points, record_weight) + 1)
        if (prompt := _prompt_for(points - part, response_weight)) is not None
    )
    return min(reached, default=strength(WHOLE_RECORD, WHOLE_PROMPTNESS) + 1)


def _prompt_for(points: int, weight: int) -> int | None:
    """The least promptness that gives so many points; None when none does."""
    if points <= 0:
        return 0
    return -(-points * WHOLE_PROMPTNESS // weight) if points <= weight else None


def base_points(expert: ExpertFacts, weights: Weights) -> int:
    """The points that the expert has for any gig whatever."""
    record, prompt = known_record(expert.record), promptness(expert.response_hours)
    return weights.record * record // WHOLE_RECORD + weights.response * prompt // WHOLE_PROMPTNESS


ALL: tuple[Criteria, ...] = (
    standing, domain, rate, credentials, languages, country, hours, zone, conflict, data_use, places, funds,
    domain_depth, rate_fit, skills, availability, record, response,
)  # fmt: skip


def _nearest(pair: Pair) -> tuple[Nearness, str | None]:
    return pair.rules.tree.nearest(pair.expert.domains, pair.gig.domain)


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


def _hours(more: int, fewer: int) -> list[Change]:
    """The expert offers more, or the gig asks for fewer, which cannot be none."""
    offered = Change(Who.EXPERT, {"hours_per_week": more}, {"hours": more})
    asked = [Change(Who.CLIENT, {"hours_per_week": fewer}, {"hours": fewer})] if fewer else []
    return [offered, *asked]


def _learning(pair: Pair) -> Change:
    need = pair.gig.domain
    return Change(Who.EXPERT, {"domains": (*pair.expert.domains, need)}, {"domain": need})


def _gaining(pair: Pair, asked: RequirementFact, found: Found, facts: dict[str, Any]) -> Change:
    who = Who.SITE if found.verdict is Verdict.UNKNOWN else Who.EXPERT
    shown = requirements.shown(asked, pair.day)
    return Change(who, {"credentials": (*pair.expert.credentials, shown)}, facts)


# What would mend a criterion is worked out only where it falls short: of the best, few do.
Mend = Callable[[], list[Change]]


def _hard(code: str, passes: bool, facts: dict[str, Any], mend: Mend) -> Criterion:
    verdict = Verdict.PASS if passes else Verdict.FAIL
    return Criterion(code, Kind.HARD, verdict, facts, () if passes else tuple(mend()))


def _soft(code: str, most: int, points: int, facts: dict[str, Any], mend: Mend) -> Criterion:
    verdict = Verdict.PASS if points == most else Verdict.FAIL
    changes = () if points == most else tuple(mend())
    return Criterion(code, Kind.SOFT, verdict, facts, changes, most, points)
