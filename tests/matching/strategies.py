"""Gigs and experts of every kind, for properties that must hold for all of them."""

from datetime import date, timedelta

from hypothesis import strategies as st

from marketplace.matching import domains
from marketplace.matching.facts import CredentialFact, ExpertFacts, GigFacts, RequirementFact
from marketplace.matching.uses import Use

DAY = date(2026, 11, 2)
CURRENCIES = st.sampled_from(("USD", "USD", "EUR"))
ZONES = st.sampled_from(("America/New_York", "Europe/London", "Asia/Kolkata", "Pacific/Auckland"))
LANGUAGES = st.lists(st.sampled_from(("en", "de", "fr", "es")), unique=True, max_size=3).map(tuple)
COUNTRIES = st.sampled_from(("US", "GB", "DE", "IN"))
SKILLS = st.lists(st.sampled_from(("editing", "latex", "sql", "triage")), unique=True, max_size=4).map(tuple)
CLIENTS = st.integers(1, 5)
USES = st.lists(st.sampled_from(Use), unique=True, max_size=2).map(lambda uses: tuple(map(str, uses)))
CODES = st.sampled_from(domains.codes())
TYPES = st.sampled_from(("us_medical_license", "us_npi", "degree"))
PLACES = st.sampled_from((None, "US-CA", "US-NY"))
DAYS = st.integers(-400, 400).map(lambda n: DAY + timedelta(days=n))

credentials = st.builds(
    CredentialFact,
    type=TYPES,
    jurisdiction=PLACES,
    level=st.sampled_from((0, 1, 2, 3, 4)),
    valid_from=DAYS,
    valid_to=st.none() | DAYS,
    checked_on=DAYS,
)
requirements = st.builds(
    RequirementFact,
    type=TYPES,
    jurisdiction=PLACES,
    level=st.integers(2, 4),
    max_age_days=st.none() | st.integers(30, 365),
)


def experts(person_id: int = 1) -> st.SearchStrategy[ExpertFacts]:
    return st.builds(
        ExpertFacts,
        person_id=st.just(person_id),
        domains=st.lists(CODES, unique=True, max_size=4).map(tuple),
        min_rate=st.integers(4_500, 25_000),
        currency=CURRENCIES,
        country=COUNTRIES,
        time_zone=ZONES,
        languages=LANGUAGES,
        hours_per_week=st.integers(0, 60),
        credentials=st.lists(credentials, max_size=4).map(tuple),
        suspended=st.booleans(),
        skills=SKILLS,
        record=st.none() | st.integers(0, 100),
        response_hours=st.none() | st.integers(0, 200),
        conflicts=st.lists(CLIENTS, unique=True, max_size=2).map(tuple),
        refusals=USES,
    )


def named(asked: RequirementFact) -> tuple[str, str | None]:
    """No gig asks for the same credential twice, which the database keeps."""
    return asked.type, asked.jurisdiction


@st.composite
def gigs(draw: st.DrawFn) -> GigFacts:
    low = draw(st.integers(4_500, 20_000))
    return GigFacts(
        gig_id=1,
        domain=draw(CODES),
        rate_min=low,
        rate_max=low + draw(st.integers(0, 8_000)),
        currency=draw(CURRENCIES),
        hours_per_week=draw(st.integers(1, 45)),
        languages=draw(LANGUAGES),
        countries=draw(st.lists(COUNTRIES, unique=True, max_size=2).map(tuple)),
        starts_on=DAY,
        requirements=draw(st.lists(requirements, max_size=3, unique_by=named).map(tuple)),
        headcount_left=draw(st.integers(0, 3)),
        funded=draw(st.booleans()),
        time_zone=draw(st.none() | ZONES),
        shared_hours=draw(st.integers(0, 8)),
        skills=draw(SKILLS),
        client=draw(CLIENTS),
        uses=draw(st.none() | USES),
    )
