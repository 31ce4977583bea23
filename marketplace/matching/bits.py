"""Sets in 63 bits, for an index that must stay narrow: they may say yes wrongly, and no never.

Whoever passes here is looked at exactly afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from marketplace.matching.facts import CredentialFact, RequirementFact
from marketplace.matching.requirements import CHECKED, SEEN_AT_SOURCE

WIDTH = 63


def languages(codes: Iterable[str]) -> int:
    """The bits of some languages: two for each, so that hardly one is taken for another."""
    return _of(f"{code}{mark}" for code in codes for mark in "ab")


def held(credentials: Iterable[CredentialFact]) -> int:
    """What these credentials can meet: each at its level and below, with and without its place."""
    return _of(
        _word(each.type, place, level)
        for each in credentials
        for level in range(CHECKED, min(each.level, SEEN_AT_SOURCE) + 1)
        for place in {each.jurisdiction, None}
    )


def asked(requirements: Iterable[RequirementFact]) -> int:
    """What whoever meets these requirements has at least."""
    return _of(_word(each.type, each.jurisdiction, max(each.level, CHECKED)) for each in requirements)


def _of(words: Iterable[str]) -> int:
    """All bits of a subset are among those of the whole."""
    found = 0
    for word in words:
        found |= 1 << crc32(word.encode()) % WIDTH
    return found


def _word(type: str, place: str | None, level: int) -> str:
    return f"{type} {place or '*'} {level}"
