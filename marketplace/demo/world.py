"""The demo's world, drawn from a seed: who there is, what they ask, what companies need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from marketplace.demo.names import CLIENTS, PLACES, WEIGHTS
from marketplace.demo.templates import DATA_USE, GROUPS, GUIDELINES, Work
from marketplace.matching import domains

DOLLAR = 100
LOWEST, HIGHEST = 45 * DOLLAR, 250 * DOLLAR


@dataclass(frozen=True)
class Claim:
    """A credential that an expert claims. `months_left` until it lapses, None when it does not."""

    type: str
    jurisdiction: str
    identifier: str
    months_left: int | None


@dataclass(frozen=True)
class ExpertPlan:
    """An expert. Rates are cents of a dollar an hour."""

    number: int
    name: str
    country: str
    time_zone: str
    group: str
    domains: tuple[str, ...]
    skills: tuple[str, ...]
    languages: tuple[str, ...]
    min_rate: int
    hours_per_week: int
    headline: str
    about: str
    claim: Claim | None

    @property
    def email(self) -> str:
        return f"expert{self.number:04d}@example.com"


@dataclass(frozen=True)
class GigPlan:
    """A gig. `week` counts from the first of the history; rates are cents of a dollar an hour."""

    title: str
    domain: str
    task_kind: str
    description: str
    guidelines: str
    data_use: str
    rate_min: int
    rate_max: int
    hours_per_week: int
    headcount: int
    countries: tuple[str, ...]
    requirement: tuple[str, str | None] | None
    week: int


@dataclass(frozen=True)
class ProjectPlan:
    """A project of the client with that number, and its gigs."""

    client: int
    name: str
    summary: str
    week: int
    by_card: bool
    gigs: tuple[GigPlan, ...]


@dataclass(frozen=True)
class World:
    """Everything that the history plays out."""

    clients: tuple[str, ...]
    experts: tuple[ExpertPlan, ...]
    projects: tuple[ProjectPlan, ...]


def draw(seed: int, *, experts: int = 2_000, projects: int = 60, gigs: int = 180, weeks: int = 12) -> World:
    """The same seed draws the same world."""
    chance = Random(seed)  # noqa: S311 (a made-up world needs no secrecy)
    return World(
        clients=CLIENTS,
        experts=tuple(_expert(chance, number) for number in range(1, experts + 1)),
        projects=tuple(_projects(chance, projects, gigs, weeks)),
    )


def _expert(chance: Random, number: int) -> ExpertPlan:
    country = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    zones, languages, first, last = PLACES[country]
    group = chance.choice(domains.groups())
    occupation = chance.choice([each for each in domains.occupations().values() if each.group == group])
    work = GROUPS[group]
    return ExpertPlan(
        number=number,
        name=f"{chance.choice(first.split())} {chance.choice(last.split())}",
        country=country,
        time_zone=chance.choice(zones),
        group=group,
        domains=(occupation.code,),
        skills=tuple(sorted(chance.sample(work.skills, k=3))),
        languages=languages,
        min_rate=_rate(int(occupation.median * chance.uniform(0.9, 1.5))),
        hours_per_week=chance.choice((5, 8, 10, 10, 15, 20)),
        headline=f"{_singular(occupation.title)}, {chance.randint(4, 28)} years in practice",
        about=chance.choice(work.about),
        claim=_claim(chance, work, country, number),
    )


def _claim(chance: Random, work: Work, country: str, number: int) -> Claim | None:
    """Four in five of those whose profession is licensed here claim it; a few claims are about to lapse."""
    kind = work.credentials.get(country)
    if kind is None or chance.random() < 0.2:
        return None
    type_, places = kind
    months = chance.choice((1, 6, 9, 14, 20, 26)) if type_ != "degree" else None
    return Claim(type_, chance.choice(places), str(1_000_000 + number * 37), months)


def _projects(chance: Random, projects: int, gigs: int, weeks: int) -> Iterator[ProjectPlan]:
    shares = [gigs // projects + (n < gigs % projects) for n in range(projects)]
    for number, share in enumerate(shares):
        group = domains.groups()[number % len(domains.groups())]
        work = GROUPS[group]
        name, summary = work.projects[number // len(domains.groups()) % len(work.projects)]
        week = min(number * (weeks - 3) // projects, weeks - 3)
        yield ProjectPlan(
            client=number % len(CLIENTS),
            name=name,
            summary=summary,
            week=week,
            by_card=chance.random() < 0.7,
            gigs=tuple(_gig(chance, group, work, min(week + n, weeks - 2)) for n in range(share)),
        )


def _gig(chance: Random, group: str, work: Work, week: int) -> GigPlan:
    occupation = chance.choice([each for each in domains.occupations().values() if each.group == group])
    kind, title, description = chance.choice(work.gigs)
    rate = _rate(int(occupation.median * chance.uniform(1.2, 1.8)))
    licensed = work.credentials.get("US") if chance.random() < work.licensed else None
    return GigPlan(
        title=title.format(field=occupation.title.lower()),
        domain=chance.choice((group, occupation.code, occupation.code)),
        task_kind=kind,
        description=description,
        guidelines=GUIDELINES[kind],
        data_use=chance.choice(DATA_USE),
        rate_min=max(LOWEST, rate * 7 // 10 // DOLLAR * DOLLAR),
        rate_max=rate,
        hours_per_week=chance.choice((5, 5, 8, 10)),
        headcount=chance.choice((1, 1, 2, 2)),
        countries=("US",) if licensed else (),
        requirement=(licensed[0], None) if licensed else None,
        week=week,
    )


def _rate(cents: int) -> int:
    """Within what experts are paid here, in whole dollars."""
    return min(max(cents, LOWEST), HIGHEST) // DOLLAR * DOLLAR


def _singular(title: str) -> str:
    head = title.split(",", maxsplit=1)[0].split(" and ", maxsplit=1)[0]
    return head[:-3] + "y" if head.endswith("ies") else head.removesuffix("s")
