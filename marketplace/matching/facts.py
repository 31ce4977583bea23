"""What a match is made from: plain values, and nothing that says who somebody is.

There is no name, sex, age or picture here, so no criterion can look at one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True)
class CredentialFact:
    """One credential as it stands. `level` 2 or more counts; 0 and 1 wait for a reviewer.

    `valid_to` is the last day on which it counts, None when it does not end; `checked_on` the day of the
    newest check.
    """

    type: str
    jurisdiction: str | None
    level: int
    valid_from: date
    valid_to: date | None
    checked_on: date


@dataclass(frozen=True)
class RequirementFact:
    """A credential that a gig asks for: at least `level`, checked at most `max_age_days` before the start."""

    type: str
    jurisdiction: str | None
    level: int
    max_age_days: int | None


@dataclass(frozen=True)
class ExpertFacts:
    """An expert. `domains` are codes of the tree in use; `min_rate` is minor units of `currency` an hour.

    `skills` are names as `skills.key` writes them. `record` is how many in a hundred of the weeks and tests
    decided were approved without being returned, or passed, `response_hours` how long an invitation or an
    offer waits for an answer; None where nobody knows yet. `conflicts` are the clients (internal ids of
    organizations) for whom the expert cannot work, `refusals` the uses of work (see `uses.Use`) that they
    take no part in.
    """

    person_id: int
    domains: tuple[str, ...]
    min_rate: int
    currency: str
    country: str
    time_zone: str
    languages: tuple[str, ...]
    hours_per_week: int
    credentials: tuple[CredentialFact, ...] = ()
    suspended: bool = False
    skills: tuple[str, ...] = ()
    record: int | None = None
    response_hours: int | None = None
    conflicts: tuple[int, ...] = ()
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True)
class GigFacts:
    """A gig. Rates are minor units of `currency` an hour; `countries` empty means any.

    `funded`: is money left to reserve for one more expert? `time_zone` is where the client works and
    `shared_hours` how many working hours a day must be the expert's too; None when the gig does not care.
    `client` is the organization's internal id. `uses` are those that some refuse (see `uses.Use`), None when
    the client has not said.
    """

    gig_id: int
    domain: str
    rate_min: int
    rate_max: int
    currency: str
    hours_per_week: int
    languages: tuple[str, ...]
    countries: tuple[str, ...]
    starts_on: date
    requirements: tuple[RequirementFact, ...] = ()
    headcount_left: int = 1
    funded: bool = True
    time_zone: str | None = None
    shared_hours: int = 0
    skills: tuple[str, ...] = ()
    client: int = 0
    uses: tuple[str, ...] | None = ()


def to_json(facts: GigFacts) -> dict[str, Any]:
    """The facts as JSON keeps them: tuples as lists, days as ISO 8601."""
    return {name: _plain(value) for name, value in asdict(facts).items()}


def gig_from_json(kept: dict[str, Any]) -> GigFacts:
    """What `to_json` was given."""
    requirements = tuple(RequirementFact(**each) for each in kept["requirements"])
    lists = {name: tuple(kept[name]) for name in ("languages", "countries", "skills")}
    uses = None if kept["uses"] is None else tuple(kept["uses"])
    starts_on = date.fromisoformat(kept["starts_on"])
    return GigFacts(**{**kept, **lists, "requirements": requirements, "starts_on": starts_on, "uses": uses})


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value
