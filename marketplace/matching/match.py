"""A match: its criteria, their points, and the smallest change that would mend each that falls short."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from marketplace.matching.facts import ExpertFacts, GigFacts


class Kind(StrEnum):
    """A hard criterion decides whether; a soft one how well."""

    HARD = "hard"
    SOFT = "soft"


class Verdict(StrEnum):
    """A soft criterion passes with all of its points; unknown waits for a reviewer and is not a pass."""

    PASS = "pass"  # noqa: S105 (a verdict)
    FAIL = "fail"
    UNKNOWN = "unknown"


class Who(StrEnum):
    """Who can make a change."""

    EXPERT = "expert"
    CLIENT = "client"
    SITE = "site"


class Change(NamedTuple):
    """New values for some fields of the expert's or the gig's facts, after which the criterion passes.

    `facts` are what the sentence about it needs.
    """

    who: Who
    fields: Mapping[str, Any]
    facts: Mapping[str, Any]

    def applied(self, gig: GigFacts, expert: ExpertFacts) -> tuple[GigFacts, ExpertFacts]:
        """The facts as they would be."""
        if self.who is Who.CLIENT:
            return replace(gig, **self.fields), expert
        return gig, replace(expert, **self.fields)


class Criterion(NamedTuple):
    """One thing looked at. `points` of `weight`, both whole; a hard criterion has neither.

    `changes` are the smallest that would make it pass, one for each side that can make one.
    """

    code: str
    kind: Kind
    verdict: Verdict
    facts: Mapping[str, Any]
    changes: tuple[Change, ...] = ()
    weight: int = 0
    points: int = 0

    def as_json(self) -> dict[str, Any]:
        """What is kept with an application, so that it can be read in words later, in any language."""
        return {
            "code": self.code,
            "kind": self.kind.value,
            "verdict": self.verdict.value,
            "weight": self.weight,
            "points": self.points,
            "facts": dict(self.facts),
            "changes": [{"who": change.who.value, "facts": dict(change.facts)} for change in self.changes],
        }


@dataclass(frozen=True)
class Match:
    """`eligible` when every hard criterion passes; `score` is the sum of the soft points, 0 to 100.

    `rules` is the version of the rules by which it was made.
    """

    criteria: tuple[Criterion, ...]
    rules: int

    @property
    def eligible(self) -> bool:
        return all(c.verdict is Verdict.PASS for c in self.criteria if c.kind is Kind.HARD)

    @property
    def score(self) -> int:
        return sum(c.points for c in self.criteria)

    def as_json(self) -> list[dict[str, Any]]:
        """The criteria as they are kept and as `words.explained` reads them."""
        return [c.as_json() for c in self.criteria]

    @property
    def digest(self) -> str:
        """SHA-256 of the whole match and of the rules' version, by which two can be seen to be the same."""
        whole = json.dumps([self.rules, self.as_json()], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(whole.encode()).hexdigest()
