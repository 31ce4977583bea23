"""What a client is told while writing: how many fit, and exactly how many more each change would bring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace.matching import bits, counting, domains, projections
from marketplace.matching.counting import DEAREST, Gain, Sought
from marketplace.matching.criteria import explain
from marketplace.matching.facts import CredentialFact, ExpertFacts, GigFacts, RequirementFact
from tests.matching.strategies import DAY, credentials, experts, gigs, named, requirements
from tests.matching.test_criteria import ANA, GIG


def fitting(gig: GigFacts, people: list[ExpertFacts]) -> int:
    """By hand: everybody is looked at. Places and funds are no matter of who fits."""
    open_gig = replace(gig, headcount_left=1, funded=True)
    return sum(explain(open_gig, expert, DAY).eligible for expert in people)


def relaxed(gig: GigFacts, gain: Gain) -> GigFacts:
    """The gig as it would be, with this alone changed."""
    without = {
        "rate": {"rate_max": gain.value},
        "hours": {"hours_per_week": gain.value},
        "country": {"countries": ()},
        "zone": {"shared_hours": 0},
        "data_use": {"uses": ()},
        "language": {"languages": tuple(each for each in gig.languages if each != gain.value)},
        "credential": {"requirements": tuple(each for each in gig.requirements if each != gain.value)},
        "level": {"requirements": asking_less(gig, gain, lambda each: replace(each, level=each.level - 1))},
        "age": {"requirements": asking_less(gig, gain, lambda each: replace(each, max_age_days=None))},
    }
    return replace(gig, **without[gain.code])


def asking_less(
    gig: GigFacts, gain: Gain, less: Callable[[RequirementFact], RequirementFact]
) -> tuple[RequirementFact, ...]:
    return tuple(less(each) if each == gain.value else each for each in gig.requirements)


def put(session: Session, people: list[ExpertFacts]) -> None:
    projections.clear(session)
    projections.push_experts(session, people)


def told(session: Session, gig: GigFacts, people: list[ExpertFacts]) -> counting.Eligible:
    put(session, people)
    return counting.count(session, Sought.of(gig, DAY))


# Near enough to the gig that one thing alone is often what keeps somebody away.
near = experts().map(
    lambda each: replace(
        each, domains=(*each.domains, GIG.domain), currency="USD", languages=("en", *each.languages)
    )
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(gig=gigs(), people=st.lists(experts() | near, max_size=25))
def test_counts_and_gains_are_those_of_looking_at_everybody(
    session: Session, gig: GigFacts, people: list[ExpertFacts]
) -> None:
    _as_by_hand(session, gig, people)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(gig=gigs(), people=st.lists(near, min_size=5, max_size=25))
def test_also_where_nearly_everybody_nearly_fits(
    session: Session, gig: GigFacts, people: list[ExpertFacts]
) -> None:
    _as_by_hand(session, replace(gig, domain=GIG.domain, currency="USD"), people)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    asked=st.lists(requirements, min_size=1, max_size=2, unique_by=named),
    held=st.lists(st.lists(credentials, min_size=1, max_size=6).map(tuple), min_size=5, max_size=25),
)
def test_also_where_only_credentials_keep_anybody_away(
    session: Session, asked: list[RequirementFact], held: list[tuple[CredentialFact, ...]]
) -> None:
    people = [replace(ANA, credentials=each) for each in held]
    _as_by_hand(session, replace(GIG, requirements=tuple(asked)), people)


def _as_by_hand(session: Session, gig: GigFacts, people: list[ExpertFacts]) -> None:
    people = [replace(expert, person_id=n) for n, expert in enumerate(people)]
    found = told(session, gig, people)
    now = fitting(gig, people)
    assert found.people == now
    for gain in found.gains:
        assert gain.people > 0
        assert fitting(relaxed(gig, gain), people) - now == gain.people, gain
    _nothing_is_left_out(gig, people, found)
    if not found.people and not found.gains:
        _together_they_bring_somebody(session, gig, people)


def _together_they_bring_somebody(session: Session, gig: GigFacts, people: list[ExpertFacts]) -> None:
    gains = counting.nearest(session, Sought.of(gig, DAY))
    changed = gig
    for gain in gains:
        changed = relaxed(changed, gain)
    assert not gains or len(gains) > 1
    assert {gain.people for gain in gains} in (set(), {fitting(changed, people)} - {0})


def _nothing_is_left_out(gig: GigFacts, people: list[ExpertFacts], found: counting.Eligible) -> None:
    """Whatever would bring somebody is among the gains, and the highest rate nearly all that it can."""
    now = fitting(gig, people)
    told = {(gain.code, gain.value) for gain in found.gains}
    singles = [
        *(Gain("language", each, 0) for each in gig.languages),
        *(Gain("credential", each, 0) for each in gig.requirements),
        *(Gain("level", each, 0) for each in gig.requirements if each.level > 2),
        *(Gain("age", each, 0) for each in gig.requirements if each.max_age_days is not None),
        *([Gain("country", None, 0)] if gig.countries else []),
        *([Gain("data_use", None, 0)] if gig.uses is None or gig.uses else []),
        *([Gain("zone", None, 0)] if gig.time_zone and gig.shared_hours else []),
        *([Gain("data_use", None, 0)] if gig.uses is None or gig.uses else []),
    ]
    for each in singles:
        assert (fitting(relaxed(gig, each), people) > now) == ((each.code, each.value) in told), each
    dearest = fitting(replace(gig, rate_max=DEAREST * gig.rate_max // 500 * 500), people) - now
    best = max((gain.people for gain in found.gains if gain.code == "rate"), default=0)
    assert best * 100 >= dearest * counting.WORTH[-1]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=gigs(), after=gigs(), people=st.lists(experts() | near, max_size=20))
def test_what_a_change_loses_and_wins_is_what_looking_at_everybody_says(
    session: Session, before: GigFacts, after: GigFacts, people: list[ExpertFacts]
) -> None:
    after = replace(after, currency=before.currency, client=before.client)
    people = [replace(expert, person_id=n) for n, expert in enumerate(people)]
    put(session, people)
    found = counting.compare(session, Sought.of(before, DAY), Sought.of(after, DAY))
    was = {each.person_id for each in people if fitting(before, [each])}
    now = {each.person_id for each in people if fitting(after, [each])}
    assert found == counting.Compared(len(was), len(now), len(was - now), len(now - was))


def test_a_change_of_the_first_day_alone_counts_too(session: Session) -> None:
    """What is asked before and after has names of its own, the day included."""
    put(session, [ANA])
    later = replace(GIG, starts_on=DAY.replace(year=DAY.year + 9))
    found = counting.compare(session, Sought.of(GIG, DAY), Sought.of(later, DAY))
    assert found == counting.Compared(1, 0, 1, 0)


def test_one_person_with_many_domains_is_one_person(session: Session) -> None:
    family = tuple(code for code in domains.codes() if domains.group_of(code) == "medicine")
    found = told(session, GIG, [replace(ANA, domains=family)])
    assert (found.people, found.at_home) == (1, 1)


def test_who_only_knows_something_near_is_counted_apart(session: Session) -> None:
    near_by = next(each.code for each in domains.occupations("medicine") if each.code != GIG.domain)
    found = told(session, GIG, [ANA, replace(ANA, person_id=2, domains=(near_by,))])
    assert (found.people, found.at_home) == (2, 1)


def test_what_a_draft_does_not_say_keeps_nobody_away(session: Session) -> None:
    put(
        session,
        [ANA, replace(ANA, person_id=2, hours_per_week=1, country="BR", credentials=(), languages=())],
    )
    draft = Sought(domain=GIG.domain, rate_max=GIG.rate_max, currency="USD", day=DAY)
    assert counting.count(session, draft) == counting.Eligible(2, 2, ())


def test_the_cheapest_round_rates_that_bring_many_are_told(session: Session) -> None:
    asking = [GIG.rate_max + 100 * n for n in range(1, 41)]
    found = told(session, GIG, [replace(ANA, person_id=n, min_rate=rate) for n, rate in enumerate(asking)])
    assert found.people == 0
    rates = [gain.value for gain in found.gains]
    assert rates == sorted(rates)
    assert all(rate % counting.step("USD") == 0 for rate in rates)
    assert found.gains[-1].people == 40
    assert len(rates) == 4


def test_where_nobody_fits_the_least_that_brings_anybody_is_told(session: Session) -> None:
    """Also when it brings but few of those whom more would bring."""
    step = counting.step("USD")
    dear = [replace(ANA, person_id=n, min_rate=GIG.rate_max + 9 * step) for n in range(2, 40)]
    people = [replace(ANA, min_rate=GIG.rate_max + 1), *dear]
    assert told(session, GIG, people).gains[0] == Gain("rate", GIG.rate_max + step, 1)
    short = [replace(ANA, person_id=n, hours_per_week=1) for n in range(2, 40)]
    assert told(session, GIG, [replace(ANA, hours_per_week=9), *short]).gains[0] == Gain("hours", 15, 1)
    fits = replace(ANA, person_id=99)
    assert Gain("rate", GIG.rate_max + step, 1) not in told(session, GIG, [fits, *people]).gains


def test_where_no_change_alone_brings_anybody_the_fewest_that_do_are_told(session: Session) -> None:
    near = replace(ANA, min_rate=GIG.rate_max + 1, hours_per_week=6)
    dearer = replace(near, person_id=2, min_rate=GIG.rate_max + 2 * counting.step("USD"))
    far = replace(dearer, person_id=3, country="BR")
    assert told(session, GIG, [near, dearer, far]).gains == ()
    rate = GIG.rate_max + counting.step("USD")
    assert counting.nearest(session, Sought.of(GIG, DAY)) == (Gain("rate", rate, 1), Gain("hours", 10, 1))
    put(session, [replace(ANA, min_rate=9 * GIG.rate_max)])
    assert counting.nearest(session, Sought.of(GIG, DAY)) == ()


def test_asking_less_of_a_credential_is_told_before_doing_without(session: Session) -> None:
    (asked,) = GIG.requirements
    (seen,) = ANA.credentials
    gig = replace(GIG, requirements=(replace(asked, level=4, max_age_days=60),))
    lower, older = replace(seen, level=3), replace(seen, checked_on=DAY - timedelta(days=61))
    kept_away = (lower, lower, older, replace(older, level=3))
    found = told(session, gig, [replace(ANA, person_id=n, credentials=(c,)) for n, c in enumerate(kept_away)])
    (asked,) = gig.requirements
    assert found.gains == (Gain("level", asked, 2), Gain("age", asked, 1), Gain("credential", asked, 4))


def test_a_language_that_is_not_offered_is_counted_exactly_too(session: Session) -> None:
    """Its bits are shared; nobody is taken for a writer of it because of them."""
    twins = ("la", next(code for code in _codes() if _same_bits(code, "la")))
    people = [replace(ANA, person_id=n, languages=("en", code)) for n, code in enumerate(twins)]
    found = told(session, replace(GIG, languages=("en", "la")), people)
    assert found.people == 1
    assert found.gains == (Gain("language", "la", 1),)


def test_who_acts_for_the_client_is_never_counted(session: Session) -> None:
    assert told(session, GIG, [replace(ANA, conflicts=(GIG.client,))]).people == 0


def test_a_count_that_takes_too_long_is_given_up_and_nothing_else_is_lost(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(session, [ANA])
    sought = Sought.of(GIG, DAY)
    usual = session.scalar(sa.text("SHOW statement_timeout"))
    counted = counting.count_within(session, sought, 5_000)
    assert counted is not None
    assert counted.people == 1
    monkeypatch.setattr(
        counting, "count", lambda session, sought: session.execute(sa.text("SELECT pg_sleep(5)"))
    )
    assert counting.count_within(session, sought, 1) is None
    assert session.scalar(sa.text("SHOW statement_timeout")) == usual
    assert session.scalar(sa.text("SELECT count(*) FROM match_experts")) == 1


def _codes() -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [one + other for one in letters for other in letters if one + other != "la"]


def _same_bits(one: str, other: str) -> bool:
    return bits.languages([other]) & ~bits.languages(["en", one]) == 0
