"""The ranking in SQL gives exactly what scoring everybody would."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace.matching import (
    bits,
    candidates,
    domains,
    openings,
    projections,
    ranking,
    rules,
    scoring,
    skills,
    tree,
)
from marketplace.matching.criteria import explain
from marketplace.matching.facts import ExpertFacts, GigFacts
from marketplace.matching.match import Match
from marketplace.matching.suitable import Suitable
from tests.matching.strategies import DAY, experts, gigs
from tests.matching.test_criteria import ANA, GIG

SOME_SKILLS = ["radiology", "statistics", "editing", "oncology", "python"]


def put(session: Session, *facts: ExpertFacts | GigFacts) -> None:
    for each in facts:
        if isinstance(each, GigFacts):
            projections.push_gig(session, each, open=True)
        else:
            projections.push_expert(session, each)


def crowd(size: int) -> list[ExpertFacts]:
    """Many experts who could take the gig, all a little different."""
    random = Random(7)
    codes = [code for code in domains.codes() if domains.group_of(code) == "medicine"]
    return [
        replace(
            ANA,
            person_id=n,
            domains=tuple(random.sample(codes, 2)),
            min_rate=random.randrange(6_000, 11_500),
            hours_per_week=random.randrange(8, 30),
            credentials=ANA.credentials if random.random() < 0.8 else (),
            record=random.choice((None, 50, 90, 100)),
            response_hours=random.choice((None, 5, 60)),
        )
        for n in range(1, size + 1)
    ]


def by_hand(gig: GigFacts, people: list[ExpertFacts], limit: int) -> list[int]:
    scored = [(explain(gig, expert, DAY), expert.person_id) for expert in people]
    fit = [(-match.score, candidates.draw(id_, gig.gig_id), id_) for match, id_ in scored if match.eligible]
    return [id_ for _score, _drawn, id_ in sorted(fit)[:limit]]


@pytest.fixture
def on_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketplace.clock.today", lambda zone: DAY)


@pytest.mark.parametrize("limit", [1, 10, 500])
def test_the_best_experts_are_the_best_of_all(session: Session, on_the_day: None, limit: int) -> None:
    people = crowd(400)
    put(session, GIG, *people)
    found = ranking.best_experts(session, GIG.gig_id, limit)
    assert [id_ for id_, _match in found] == by_hand(GIG, people, limit)


def test_equals_at_the_very_top_are_all_looked_at(session: Session, on_the_day: None) -> None:
    """The bound leaves nobody out who only just reaches it."""
    people = [replace(ANA, person_id=n) for n in range(1, 101)]
    put(session, GIG, *people)
    found = ranking.best_experts(session, GIG.gig_id, 10)
    assert [id_ for id_, _match in found] == by_hand(GIG, people, 10)
    assert {match.score for _id, match in found} == {100}


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The scores that were asked for, one reading after the other."""
    asked: list[int] = []
    run = scoring.run

    def seen(session: Session, query: str, values: scoring.Values) -> sa.Result[*tuple[Any, ...]]:
        asked.extend([values["least"]] if "least" in values else [])
        return run(session, query, values)

    monkeypatch.setattr(candidates, "run", seen)
    return asked


@pytest.mark.parametrize("skills", [(), ("radiology",), ("radiology", "statistics", "editing")])
def test_what_the_sample_reaches_is_enough_to_find_the_best(
    session: Session, on_the_day: None, bounds: list[int], skills: tuple[str, ...]
) -> None:
    random = Random(8)
    gig = replace(GIG, skills=skills)
    people = [replace(each, skills=tuple(random.sample(SOME_SKILLS, 2))) for each in crowd(1_000)]
    put(session, gig, *people)
    found = ranking.best_experts(session, gig.gig_id, 20)
    assert [id_ for id_, _match in found] == by_hand(gig, people, 20)
    (least,) = bounds
    assert 50 < least <= found[-1][1].score


