"""Credentials against what a gig asks for, on one day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, NamedTuple

from marketplace.matching.facts import CredentialFact, RequirementFact
from marketplace.matching.match import Verdict

SEEN_AT_SOURCE = 4
CHECKED = 2
# What stands between a credential and a pass, the nearest to a pass first.
LACKS = ("", "pending", "stale", "level", "later", "expired", "place", "missing")


class Found(NamedTuple):
    """The credential nearest to the requirement, and what it lacks ('' when it meets it)."""

    credential: CredentialFact | None
    lack: str

    @property
    def passes(self) -> bool:
        return self.lack == ""

    @property
    def verdict(self) -> Verdict:
        return Verdict.PASS if self.passes else Verdict.UNKNOWN if self.lack == "pending" else Verdict.FAIL


def best(asked: RequirementFact, held: Iterable[CredentialFact], day: date) -> Found:
    """The nearest to a pass; among those that pass, the most deeply checked."""
    candidates = [Found(each, lack(asked, each, day)) for each in held if each.type == asked.type]
    return min(candidates, key=_nearness, default=Found(None, "missing"))


def lack(asked: RequirementFact, held: CredentialFact, day: date) -> str:
    """What this credential, of the type asked for, lacks on `day`: one of LACKS."""
    lacking = {
        "place": asked.jurisdiction not in (None, held.jurisdiction),
        "pending": held.level < CHECKED,
        "expired": held.valid_to is not None and held.valid_to < day,
        "later": held.valid_from > day,
        "level": held.level < asked.level,
        "stale": _stale(asked, held, day),
    }
    return next((name for name, lacks in lacking.items() if lacks), "")


def held_by(asked: Iterable[RequirementFact], credentials: Iterable[CredentialFact]) -> bool:
    """Are these credentials, whatever the day, of the kind, the place and the level of all that is asked?"""
    held = tuple(credentials)
    return all(
        any(
            each.type == need.type
            and need.jurisdiction in (None, each.jurisdiction)
            and each.level >= max(need.level, CHECKED)
            for each in held
        )
        for need in asked
    )


def shown(asked: RequirementFact, day: date) -> CredentialFact:
    """The least credential that meets the requirement on `day`."""
    return CredentialFact(asked.type, asked.jurisdiction, max(asked.level, CHECKED), day, None, day)


def facts(asked: RequirementFact) -> dict[str, Any]:
    """What the sentence about the requirement needs."""
    return {
        "type": asked.type,
        "jurisdiction": asked.jurisdiction,
        "level": asked.level,
        "max_age_days": asked.max_age_days,
    }


def _stale(asked: RequirementFact, held: CredentialFact, day: date) -> bool:
    return asked.max_age_days is not None and held.checked_on + timedelta(days=asked.max_age_days) < day


def in_force(held: CredentialFact, day: date) -> bool:
    """Does it count on `day`, or will it once a reviewer has looked at it?"""
    return held.valid_from <= day and (held.valid_to is None or day <= held.valid_to)


def _nearness(found: Found) -> tuple[int, int]:
    return LACKS.index(found.lack), -(found.credential.level if found.credential else 0)
