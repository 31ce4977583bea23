"""What an expert says of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid
from marketplace.gigs import outsiders, projection
from marketplace.gigs.models import ExpertProfile
from marketplace.i18n import gettext as _
from marketplace.matching import domains
from marketplace.money import Money
from marketplace.text import line, once, paragraph

MOST_SKILLS = 50
MOST_DOMAINS = 10


@dataclass(frozen=True)
class ProfileDraft:
    """`min_rate` is the least the expert works for, an hour. `languages` are ISO 639 codes.

    `refusals` are uses of work (see `matching.uses`) that they take no part in.
    """

    headline: str
    domains: tuple[str, ...]
    languages: tuple[str, ...]
    min_rate: Money
    hours_per_week: int
    about: str = ""
    skills: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


@use_case
def save_profile(session: Session, actor: Actor, draft: ProfileDraft) -> ExpertProfile:
    """Write one's own profile, which matching knows from the same moment on. Raises Invalid."""
    actor.require(Role.EXPERT)
    check(draft)
    profile = session.get(ExpertProfile, actor.id, with_for_update=True)
    if profile is None:
        profile = ExpertProfile(person_id=actor.id)
        session.add(profile)
    write(profile, draft)
    session.flush()
    audit.record(session, actor, "profile.saved", "profile", profile.public_id)
    projection.push_expert(session, actor.id)
    outsiders.arrive(session, actor.id)
    return profile


def write(profile: ExpertProfile, draft: ProfileDraft) -> None:
    """Let the profile say what the draft says. Checks nothing."""
    for name, value in kept(draft).items():
        setattr(profile, name, value)
    profile.updated_at = clock.now()


def kept(draft: ProfileDraft) -> dict[str, Any]:
    """The columns of a profile."""
    return {
        "headline": line(draft.headline),
        "about": paragraph(draft.about),
        "domains": once(draft.domains),
        "skills": once(draft.skills),
        "languages": once(draft.languages),
        "refusals": sorted(set(draft.refusals)),
        "min_rate": draft.min_rate.amount,
        "currency": draft.min_rate.currency,
        "hours_per_week": draft.hours_per_week,
    }


def check(draft: ProfileDraft) -> None:
    """Refuse what cannot be. Raises Invalid."""
    if not draft.domains:
        raise Invalid(_("Choose at least one domain; it decides which gigs you see."), field="domains")
    if len(set(draft.domains)) > MOST_DOMAINS:
        raise Invalid(_("Choose ten domains at most: those you would be examined in."), field="domains")
    if not all(domains.known(code) for code in draft.domains):
        raise Invalid(_("Choose domains from the list."), field="domains")
    if len(set(draft.skills)) > MOST_SKILLS:
        raise Invalid(_("Name fifty skills at most: those that you are asked for."), field="skills")
    if not draft.languages:
        raise Invalid(_("Choose at least one language that you write well."), field="languages")
    if draft.min_rate.amount <= 0:
        raise Invalid(_("Give the rate below which you do not work."), field="min_rate")
    if not 1 <= draft.hours_per_week <= 80:
        raise Invalid(_("Give between 1 and 80 hours a week."), field="hours_per_week")