def test_a_sample_that_promises_too_much_costs_another_reading(
    session: Session, on_the_day: None, bounds: list[int]
) -> None:
    """As if by chance all of the best were in it."""
    dear = replace(ANA, min_rate=GIG.rate_max, hours_per_week=GIG.hours_per_week // 2 + 1)
    people = [replace(ANA if n % candidates.SAMPLE == 0 else dear, person_id=n) for n in range(1, 601)]
    put(session, GIG, *people)
    found = ranking.best_experts(session, GIG.gig_id, 50)
    assert [id_ for id_, _match in found] == by_hand(GIG, people, 50)
    assert bounds == [100, 0]


def test_somebody_of_many_skills_that_share_a_bit_is_found(session: Session, on_the_day: None) -> None:
    """Two skills whose numbers are so far apart have one bit, and count as two."""
    names = [f"skill {n}" for n in range(130)]
    filler = replace(ANA, person_id=999, skills=tuple(names))
    put(session, filler)
    numbers = skills.find(session, names)
    one = names[0]
    twin = next(each for each in names if numbers[each] - numbers[one] == bits.WIDTH)
    gig = replace(GIG, skills=(one, twin))
    people = [
        replace(ANA, person_id=n, skills=have)
        for n, have in enumerate(((one, twin), (twin,), (one,), ()), start=1)
        for n in range(n * 100, n * 100 + 40)
    ]
    put(session, gig, *people)
    found = ranking.best_experts(session, gig.gig_id, 60)
    assert [id_ for id_, _match in found] == by_hand(gig, [filler, *people], 60)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(gig=gigs(), people=st.lists(experts(), max_size=6), limit=st.integers(1, 3))
def test_for_any_gig_and_experts(
    session: Session, on_the_day: None, gig: GigFacts, people: list[ExpertFacts], limit: int
) -> None:
    people = [replace(expert, person_id=n) for n, expert in enumerate(people)]
    projections.clear(session)
    put(session, gig, *people)
    found = [id_ for id_, _match in ranking.best_experts(session, gig.gig_id, limit)]
    assert found == by_hand(gig, people, limit)
    for expert in people:
        fits = explain(gig, expert, DAY).eligible
        assert bool(ranking.best_gigs(session, expert.person_id)) == fits


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(expert=experts(), offers=st.lists(gigs(), max_size=6), limit=st.integers(1, 3))
def test_the_best_gigs_for_anybody(
    session: Session, on_the_day: None, expert: ExpertFacts, offers: list[GigFacts], limit: int
) -> None:
    offers = [replace(gig, gig_id=n) for n, gig in enumerate(offers)]
    projections.clear(session)
    put(session, expert, *offers)
    fit = [(gig.gig_id, match) for gig in offers if (match := explain(gig, expert, DAY)).eligible]
    best = sorted(fit, key=lambda pair: (-pair[1].score, candidates.draw(expert.person_id, pair[0])))
    assert ranking.best_gigs(session, expert.person_id, limit) == best[:limit]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(expert=experts(), offers=st.lists(gigs(), min_size=1, max_size=8))
def test_the_columns_tell_all_of_those_of_which_they_are_sure(
    session: Session, on_the_day: None, expert: ExpertFacts, offers: list[GigFacts]
) -> None:
    """Of the others they may say yes wrongly, and no never; the score is right of all."""
    # Alike in all that would decide alone, so that each of the rest does at times.
    expert = replace(expert, domains=(GIG.domain,), currency="USD", min_rate=4_500, hours_per_week=60)
    same = {"domain": GIG.domain, "currency": "USD", "funded": True, "headcount_left": 1}
    offers = [replace(gig, gig_id=n, **same) for n, gig in enumerate(offers)]
    projections.clear(session)
    put(session, expert, *offers)
    columns = openings.current(session)
    suitable = Suitable(session, columns, expert)
    places = suitable.first(len(offers))
    found = dict(zip(columns.ids[places].tolist(), suitable.scored(places).tolist(), strict=True))
    unsure = {int(columns.ids[n]) for n in range(len(columns)) if suitable.unsure(np.array([n]))[0]}
    for gig in offers:
        match = explain(gig, expert, DAY)
        if gig.gig_id in unsure:
            assert gig.gig_id in found or not match.eligible
        else:
            assert (gig.gig_id in found) == match.eligible
        assert not match.eligible or found[gig.gig_id] == match.score
    assert len(suitable) == len(found)


OTHERS = (
    rules.Weights(100, 0, 0, 0, 0, 0),
    rules.Weights(0, 0, 0, 0, 100, 0),
    rules.Weights(7, 11, 13, 17, 19, 33),
    rules.Weights(0, 30, 20, 0, 1, 49),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(weights=st.sampled_from(OTHERS), gig=gigs(), people=st.lists(experts(), max_size=6))
def test_for_any_weights(
    session: Session, on_the_day: None, weights: rules.Weights, gig: GigFacts, people: list[ExpertFacts]
) -> None:
    """By weights that came after the copies were made, and by a tree in which domains moved."""
    people = [replace(expert, person_id=n) for n, expert in enumerate(people)]
    projections.clear(session)
    put(session, gig, *people)
    with by(weights, moved()):
        found = [id_ for id_, _match in ranking.best_experts(session, gig.gig_id, 3)]
        assert found == by_hand(gig, people, 3)
        for expert in people:
            fits = [explain(gig, expert, DAY)] if explain(gig, expert, DAY).eligible else []
            assert [match for _id, match in ranking.best_gigs(session, expert.person_id)] == fits


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    weights=st.sampled_from([rules.SHIPPED.weights, *OTHERS]),
    low=st.integers(4_000, 12_000),
    wide=st.integers(0, 6_000),
    hours=st.integers(1, 40),
    skills=st.lists(st.sampled_from([*SOME_SKILLS, "nobody's"]), unique=True, max_size=4),
    domain=st.sampled_from(["medicine", GIG.domain]),
    nth=st.integers(0, 1_000),
)
def test_whoever_reaches_a_score_is_read_and_nobody_else(
    session: Session,
    on_the_day: None,
    weights: rules.Weights,
    low: int,
    wide: int,
    hours: int,
    skills: list[str],
    domain: str,
    nth: int,
) -> None:
    """No part of the index is left out in which somebody only just reaches it, by whatever weights."""
    gig = replace(
        GIG, rate_min=low, rate_max=low + wide, hours_per_week=hours, skills=tuple(skills), domain=domain
    )
    random = Random(9)
    people = [replace(each, skills=tuple(random.sample(SOME_SKILLS, 2))) for each in crowd(60)]
    # Some are as good as can be by all else, so that a point less would be too few.
    best = {"record": 100, "response_hours": 1, "min_rate": 4_000, "hours_per_week": 40}
    people += [replace(ANA, person_id=n, skills=tuple(SOME_SKILLS[: n - 61]), **best) for n in range(61, 66)]
    if not session.scalar(sa.text("SELECT count(*) FROM match_experts")):
        put(session, *people)
    put(session, gig)
    with by(weights, rules.SHIPPED.tree), pytest.MonkeyPatch.context() as patch:
        fit = by_hand(gig, people, 1_000)
        least = score(gig, people, fit[nth % len(fit)]) if fit else 0
        patch.setattr(candidates, "_reached", lambda *_all: [least])
        found = candidates.for_gig(session, gig, DAY, 1_000)
        reach = [each for each in fit if score(gig, people, each) >= least]
    assert found == reach


def score(gig: GigFacts, people: list[ExpertFacts], person_id: int) -> int:
    return explain(gig, people[person_id - 1], DAY).score


def test_when_few_of_the_first_fit_further_ones_are_matched_each_once() -> None:
    looked: list[int] = []
    fits, fails = explain(GIG, ANA, DAY), explain(GIG, replace(ANA, suspended=True), DAY)

    def matched(ids: Sequence[int]) -> list[tuple[int, Match]]:
        looked.extend(ids)
        return [(id_, fits if id_ % 3 == 0 else fails) for id_ in ids]

    best = ranking._best(lambda wanted: list(range(min(wanted, 200))), matched, 50)
    assert [id_ for id_, _match in best] == list(range(0, 150, 3))
    assert looked == list(range(len(looked)))
    assert len(ranking._best(lambda wanted: list(range(min(wanted, 100))), matched, 50)) == 34


@pytest.mark.parametrize("weights", OTHERS)
def test_the_best_by_other_weights(session: Session, on_the_day: None, weights: rules.Weights) -> None:
    people = crowd(300)
    put(session, GIG, *people)
    with by(weights, rules.SHIPPED.tree):
        found = ranking.best_experts(session, GIG.gig_id, 10)
        assert [id_ for id_, _match in found] == by_hand(GIG, people, 10)


def moved() -> tree.Tree:
    """The tree with some occupations right within law, and a family of medicine within creative work."""
    known = dict(rules.SHIPPED.tree.domains)
    for code in ("29-1224", "29-1216"):
        known[code] = replace(known[code], parent="law")
    known["29-11"] = replace(known["29-11"], parent="creative")
    return tree.Tree(known.values())


@contextmanager
def by(weights: rules.Weights, domains_: tree.Tree) -> Iterator[None]:
    token = rules._in_use.set(rules.Rules(2, weights, domains_))
    try:
        yield
    finally:
        rules._in_use.reset(token)


def test_a_closed_gig_is_found_for_nobody(session: Session, on_the_day: None) -> None:
    put(session, ANA)
    projections.push_gig(session, GIG, open=False)
    assert ranking.best_gigs(session, ANA.person_id) == []
    match = ranking.match_of(session, GIG.gig_id, ANA.person_id)
    assert match is not None
    assert match.eligible


def test_pushing_again_replaces(session: Session, on_the_day: None) -> None:
    put(session, GIG, ANA, replace(ANA, domains=("law",)))
    assert ranking.best_experts(session, GIG.gig_id) == []
    assert session.scalar(sa.text("SELECT count(*) FROM match_expert_domains")) == 1
