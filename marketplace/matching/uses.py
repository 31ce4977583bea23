"""What work may be used for that some experts want no part in: a closed list, each with a bit of its own."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Use(StrEnum):
    """A use that a gig declares and an expert may refuse once and for all. Add at the end: its place is its
    bit."""

    AUTOMATION = "automation"
    GENERAL_MODELS = "general_models"
    RESALE = "resale"
    LIKENESS = "likeness"
    PERSUASION = "persuasion"
    SURVEILLANCE = "surveillance"
    WEAPONS = "weapons"
    SEXUAL = "sexual"
    UNLIMITED = "unlimited"


_BITS = {use.value: 1 << place for place, use in enumerate(Use)}
# Of a gig that has not said: who refuses anything at all does not fit until it does.
NOT_SAID = (1 << len(Use)) - 1


def bits(uses: Iterable[str] | None) -> int:
    """The bits of some uses, exactly; all of them for None. KeyError for one that is not known."""
    return NOT_SAID if uses is None else sum(_BITS[use] for use in set(uses))
