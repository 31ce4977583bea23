"""A crowd of experts and gigs to match at scale: as uneven as people are, and the same for every run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import chain, islice
from random import Random

import psycopg

from marketplace import bulk
from marketplace.matching import domains, projections
from marketplace.matching.facts import CredentialFact, ExpertFacts, GigFacts, RequirementFact
from marketplace.matching.skills import key

DAY = date(2027, 1, 4)
SKILLS = [f"skill {n}" for n in range(400)]
NUMBERS = {key(skill): n for n, skill in enumerate(SKILLS, 1)}
PLACES = ("US", "US", "US", "US", "GB", "IN", "DE", "CA", "BR", "NG", "PH", "FR")
ZONES = ("America/New_York", "America/Los_Angeles", "Europe/London", "Asia/Kolkata", "Europe/Berlin")
LANGUAGES = ("es", "de", "fr", "pt", "hi", "zh", "ar", "ja")
STATES = ("US-CA", "US-TX", "US-NY", "US-FL", "US-IL", "US-OH")
CHECKS = {"medicine": ("us_medical_license", STATES), "law": ("us_bar", STATES)}
BATCH = 20_000
UNTIL = date(2030, 12, 31)


def experts(number: int) -> Iterator[ExpertFacts]:
    """So many of them."""
    dice = Random(11)
    by_group = {group: _codes(group, dice) for group in domains.groups()}
    for person_id in range(1, number + 1):
        group = dice.choice(domains.groups())
        known = tuple(dict.fromkeys(_uneven(dice, by_group[group]) for _ in range(dice.randint(1, 3))))
        yield ExpertFacts(
            person_id=person_id,
            domains=known,
            min_rate=500 * round(min(50, max(9, dice.lognormvariate(3, 0.4)))),
            currency="USD" if dice.random() < 0.9 else "EUR",
            country=dice.choice(PLACES),
            time_zone=dice.choice(ZONES),
            languages=("en", *dice.sample(LANGUAGES, dice.randint(0, 2))),
            hours_per_week=dice.choice((5, 8, 10, 10, 15, 20, 20, 25, 30, 40)),
            credentials=tuple(_credentials(group, dice)),
            suspended=dice.random() < 0.01,
            skills=tuple(dict.fromkeys(_uneven(dice, SKILLS) for _ in range(5))),
            record=None if dice.random() < 0.6 else min(100, round(dice.triangular(60, 101, 98))),
            response_hours=None if dice.random() < 0.5 else round(dice.expovariate(1 / 20)),
        )


def gigs(number: int) -> Iterator[GigFacts]:
    """So many of them, all open."""
    dice = Random(12)
    by_group = {group: _codes(group, dice) for group in domains.groups()}
    for gig_id in range(1, number + 1):
        group = dice.choice(domains.groups())
        low = 500 * dice.randint(9, 30)
        asks = group in CHECKS and dice.random() < 0.5
        yield GigFacts(
            gig_id=gig_id,
            domain=group if dice.random() < 0.03 else _uneven(dice, by_group[group]),
            rate_min=low,
            rate_max=low + 500 * dice.randint(0, 12),
            currency="USD" if dice.random() < 0.9 else "EUR",
            hours_per_week=dice.choice((5, 10, 10, 20, 20, 30)),
            languages=("en",) if dice.random() < 0.8 else ("en", dice.choice(LANGUAGES)),
            countries=() if dice.random() < 0.6 else ("US", "CA"),
            starts_on=DAY + timedelta(days=dice.randint(0, 40)),
            requirements=(_requirement(group, dice),) if asks else (),
            skills=tuple(dict.fromkeys(_uneven(dice, SKILLS) for _ in range(dice.choice((0, 0, 2, 4))))),
            client=dice.randint(1, 5_000),
        )


def expert_rows(number: int) -> Iterator[dict[str, str]]:
    """The same experts as a file tells of them."""
    for each in experts(number):
        yield {
            "external_id": f"E-{each.person_id}",
            "name": f"Expert Number {each.person_id}",
            "email": f"expert{each.person_id}@crowd.example",
            "country": each.country,
            "time_zone": each.time_zone,
            "languages": ";".join(each.languages),
            "domains": ";".join(each.domains),
            "skills": ";".join(each.skills),
            "min_rate": f"{each.min_rate / 100:.2f}",
            "currency": each.currency,
            "hours_per_week": str(each.hours_per_week),
            "headline": f"{len(each.skills)} skills, {each.hours_per_week} hours a week",
            "credentials": ";".join(_claim(each.person_id, held) for held in each.credentials),
        }


def gig_rows(number: int) -> Iterator[dict[str, str]]:
    """The same gigs as a file tells of them."""
    for each in gigs(number):
        yield {
            "external_id": f"G-{each.gig_id}",
            "client": f"Client {each.client % 200}",
            "project": f"Project {each.gig_id % 3} in {each.currency}",
            "title": f"Review answers, part {each.gig_id}",
            "domain": each.domain,
            "task_kind": "review",
            "description": "Read each answer beside its sources, mark what is wrong, and say why.",
            "required_credentials": ";".join(_asked(needed) for needed in each.requirements),
            "languages": ";".join(each.languages),
            "countries": ";".join(each.countries),
            "rate_min": f"{each.rate_min / 100:.2f}",
            "rate_max": f"{each.rate_max / 100:.2f}",
            "currency": each.currency,
            "hours_per_week": str(each.hours_per_week),
            "headcount": "5",
            "starts": each.starts_on.isoformat(),
            "ends": "",
        }


def _asked(needed: RequirementFact) -> str:
    return f"{needed.type}:{needed.jurisdiction or ''}:{needed.level}:{needed.max_age_days or ''}"


def _claim(person_id: int, held: CredentialFact) -> str:
    until = max(held.valid_to or UNTIL, UNTIL).isoformat() if held.type != "degree" else ""
    number = f"A {person_id:06}" if held.type != "degree" else f"Degree {person_id}"
    return f"{held.type}:{held.jurisdiction or ''}:{number}:{until}"


def fill(url: str, experts_wanted: int, gigs_wanted: int) -> None:
    """Write them into the tables of matching, in bulk."""
    with psycopg.connect(url) as connection:
        _copy(connection, "match_skills", iter([{"id": n, "name": name} for name, n in NUMBERS.items()]))
        people = experts(experts_wanted)
        while batch := list(islice(people, BATCH)):
            _copy(connection, "match_experts", map(projections.expert_row, batch))
            _copy(
                connection,
                "match_credentials",
                (projections.credential_row(each, held) for each in batch for held in each.credentials),
            )
            rows = (row for each in batch for row in projections.domain_rows(each, NUMBERS))
            _copy(connection, "match_expert_domains", rows)
        _copy(connection, "match_gigs", (_gig_row(gig) for gig in gigs(gigs_wanted)))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _gig_row(gig: GigFacts) -> dict[str, object]:
    return projections.gig_row(gig, NUMBERS, open=True)


def _copy(connection: psycopg.Connection, table: str, rows: Iterator[dict[str, object]]) -> None:
    first = next(rows, None)
    if first is None:
        return
    with connection.cursor().copy(bulk.into(table, first)) as file:
        for text in bulk.lines(chain((first,), rows)):
            file.write(text)


def _codes(group: str, dice: Random) -> list[str]:
    codes = [each.code for each in domains.occupations(group)]
    return dice.sample(codes, len(codes))


def _uneven(dice: Random, among: list[str]) -> str:
    """The first much more often than the last."""
    return among[int(len(among) * dice.random() ** 2.5)]


def _credentials(group: str, dice: Random) -> Iterator[CredentialFact]:
    if group in CHECKS and dice.random() < 0.7:
        type, places = CHECKS[group]
        looked = DAY - timedelta(days=dice.randint(1, 500))
        until = None if dice.random() < 0.2 else DAY + timedelta(days=dice.randint(-100, 700))
        yield CredentialFact(type, dice.choice(places), dice.choice((1, 2, 3, 4, 4)), looked, until, looked)
    if dice.random() < 0.3:
        looked = DAY - timedelta(days=dice.randint(1, 900))
        yield CredentialFact("degree", None, dice.choice((2, 3)), looked, None, looked)


def _requirement(group: str, dice: Random) -> RequirementFact:
    type, places = CHECKS[group]
    return RequirementFact(
        type, dice.choice((None, *places)), dice.choice((2, 3, 4)), dice.choice((None, 365))
    )
