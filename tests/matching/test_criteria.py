"""What holds for every gig and every expert, and some that a person can follow."""

import json
from dataclasses import astuple, fields, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.matching import rules
from marketplace.matching.criteria import WHOLE_PROMPTNESS, explain, least_strength, strength
from marketplace.matching.facts import (
    CredentialFact,
    ExpertFacts,
    GigFacts,
    RequirementFact,
    gig_from_json,
    to_json,
)
from marketplace.matching.match import Match, Verdict
from tests.matching.strategies import DAY, experts, gigs

LICENCE = RequirementFact("us_medical_license", "US-CA", 4, 120)
SEEN = CredentialFact(
    "us_medical_license", "US-CA", 4, DAY - timedelta(days=10), None, DAY - timedelta(days=10)
)
ANA = ExpertFacts(
    1, ("29-1224",), 9_000, "USD", "US", "America/Los_Angeles", ("en",), 20, (SEEN,),
    record=100, response_hours=20,
)  # fmt: skip
GIG = GigFacts(1, "29-1224", 9_000, 11_000, "USD", 20, ("en",), ("US",), DAY, (LICENCE,))


def verdict(match: Match, code: str) -> Verdict:
    return next(each.verdict for each in match.criteria if each.code == code)


def test_ana_fits_whole() -> None:
    match = explain(GIG, ANA)
    assert match.eligible
    assert match.score == 100


@settings(max_examples=400, deadline=None)
@given(gigs(), experts())
def test_every_change_flips_its_criterion_and_points_add_up(gig: GigFacts, expert: ExpertFacts) -> None:
    match = explain(gig, expert)
    assert match.score == sum(each.points for each in match.criteria) <= 100
    for place, criterion in enumerate(match.criteria):
        assert 0 <= criterion.points <= criterion.weight
        assert bool(criterion.changes) == (criterion.verdict is not Verdict.PASS)
        for change in criterion.changes:
            after = explain(*change.applied(gig, expert)).criteria[place]
            assert (after.code, after.verdict) == (criterion.code, Verdict.PASS), change


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 100), st.integers(0, 72))
def test_nobody_with_so_many_points_has_less_strength(
    record_weight: int, response_weight: int, record: int, prompt: int
) -> None:
    points = record_weight * record // 100 + response_weight * prompt // WHOLE_PROMPTNESS
    assert strength(record, prompt) >= least_strength(points, record_weight, response_weight)


@settings(deadline=None)
@given(gigs(), experts())
def test_same_facts_give_the_same_match_even_after_they_were_kept(gig: GigFacts, expert: ExpertFacts) -> None:
    again = explain(gig_from_json(json.loads(json.dumps(to_json(gig)))), replace(expert))
    assert again == explain(gig, expert)
    assert again.digest == explain(gig, expert).digest


def test_another_match_has_another_digest() -> None:
    assert explain(GIG, ANA).digest != explain(GIG, replace(ANA, hours_per_week=19)).digest
    assert explain(GIG, ANA).digest != replace(explain(GIG, ANA), rules=2).digest


@settings(deadline=None)
@given(gigs(), experts(), st.integers(0, 20_000))
def test_raising_the_rate_loses_nobody(gig: GigFacts, expert: ExpertFacts, more: int) -> None:
    """As long as the money is there."""
    before = explain(gig, expert)
    for raised in (
        replace(gig, rate_max=gig.rate_max + more),
        replace(gig, rate_min=gig.rate_min + more, rate_max=gig.rate_max + more),
    ):
        after = explain(raised, expert)
        assert after.eligible or not before.eligible
        assert after.score >= before.score


def test_weights_are_a_hundred() -> None:
    assert sum(astuple(rules.SHIPPED.weights)) == 100


def test_nothing_that_says_who_somebody_is_can_be_looked_at() -> None:
    assert {field.name for field in fields(ExpertFacts)} == {
        "person_id", "domains", "min_rate", "currency", "country", "time_zone", "languages",
        "hours_per_week", "credentials", "suspended", "skills", "record", "response_hours", "conflicts",
        "refusals",
    }  # fmt: skip
    other = replace(ANA, person_id=ANA.person_id + 1)
    assert explain(GIG, other) == explain(GIG, ANA)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (SEEN, Verdict.PASS),
        (replace(SEEN, level=1), Verdict.UNKNOWN),
        (replace(SEEN, level=3), Verdict.FAIL),
        (replace(SEEN, jurisdiction="US-NY"), Verdict.FAIL),
        (replace(SEEN, valid_to=DAY), Verdict.PASS),
        (replace(SEEN, valid_to=DAY - timedelta(days=1)), Verdict.FAIL),
        (replace(SEEN, checked_on=DAY - timedelta(days=120)), Verdict.PASS),
        (replace(SEEN, checked_on=DAY - timedelta(days=121)), Verdict.FAIL),
        (replace(SEEN, type="us_npi"), Verdict.FAIL),
    ],
)
def test_a_required_credential(held: CredentialFact, expected: Verdict) -> None:
    assert verdict(explain(GIG, replace(ANA, credentials=(held,))), "credential") is expected


@pytest.mark.parametrize(
    ("domain", "points", "fits"),
    [
        ("29-1224", 30, True),
        ("29-1224.neuroradiology", 30, True),
        ("29-1223", 18, True),
        ("29-12", 18, True),
        ("medicine", 9, True),
        ("29-1051", 9, True),
        ("law", 0, False),
    ],
)
def test_nearer_domains_count_more(domain: str, points: int, fits: bool) -> None:
    match = explain(GIG, replace(ANA, domains=(domain,)))
    depth = next(each for each in match.criteria if each.code == "domain_depth")
    assert (depth.points, match.eligible) == (points, fits)


@pytest.mark.parametrize(
    ("uses", "refusals", "expected"),
    [
        ((), ("weapons",), Verdict.PASS),
        (("resale",), (), Verdict.PASS),
        (("resale",), ("weapons",), Verdict.PASS),
        (("resale", "weapons"), ("weapons",), Verdict.FAIL),
        (None, (), Verdict.PASS),
        (None, ("weapons",), Verdict.UNKNOWN),
    ],
)
def test_what_somebody_refuses(
    uses: tuple[str, ...] | None, refusals: tuple[str, ...], expected: Verdict
) -> None:
    match = explain(replace(GIG, uses=uses), replace(ANA, refusals=refusals))
    assert verdict(match, "data_use") is expected
    assert match.eligible == (expected is Verdict.PASS)


def test_a_gig_that_has_begun_looks_at_credentials_today() -> None:
    lapsing = replace(SEEN, valid_to=DAY + timedelta(days=5))
    expert = replace(ANA, credentials=(lapsing,))
    assert verdict(explain(GIG, expert, DAY), "credential") is Verdict.PASS
    assert verdict(explain(GIG, expert, DAY + timedelta(days=6)), "credential") is Verdict.FAIL
