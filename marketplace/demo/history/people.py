"""Two thousand experts join, say what they do, claim their licences, and are checked."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import Person
from marketplace.accounts.people import add_person
from marketplace.actor import SITE, Actor, Role
from marketplace.credentials.claims import submit_credential
from marketplace.db import use_case
from marketplace.demo.history.stage import Stage
from marketplace.demo.seed import actor_of, verify_claim
from marketplace.demo.world import Claim, ExpertPlan
from marketplace.gigs.profiles import ProfileDraft, save_profile
from marketplace.money import Money

CHUNK = 50


def join(stage: Stage, chunk: int) -> None:
    """Fifty experts, all in one transaction."""
    plans = stage.world.experts[chunk * CHUNK : (chunk + 1) * CHUNK]
    with stage.at(-2, chunk % 5, 10):
        reviewer = actor_of(stage.session, "rev")
        _join(stage.session, reviewer, plans)


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
    save_profile(session, expert, _profile(plan))
    if plan.claim is not None:
        _claim(session, reviewer, expert, plan.claim, waits=plan.number % 40 == 0)


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
        session, expert, claim.type, claim.jurisdiction, claim.identifier, expert.name, expires
    )
    if not waits:
        verify_claim(session, reviewer, made)


def _in_months(day: date, months: int) -> date:
    """The last day of the month, `months` later: when licences run out."""
    year, month = divmod(day.year * 12 + day.month - 1 + months + 3, 12)
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])
