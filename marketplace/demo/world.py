"""The demo's world, drawn from a seed: who there is, what they ask, what companies need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from stdnum import luhn

from marketplace.credentials import checks, types
from marketplace.demo.cast import LUMEN
from marketplace.demo.names import CLIENTS, PLACES, WEIGHTS, a_name
from marketplace.demo.templates import DATA_USE, GROUPS, GUIDELINES, Use, Work
from marketplace.matching import domains
from marketplace.matching.tree import Domain, Wage

DOLLAR = 100
LOWEST, HIGHEST = 45 * DOLLAR, 250 * DOLLAR
BEN, CARLA = "ben@demo.example", "carla@demo.example"
# What Lumen Labs did before the walk begins.
LUMEN_PROJECT = "Clause by clause"
ASKED = "Which kinds of leases have you read most, and for whom?"
LUMEN_TESTED, TESTED_IN = "Check what a model says of leases", 11


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
    """A gig. `week` counts from the first of the history; rates are cents of a dollar an hour.

    Of the places `left` stay open; whoever is `asked` comes before the best matches.
    """

    title: str
    domain: str
    task_kind: str
    description: str
    guidelines: str
    data_use: Use
    questions: tuple[str, ...]
    rate_min: int
    rate_max: int
    hours_per_week: int
    headcount: int
    countries: tuple[str, ...]
    requirement: tuple[str, str | None] | None
    week: int
    left: int = 0
    asked: tuple[str, ...] = ()


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

    def admin(self, client: int) -> str:
        """The address of whoever speaks for that client: Carla for Lumen Labs."""
        return CARLA if self.clients[client] == LUMEN else f"admin{client:02d}@example.com"


def draw(seed: int, *, experts: int = 2_000, projects: int = 60, gigs: int = 180, weeks: int = 12) -> World:
    """The same seed draws the same world."""
    chance = Random(seed)  # noqa: S311 (a made-up world needs no secrecy)
    return World(
        clients=(*CLIENTS, LUMEN),
        experts=tuple(_expert(chance, number) for number in range(1, experts + 1)),
        projects=(_lumen(), *_projects(chance, projects - 1, gigs - 3, weeks)),
    )


def _lumen() -> ProjectPlan:
    """Ben read contracts for Lumen Labs until his licence ran out; others still do."""
    return ProjectPlan(
        client=len(CLIENTS),
        name=LUMEN_PROJECT,
        summary="Contracts read by lawyers, so that a model says what is missing from them.",
        week=0,
        by_card=True,
        # For the last of them a paid test comes first.
        gigs=(
            _lumen_gig("critique", "Say what is missing from a contract", "23-1011", 2, licensed=True),
            _lumen_gig("rewrite", "Rewrite summaries that a founder can act on", "law", 3, licensed=False),
            replace(_lumen_gig("fact_check", LUMEN_TESTED, "law", 3, licensed=False), week=TESTED_IN, left=3),
        ),
    )


def _lumen_gig(kind: str, title: str, domain: str, headcount: int, *, licensed: bool) -> GigPlan:
    return GigPlan(
        title=title,
        domain=domain,
        task_kind=kind,
        description="Ten contracts a week of two to six pages, each with an answer of the model beside it.",
        guidelines=GUIDELINES[kind],
        data_use=DATA_USE[0],
        questions=() if licensed else (ASKED,),
        rate_min=90 * DOLLAR,
        rate_max=140 * DOLLAR,
        hours_per_week=8,
        headcount=headcount,
        countries=("US",),
        requirement=("us_bar", None) if licensed else None,
        week=0 if licensed else 4,
        left=0 if licensed else 1,
        asked=(BEN,) if licensed else (),
    )


def _expert(chance: Random, number: int) -> ExpertPlan:
    country = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    zones, languages, _first, _last = PLACES[country]
    group = chance.choice(domains.groups())
    occupation, wage = _occupation(chance, group)
    work = GROUPS[group]
    return ExpertPlan(
        number=number,
        name=a_name(chance, country),
        country=country,
        time_zone=chance.choice(zones),
        group=group,
        domains=(occupation.code,),
        skills=tuple(sorted(chance.sample(work.skills, k=3))),
        languages=languages,
        min_rate=_rate(int(wage.median * chance.uniform(0.9, 1.5))),
        hours_per_week=chance.choice((5, 8, 10, 10, 15, 20)),
        headline=f"{one_of(occupation.title)}, {chance.randint(4, 28)} years in practice",
        about=chance.choice(work.about),
        claim=_claim(chance, _credential(work, occupation, country), number),
    )


def _occupation(chance: Random, group: str) -> tuple[Domain, Wage]:
    return chance.choice([(each, each.wage) for each in domains.occupations(group) if each.wage])


def _credential(work: Work, occupation: Domain, country: str) -> tuple[str, tuple[str, ...]] | None:
    """What those of this occupation hold in this country, if it is licensed there: its type and places."""
    path = domains.tree().path(occupation.code)
    return next((work.credentials[code].get(country) for code in path if code in work.credentials), None)


def _claim(chance: Random, credential: tuple[str, tuple[str, ...]] | None, number: int) -> Claim | None:
    """Four in five of those whose profession is licensed claim it; a few claims are about to lapse."""
    if credential is None or chance.random() < 0.2:
        return None
    type_, places = credential
    months = chance.choice((1, 6, 9, 14, 20, 26)) if types.TYPES[type_].expires else None
    return Claim(type_, chance.choice(places), _identifier(type_, number), months)


def _identifier(type_: str, number: int) -> str:
    if type_ != "us_npi":
        return str(1_000_000 + number * 37)
    bare = f"1{number * 37:08d}"
    return bare + str(luhn.calc_check_digit(checks.NPI_PREFIX + bare))


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
    occupation, wage = _occupation(chance, group)
    kind, title, description = chance.choice(work.gigs)
    rate = _rate(int(wage.median * chance.uniform(1.2, 1.8)))
    licensed = _credential(work, occupation, "US") if chance.random() < work.licensed else None
    # Whoever looks around finds about half of the gigs still looking for somebody.
    hired, left = chance.choice((1, 1, 1, 2)), chance.choice((0, 0, 1, 2))
    return GigPlan(
        title=title.format(field=occupation.title.lower()),
        domain=chance.choice((group, occupation.code, occupation.code)),
        task_kind=kind,
        description=description,
        guidelines=GUIDELINES[kind],
        data_use=chance.choice(DATA_USE),
        questions=(),
        rate_min=max(LOWEST, rate * 7 // 10 // DOLLAR * DOLLAR),
        rate_max=rate,
        hours_per_week=chance.choice((5, 5, 8, 10)),
        headcount=hired + left,
        countries=("US",) if licensed else (),
        requirement=(licensed[0], None) if licensed else None,
        week=week,
        left=left,
    )


def _rate(cents: int) -> int:
    """Within what experts are paid here, in whole dollars."""
    return min(max(cents, LOWEST), HIGHEST) // DOLLAR * DOLLAR


def one_of(title: str) -> str:
    """One of those whom a title names: `Film and video editor`, `Producer and director`."""
    whole = title.split(",", maxsplit=1)[0]
    return " and ".join(_singular(each) for each in whole.split(" and ")).capitalize()


def _singular(words: str) -> str:
    return words[:-3] + "y" if words.endswith("ies") else words.removesuffix("s")
