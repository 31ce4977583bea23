"""Two thousand experts join, say what they do, claim their licences, and are checked."""

from __future__ import annotations

import calendar
import struct
import zlib
from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import Person
from marketplace.accounts.people import add_person
from marketplace.actor import SITE, Actor, Role
from marketplace.credentials import types
from marketplace.credentials.claims import submit_credential
from marketplace.db import use_case
from marketplace.demo.history.stage import Stage
from marketplace.demo.seed import actor_of, verify_claim
from marketplace.demo.world import Claim, ExpertPlan
from marketplace.gigs.profiles import ProfileDraft, save_profile
from marketplace.money import Money
from marketplace.storage import Upload

PARTS = 10
CHUNK = 25


def join(stage: Stage, part: int) -> None:
    """The experts of one part, on one day; some dozen in each transaction."""
    plans = stage.world.experts[part::PARTS]
    with stage.at(-2, part % 5, 10):
        stage.each(_join_chunk, [plans[n : n + CHUNK] for n in range(0, len(plans), CHUNK)])


def _join_chunk(stage: Stage, plans: Sequence[ExpertPlan]) -> None:
    _join(stage.session, actor_of(stage.session, "rev"), plans)


@use_case
def _join(session: Session, reviewer: Actor, plans: Sequence[ExpertPlan]) -> None:
    emails = [plan.email for plan in plans]
    here = set(session.scalars(sa.select(Person.email).where(Person.email.in_(emails))))
    for plan in plans:
        if plan.email not in here:
            _join_one(session, reviewer, plan)


def _join_one(session: Session, reviewer: Actor, plan: ExpertPlan) -> None:
    roles = [(Role.EXPERT, None)]
    person = add_person(session, SITE, plan.name, plan.email, plan.country, plan.time_zone, roles)
    expert = actor_for(session, person.id, request_id="history")
    if plan.claim is not None:
        _claim(session, reviewer, expert, plan.claim, waits=plan.number % 40 == 0)
    # Last, so that matching is told once of each.
    save_profile(session, expert, _profile(plan))


def _profile(plan: ExpertPlan) -> ProfileDraft:
    return ProfileDraft(
        headline=plan.headline,
        domains=plan.domains,
        languages=plan.languages,
        min_rate=Money(plan.min_rate, "USD"),
        hours_per_week=plan.hours_per_week,
        about=plan.about,
        skills=plan.skills,
    )


def _claim(session: Session, reviewer: Actor, expert: Actor, claim: Claim, *, waits: bool) -> None:
    """One claim in forty still waits in the reviewer's queue."""
    expires = _in_months(clock.now().date(), claim.months_left) if claim.months_left else None
    made = submit_credential(
        session,
        expert,
        claim.type,
        claim.jurisdiction,
        claim.identifier,
        expert.name,
        expires,
        scan(claim.identifier) if needs_document(claim.type) else None,
    )
    if not waits:
        verify_claim(session, reviewer, made)


def needs_document(type_: str) -> bool:
    """Does a claim of this type come with a copy of the paper?"""
    kind = types.find(type_)
    return kind is not None and kind.document is types.Ask.MUST


def scan(digits: str) -> Upload:
    """A small picture that stands for a scanned card: a grey field with a line for each digit."""
    width, height = 240, 150
    rows = bytearray()
    for y in range(height):
        dark = y // 12 % 2 and y // 12 < len(digits) * 2
        rows += b"\0" + bytes([120 if dark and 20 < x < 200 else 235 for x in range(width)])
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b""))
    return Upload("card.png", b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _in_months(day: date, months: int) -> date:
    """The last day of the month, `months` later: when licences run out."""
    year, month = divmod(day.year * 12 + day.month - 1 + months + 3, 12)
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])
