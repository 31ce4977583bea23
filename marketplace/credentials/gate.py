"""The gate: does a person hold what a gig requires, at one moment? Pending is never a pass.

An attestation speaks for a half-open interval of UTC moments. It ends early when a later check says
otherwise, when a later check of the same depth replaces it, when the expert withdraws the credential, and,
for a requirement with a greatest age, once it is older than that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.credentials import types
from marketplace.credentials.models import Attestation, Credential
from marketplace.credentials.states import WAITING, Method, Standing
from marketplace.i18n import gettext as _
from marketplace.i18n import zoned

Interval = tuple[datetime, datetime | None]


class Verdict(StrEnum):
    """UNKNOWN means that a reviewer has still to look."""

    PASS = "pass"  # noqa: S105 (a verdict)
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Requirement:
    """What a gig asks for: a type, in one jurisdiction or in any, at least at `level` (2 to 4), and checked
    at most `max_age_days` before the hour that is worked (None: any age)."""

    type: str
    jurisdiction: str | None
    level: int
    max_age_days: int | None

    def names(self, credential: Credential) -> bool:
        """Is it one of this type and place?"""
        return credential.type == self.type and self.jurisdiction in (None, credential.jurisdiction)


@dataclass(frozen=True)
class Holding:
    """The answer at one moment. On a pass, `until` is when it stops (None: no end is known) and
    `attestation` is the check it rests on."""

    verdict: Verdict
    until: datetime | None
    credential: Credential | None
    attestation: Attestation | None
    sentence: str


@dataclass(frozen=True)
class Checked:
    """One attestation and the moments for which it speaks, before any requirement is asked."""

    credential: Credential
    attestation: Attestation
    start: datetime
    end: datetime | None

    def meets(self, requirement: Requirement) -> bool:
        """Type, place and level; not time."""
        return requirement.names(self.credential) and self.attestation.level >= requirement.level

    def fresh_for(self, requirement: Requirement) -> Checked:
        """The same, cut where the check becomes older than the requirement allows."""
        if requirement.max_age_days is None:
            return self
        stale = self.attestation.looked_at + timedelta(days=requirement.max_age_days)
        return replace(self, end=_earlier(self.end, stale))

    def covers(self, at: datetime) -> bool:
        """Does it speak for this moment?"""
        return self.start <= at and (self.end is None or at < self.end)


def holds(session: Session, person_id: int, requirement: Requirement, at: datetime) -> Holding:
    """Does the person (internal id) meet the requirement at `at`? One query; exact to the microsecond."""
    credentials = _of_type(session, person_id, requirement)
    return judge(_checked(session, credentials), credentials, requirement, at)


def holdings(session: Session, asked: Sequence[tuple[int, Requirement]], at: datetime) -> list[Holding]:
    """As `holds`, for each person (internal id) and requirement; two queries for all of them."""
    people = {person_id for person_id, _requirement in asked}
    credentials = session.scalars(sa.select(Credential).where(Credential.person_id.in_(people))).all()
    checked = _checked(session, credentials)
    return [
        judge(
            [each for each in checked if each.credential.person_id == person_id],
            [each for each in credentials if each.person_id == person_id and requirement.names(each)],
            requirement,
            at,
        )
        for person_id, requirement in asked
    ]


def valid_intervals(session: Session, person_id: int, requirement: Requirement) -> list[Interval]:
    """The moments at which the person meets the requirement: [start, end), in order, none touching."""
    checked = _checked(session, _of_type(session, person_id, requirement))
    return _merged(_meeting(checked, requirement))


def checks_of(session: Session, person_ids: Sequence[int]) -> dict[int, list[Checked]]:
    """Every check that still speaks for some moment, for each of the persons; two queries for all of them."""
    credentials = session.scalars(sa.select(Credential).where(Credential.person_id.in_(person_ids))).all()
    by_person: dict[int, list[Checked]] = defaultdict(list)
    for checked in _checked(session, credentials):
        by_person[checked.credential.person_id].append(checked)
    return by_person


def judge(
    checked: Iterable[Checked], credentials: Sequence[Credential], requirement: Requirement, at: datetime
) -> Holding:
    """The verdict on what was read. Of several checks that pass, the deepest counts, then the newest."""
    meeting = _meeting(checked, requirement)
    passing = [c for c in meeting if c.covers(at)]
    if passing:
        best = max(passing, key=lambda c: (c.attestation.level, c.attestation.looked_at))
        until = next(end for start, end in _merged(meeting) if _within(at, start, end))
        return Holding(Verdict.PASS, until, best.credential, best.attestation, _held(requirement, until))
    waiting = [c for c in credentials if c.state in WAITING]
    verdict = Verdict.UNKNOWN if waiting else Verdict.FAIL
    known = waiting or sorted(credentials, key=lambda c: c.submitted_at, reverse=True)
    sentence = _awaited(requirement) if waiting else _missing(requirement, meeting, at)
    return Holding(verdict, None, known[0] if known else None, None, sentence)


def _meeting(checked: Iterable[Checked], requirement: Requirement) -> list[Checked]:
    fresh = (c.fresh_for(requirement) for c in checked if c.meets(requirement))
    return [c for c in fresh if c.end is None or c.start < c.end]


def _of_type(session: Session, person_id: int, requirement: Requirement) -> Sequence[Credential]:
    query = sa.select(Credential).where(
        Credential.person_id == person_id, Credential.type == requirement.type
    )
    if requirement.jurisdiction is not None:
        query = query.where(Credential.jurisdiction == requirement.jurisdiction)
    return session.scalars(query).all()


def _checked(session: Session, credentials: Sequence[Credential]) -> list[Checked]:
    by_id = {c.id: c for c in credentials}
    rows = session.scalars(
        sa.select(Attestation)
        .where(Attestation.credential_id.in_(by_id), Attestation.method != Method.AUTOMATIC)
        .order_by(Attestation.looked_at, Attestation.id)
    )
    history: dict[int, list[Attestation]] = defaultdict(list)
    for attestation in rows:
        history[attestation.credential_id].append(attestation)
    return [c for id_, attestations in history.items() for c in speaking(by_id[id_], attestations)]


def speaking(credential: Credential, attestations: Sequence[Attestation]) -> list[Checked]:
    """Which of a credential's attestations, oldest first, say that it is in order, and for which moments."""
    found = []
    for position, attestation in enumerate(attestations):
        if attestation.status_at_source is not Standing.ACTIVE:
            continue
        end = _earlier(attestation.valid_to, credential.withdrawn_at)
        for later in attestations[position + 1 :]:
            if _replaces(later, attestation):
                end = _earlier(end, later.looked_at)
        # Hours are kept by whole minutes, so a check speaks for all of the minute in which it was made.
        start = max(attestation.valid_from, attestation.looked_at).replace(second=0, microsecond=0)
        if end is None or start < end:
            found.append(Checked(credential, attestation, start, end))
    return found


