"""Every verdict has its sentences, in both voices, and the client is not told an expert's minimum."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings

from marketplace.matching import words
from marketplace.matching.criteria import explain
from marketplace.matching.facts import ExpertFacts, GigFacts
from marketplace.matching.words import Voice
from tests.matching.strategies import DAY, experts, gigs
from tests.matching.test_criteria import ANA, GIG


def named(code: str, jurisdiction: str | None) -> str:
    return f"{code} {jurisdiction or ''}".strip()


@settings(deadline=None)
@given(gigs(), experts())
def test_all_of_it_can_be_said(gig: GigFacts, expert: ExpertFacts) -> None:
    match = explain(gig, expert)
    for voice in Voice:
        said = words.explained(match.as_json(), voice, named)
        lines = (*said.musts, *said.merits)
        assert len(lines) == len(match.criteria)
        assert all(line.label and line.detail.endswith(".") for line in lines)
        assert all(advice.text.endswith(".") for line in lines for advice in line.advice)
        assert said.score == match.score
        assert said.eligible == match.eligible


def rate_line(voice: Voice, min_rate: int) -> words.Line:
    match = explain(GIG, replace(ANA, min_rate=min_rate))
    said = words.explained(match.as_json(), voice, named)
    return next(line for line in said.musts if line.code == "rate")


def test_the_expert_hears_the_numbers_and_what_to_do() -> None:
    line = rate_line(Voice.EXPERT, 12_000)
    assert line.detail == "You ask for at least $120.00; this gig pays up to $110.00."
    enough = "It would fit if your least were $110.00 an hour. Whether that is enough is for you to say."
    assert line.advice == (words.Advice(enough, "profile", "min_rate"),)


def test_an_expert_whose_rate_fits_is_not_told_to_work_for_less() -> None:
    match = explain(GIG, replace(ANA, min_rate=10_000))
    said = words.explained(match.as_json(), Voice.EXPERT, named)
    line = next(line for line in said.merits if line.code == "rate_fit")
    assert line.points < line.weight
    assert line.detail == "Your minimum of $100.00 is above the bottom of the band, $90.00."
    assert line.advice == ()


def test_the_client_does_not_hear_what_an_expert_who_fits_would_have_taken() -> None:
    assert "90" not in rate_line(Voice.CLIENT, 9_000).detail


def test_who_waits_for_a_reviewer_is_told_that_there_is_nothing_to_do() -> None:
    waiting = replace(ANA.credentials[0], level=1)
    match = explain(GIG, replace(ANA, credentials=(waiting,)))
    said = words.explained(match.as_json(), Voice.EXPERT, named)
    line = next(line for line in said.musts if line.code == "credential")
    assert said.verdict == "unknown"
    assert line.label == "us_medical_license US-CA"
    assert line.advice[0].text == "There is nothing to do: a reviewer will look at it."


def test_what_has_run_out_leads_to_where_it_is_renewed() -> None:
    old = replace(ANA.credentials[0], valid_to=DAY - timedelta(days=1))
    match = explain(GIG, replace(ANA, credentials=(old,)))
    said = words.explained(match.as_json(), Voice.EXPERT, named)
    [advice] = next(line for line in said.musts if line.code == "credential").advice
    assert (advice.where, advice.field, advice.place) == ("held_credential", "us_medical_license", "US-CA")
