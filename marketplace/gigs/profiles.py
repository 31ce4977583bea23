"""What an expert says of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Person
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs import outsiders, projection
from marketplace.gigs.models import ExpertProfile
from marketplace.i18n import gettext as _
from marketplace.matching import domains
from marketplace.money import Money
from marketplace.text import line, once, paragraph

MOST_SKILLS = 50
MOST_DOMAINS = 10
# The version of a profile that is not there yet.
NONE_YET = "0"
_COLUMNS = (
    "headline", "about", "domains", "skills", "languages", "refusals", "min_rate", "currency",
    "hours_per_week",
)  # fmt: skip


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


class Outdated(Refused):
    """The profile was changed since the version that somebody opened. `fields` are the inputs in which it
    does not say what they sent; `elsewhere` those that only the other change touched, and that it keeps."""

    def __init__(self, fields: tuple[str, ...], elsewhere: tuple[str, ...]) -> None:
        super().__init__(
            _(
                "Your profile was changed after you opened it, in another window or elsewhere. What you "
                "typed is still here; where the profile says something else by now, that stands beside it. "
                "Save again to replace what it says."
            )
        )
        self.fields, self.elsewhere = fields, elsewhere


@use_case
def save_profile(
    session: Session, actor: Actor, draft: ProfileDraft, version: str | None = None
) -> ExpertProfile:
    """Write one's own profile, in its version `version` if given. Matching knows it from the same moment on.

    What was changed since that version and is sent as it was then stays. Raises Invalid; Outdated when
    something was changed there and is sent as yet something else.
    """
    actor.require(Role.EXPERT)
    check(draft)
    profile = _held(session, actor)
    values = kept(draft)
    if profile is None:
        profile = ExpertProfile(person_id=actor.id)
        session.add(profile)
    else:
        values = _merged(profile, values, version)
    _write(profile, values)
    session.flush()
    audit.record(session, actor, "profile.saved", "profile", profile.public_id)
    projection.push_expert(session, actor.id)
    outsiders.arrive(session, actor.id)
    return profile


def version_of(profile: ExpertProfile | None) -> str:
    """What tells one version of a profile from another, field by field."""
    if profile is None:
        return NONE_YET
    return ",".join(f"{name}:{_mark(getattr(profile, name))}" for name in _COLUMNS)


def _held(session: Session, actor: Actor) -> ExpertProfile | None:
    """One's own profile. The person is held too: of two who begin a profile, the second finds the first's."""
    session.get_one(Person, actor.id, with_for_update={"key_share": True})
    return session.get(ExpertProfile, actor.id, with_for_update=True)


def _merged(profile: ExpertProfile, sent: dict[str, Any], version: str | None) -> dict[str, Any]:
    """What was sent, without what only somebody else changed. Raises Outdated."""
    if version is None:
        return sent
    seen = dict(each.split(":", 1) for each in version.split(",") if ":" in each)
    here = {name for name, value in sent.items() if _mark(value) != seen.get(name)}
    there = {name for name in sent if _mark(getattr(profile, name)) != seen.get(name)}
    clash = {name for name in here & there if sent[name] != getattr(profile, name)}
    if clash:
        raise Outdated(_inputs(clash), _inputs(there - here))
    return {name: getattr(profile, name) if name in there - here else value for name, value in sent.items()}


def _inputs(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({"min_rate" if name == "currency" else name for name in names}))


def _mark(value: object) -> str:
    """By which two values of a field are told apart."""
    return sha256(repr(value).encode()).hexdigest()[:12]


def write(profile: ExpertProfile, draft: ProfileDraft) -> None:
    """Let the profile say what the draft says. Checks nothing."""
    _write(profile, kept(draft))


def _write(profile: ExpertProfile, values: dict[str, Any]) -> None:
    for name, value in values.items():
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