def _replaces(later: Attestation, earlier: Attestation) -> bool:
    return later.status_at_source is not Standing.ACTIVE or later.level >= earlier.level


def _merged(checked: Iterable[Checked]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(((c.start, c.end) for c in checked), key=lambda interval: interval[0]):
        if merged and (merged[-1][1] is None or start <= merged[-1][1]):
            merged[-1] = (merged[-1][0], _later(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _within(at: datetime, start: datetime, end: datetime | None) -> bool:
    return start <= at and (end is None or at < end)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """None stands for no end."""
    return min((m for m in (one, other) if m is not None), default=None)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


def _held(requirement: Requirement, until: datetime | None) -> str:
    title = types.title(requirement.type, requirement.jurisdiction)
    if until is None:
        return _("%(title)s: verified.", title=title)
    return _("%(title)s: verified until %(when)s.", title=title, when=zoned(until))


def _awaited(requirement: Requirement) -> str:
    title = types.title(requirement.type, requirement.jurisdiction)
    return _("%(title)s: waiting for a reviewer; until then it does not count.", title=title)


def _missing(requirement: Requirement, meeting: list[Checked], at: datetime) -> str:
    title = types.title(requirement.type, requirement.jurisdiction)
    ended = [c.end for c in meeting if c.end is not None and c.end <= at]
    if ended:
        return _("%(title)s: the last check counted until %(when)s.", title=title, when=zoned(max(ended)))
    return _("%(title)s: there is no check of it that counts here.", title=title)
