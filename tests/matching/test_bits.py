"""Sets of bits never miss a member, and hardly ever claim one."""

from itertools import permutations

from hypothesis import given

from marketplace.matching import bits, requirements
from tests.matching import strategies
from tests.matching.strategies import DAY


def test_no_language_passes_for_another() -> None:
    for one, other in permutations(bits.LANGUAGES, 2):
        assert bits.languages([one]) & ~bits.languages([other])


def test_languages_that_are_offered_are_told_apart_however_many_somebody_writes() -> None:
    for each in bits.LANGUAGES:
        others = bits.languages(code for code in (*bits.LANGUAGES, "tlh", "la", "eo") if code != each)
        assert bits.exact([each])
        assert bits.languages([each]) & others == 0


def test_any_other_language_is_never_missed() -> None:
    assert not bits.exact(["en", "la"])
    assert bits.languages(["la"]) & ~bits.languages(["en", "la", "eo"]) == 0


@given(strategies.requirements, strategies.credentials)
def test_whoever_meets_a_requirement_has_its_bits(
    asked: requirements.RequirementFact, held: requirements.CredentialFact
) -> None:
    if requirements.best(asked, [held], DAY).passes:
        assert bits.asked([asked]) & ~bits.held([held]) == 0
