"""The hard criteria and the score as SQL over a row `r` of `match_expert_domains`, as `criteria` says them.

Written as SQL, since every column, bound and index here is a matter of speed: docs/decisions/ranking.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from typing import Any
from zoneinfo import available_timezones

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.matching import bits, rules, skills, steps, uses, zones
from marketplace.matching.criteria import WHOLE_PROMPTNESS, WHOLE_RECORD, least_hours
from marketplace.matching.facts import GigFacts

Values = dict[str, Any]

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
# As `requirements.lack` says it.
COUNTS = """c.type = :type_{n} AND c.level >= greatest(:level_{n}, 2)
        AND (CAST(:jurisdiction_{n} AS text) IS NULL OR c.jurisdiction = :jurisdiction_{n})
        AND c.valid_from <= :day AND (c.valid_to IS NULL OR c.valid_to >= :day)
        AND (CAST(:max_age_days_{n} AS integer) IS NULL OR c.checked_on + :max_age_days_{n} >= :day)"""
# Only asked of those whose bits allow it.
HELD = f"EXISTS (SELECT FROM match_credentials c WHERE c.person_id = r.person_id AND {COUNTS})"
IN_ZONE = """EXISTS (SELECT FROM match_experts e WHERE e.person_id = r.person_id
        AND e.time_zone = ANY (:zones))"""
# `near` has the market and the points for its domain. Taken to be TRUE as a whole, the quick conditions are
# asked in the order in which they stand: the planner would ask for the country, which takes longest, before
# the bits. Fenced in, each is looked up in the index: the planner would at times rather read the whole table.
EXPERTS = f"""
    SELECT r.person_id, {CHEAP} + {{skills}} AS score FROM match_expert_domains r
    WHERE r.market = near.market AND {{part}} AND ({{quick}}) IS TRUE {{slow}}
    OFFSET 0
"""  # noqa: S608 (constants of our own; values are bound)


@dataclass
class Asked:
    """What a gig asks of experts. `telling` are conditions on bits and numbers, `quick` what else a row
    tells, `slow` what other tables do."""

    telling: list[str] = field(default_factory=list)
    quick: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    values: Values = field(default_factory=dict)
    skilled: Sequence[str] = ()
    # The points for skills; and by their bits, which may be too many, and never too few.
    skills: str = ":for_skills"
    skills_at_most: str = ":for_skills"

    def experts(self, part: str) -> str:
        """A select of `person_id` and `score` of those who fit, in a `part` of the index."""
        return self._select(part, [*self.telling, *self.quick])

    def experts_reaching(self, part: str) -> str:
        """The same, of those who may have the score `least`. Where `near.skilled`, nobody reaches it without
        any of the skills."""
        enough = f"{CHEAP} + {self.skills_at_most} >= :least"
        return self._select(part, [*self.skilled, *self.telling, enough, *self.quick])

    def _select(self, part: str, quick: Sequence[str]) -> str:
        slow = "".join(f"AND {each} " for each in self.slow)
        return EXPERTS.format(skills=self.skills, part=part, quick=" AND ".join(quick), slow=slow)


def asked(session: Session, gig: GigFacts, day: date) -> Asked:
    """What it asks of experts for work that begins on this day."""
    found = Asked()
    found.values = {
        "rate_min": gig.rate_min,
        "rate_max": gig.rate_max,
        "top_step": steps.step(gig.rate_max),
        "hours": gig.hours_per_week,
        "least_hours": least_hours(gig.hours_per_week),
        "languages": bits.languages(gig.languages),
        **_weights(),
    }
    _credentials(found, gig, day)
    found.telling += [
        "r.language_bits & :languages = :languages",
        "r.hours_per_week >= :least_hours",
        "r.min_rate <= :rate_max",
    ]
    if gig.uses is None or gig.uses:
        found.telling.append("r.refusal_bits & :uses = 0")
        found.values["uses"] = uses.bits(gig.uses)
    if gig.countries:
        found.quick.append("r.country = ANY (CAST(:countries AS char(2)[]))")
        found.values["countries"] = list(gig.countries)
    if not_these := barred(session, gig.client):
        found.quick.append("r.person_id <> ALL (CAST(:barred AS bigint[]))")
        found.values["barred"] = not_these
    if gig.time_zone and gig.shared_hours:
        found.slow.append(IN_ZONE)
        found.values["zones"] = zones_within(gig.time_zone, gig.shared_hours, day)
    if gig.skills:
        _skills(found, session, gig)
    return found


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


def _credentials(found: Asked, gig: GigFacts, day: date) -> None:
    if not gig.requirements:
        return
    found.telling += ["r.credential_bits & :credentials = :credentials", "r.counts_until >= :day"]
    found.values |= {"credentials": bits.asked(gig.requirements), "day": day}
    for number, needed in enumerate(gig.requirements):
        found.slow.append(HELD.format(n=number))
        found.values |= {f"{name}_{number}": value for name, value in vars(needed).items()}


def _skills(found: Asked, session: Session, gig: GigFacts) -> None:
    """Each skill is asked for alone, which is quicker than a subquery."""
    numbers = list(skills.find(session, gig.skills).values())
    named = [f"(CAST(:skill_{n} AS integer) = ANY (r.skills))::integer" for n in range(len(numbers))]
    by_bits = [f"(r.skill_bits & :bit_{n} <> 0)::integer" for n in range(len(numbers))]
    found.skills, found.skills_at_most = (
        f":for_skills * ({' + '.join(met) or '0'}) / {len(gig.skills)}" for met in (named, by_bits)
    )
    found.values |= {f"skill_{n}": number for n, number in enumerate(numbers)}
    found.values |= {f"bit_{n}": bits.skills((number,)) for n, number in enumerate(numbers)}
    found.values["skill_bits"] = bits.skills(numbers)
    found.skilled = ("(NOT near.skilled OR r.skill_bits & :skill_bits <> 0)",)


def _weights() -> Values:
    """The weights for what is scored in the database."""
    weights = rules.current().weights
    return {f"for_{name}": getattr(weights, name) for name in rules.WEIGHTS if name != "domain"}


@lru_cache(maxsize=500)
def _text(query: str) -> sa.TextClause:
    """Read once: the statements are long, and of few forms."""
    return sa.text(query)


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))
