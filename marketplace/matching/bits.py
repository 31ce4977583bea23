"""Sets in 63 bits, for an index that must stay narrow: they may say yes wrongly, and no never.

Whoever passes here is looked at exactly afterwards. A language that is offered has a bit of its own, so
that those who write it can be counted without looking at anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from zlib import crc32

from marketplace.matching.facts import CredentialFact, RequirementFact
from marketplace.matching.requirements import CHECKED, SEEN_AT_SOURCE

WIDTH = 63
# The languages in which models are trained most; ISO 639. Add at the end: the place is the bit that is kept.
LANGUAGES = (
    "ar", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it", "ja",
    "ko", "ms", "nb", "nl", "pl", "pt", "ro", "ru", "sv", "sw", "ta", "th", "tl", "tr", "uk", "ur",
    "vi", "zh",
)  # fmt: skip


def languages(codes: Iterable[str]) -> int:
    """The bits of some languages: one for each that is offered, two among the rest for any other."""
    found = 0
    for code in codes:
        found |= 1 << LANGUAGES.index(code) if code in LANGUAGES else _rare(code)
    return found


def exact(codes: Iterable[str]) -> bool:
    """Do the bits of these languages say yes of those who write them, and of nobody else?"""
    return all(code in LANGUAGES for code in codes)


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


def skills(numbers: Iterable[int]) -> int:
    """The bits of some skills, by their numbers: one for each."""
    found = 0
    for number in numbers:
        found |= 1 << number % WIDTH
    return found


@lru_cache(maxsize=10_000)
def market(currency: str, domain: str) -> int:
    """A currency and a domain as one number of 64 bits, which takes an index half as long to compare as
    two words. That two have the same is as likely as never."""
    return int.from_bytes(sha256(f"{currency} {domain}".encode()).digest()[:8], signed=True)


def _of(words: Iterable[str]) -> int:
    """All bits of a subset are among those of the whole."""
    found = 0
    for word in words:
        found |= 1 << crc32(word.encode()) % WIDTH
    return found


def _rare(code: str) -> int:
    room = WIDTH - len(LANGUAGES)
    return sum({1 << (len(LANGUAGES) + crc32(f"{code}{mark}".encode()) % room) for mark in "ab"})


def _word(type: str, place: str | None, level: int) -> str:
    return f"{type} {place or '*'} {level}"
