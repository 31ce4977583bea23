"""Sets of bits never miss a member, and hardly ever claim one."""

from itertools import permutations

from hypothesis import given

from marketplace.gigs.words import LANGUAGES
from marketplace.matching import bits, requirements
from tests.matching import strategies
from tests.matching.strategies import DAY


def test_no_language_passes_for_another() -> None:
    for one, other in permutations(LANGUAGES, 2):
        assert bits.languages([one]) & ~bits.languages([other])


@given(strategies.requirements, strategies.credentials)
def test_whoever_meets_a_requirement_has_its_bits(
    asked: requirements.RequirementFact, held: requirements.CredentialFact
) -> None:
    if requirements.best(asked, [held], DAY).passes:
        assert bits.asked([asked]) & ~bits.held([held]) == 0
