"""What a change of a published gig brings about, shown before it is made; and the making of it.

What was typed waits with the autosaves. A confirmation names the version of both, so that nobody confirms
what they have not seen.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.credentials import types
from marketplace.credentials.gate import Requirement
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs import autosaves, data_use, drafts, find, fit, projection, queries, words
from marketplace.gigs.autosaves import Fields
from marketplace.gigs.drafts import GigDraft
from marketplace.gigs.members import tell
from marketplace.gigs.models import Application, Gig, Invitation
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.states import ApplicationState, InvitationState, task_word
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.matching import counting, domains, ranking, skills
from marketplace.matching.counting import Compared, Sought
from marketplace.matching.criteria import explain
from marketplace.matching.facts import GigFacts, RequirementFact
from marketplace.matching.match import Kind, Match, Verdict
from marketplace.matching.words import Voice
from marketplace.money import Money

MILLISECONDS = 3_000
WAITING = (ApplicationState.APPLIED, ApplicationState.SHORTLISTED)
# Who waits for an answer or holds an offer is told of a change of these.
CONCERNS = (
    "rate", "hours", "dates", "test", "same_person", "trains", "used_in", "owned_by", "kept_for", "uses",
    "secrecy",
)  # fmt: skip
# So many applications are looked at one by one; of the rest it is said that they were not.
MOST_LOOKED_AT = 500


@dataclass(frozen=True)
class Difference:
    """One thing that would change, in words. Long texts are only said to change."""

    code: str
    label: str
    was: str
    will_be: str


@dataclass(frozen=True)
class Unfit:
    """Somebody who applied or is invited, fits now and would not any more: by the label that a client sees,
    and why."""

    label: str
    reasons: list[str]
    invited: bool


@dataclass(frozen=True)
class Consequences:
    """`compared` is None when counting took too long. From `waiting` to `invited` people are counted, at last
    those who have not answered yet. `test` and `requirements` are what the gig would ask for."""

    differences: list[Difference]
    compared: Compared | None
    unfit: list[Unfit]
    waiting: int
    offered: int
    working: int
    invited: int
    test: QualificationTest | None
    requirements: tuple[Requirement, ...]

    @property
    def asks_again(self) -> bool:
        """Does the statement on the use of the work change, so that whoever works is asked to agree?"""
        return any(each.code in data_use.FIELDS for each in self.differences)


@use_case
def propose_change(
    session: Session,
    actor: Actor,
    gig_public_id: uuid.UUID,
    draft: GigDraft,
    version: int | None,
    fields: Fields,
    seen: int,
) -> Gig:
    """Keep what would replace what a published gig says, until it is confirmed, in place of the autosave's
    version `seen`. Raises as `edit_gig` and `autosaves.put`."""
    gig = find.gig(session, actor, gig_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
    drafts.check_change(session, gig, draft, version)
    autosaves.put(session, actor, gig, fields, seen)
    return gig


@use_case
def publish_change(
    session: Session, actor: Actor, gig_public_id: uuid.UUID, draft: GigDraft, version: int, typed: int
) -> Gig:
    """Make the change that was looked at: of the gig's version `version`, by the autosave's `typed`.

    Raises Refused when either is another by now; otherwise as `edit_gig`.
    """
    gig = find.gig(session, actor, gig_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
    kept = autosaves.find_kept(session, actor, gig.project, gig)
    if kept is None or kept.version != typed or gig.version != version:
        raise Refused(
            _("The gig or your change is not what you looked at any more. Look again, then publish.")
        )
    before = _said(session, gig)
    changed = drafts.edit_gig(session, actor, gig_public_id, draft, version)
    _tell(session, changed, before)
    return changed


def of_change(session: Session, gig: Gig, draft: GigDraft) -> Consequences:
    """What it would bring about, for who may change the gig."""
    today = clock.today("UTC")
    before = projection.gig_facts(gig, 1, True)
    after = _facts_after(session, before, draft)
    compared = counting.compare_within(
        session, Sought.of(before, today), Sought.of(after, today), MILLISECONDS
    )
    counts, invited = queries.counts(session, [gig.id])[gig.id], session.scalars(_invited(gig)).all()
    return Consequences(
        differences(_said(session, gig), _said_by(session, draft, gig)),
        compared,
        _unfit(session, gig, invited, before, after),
        sum(counts.get(state, 0) for state in WAITING),
        counts.get(ApplicationState.OFFERED, 0),
        counts.get(ApplicationState.HIRED, 0),
        len(invited),
        session.get(QualificationTest, draft.test_id) if draft.test_id else None,
        draft.requirements,
    )


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    """What is not the same, in the order in which a gig says it."""
    labels = _labels()
    return [
        Difference(code, label, *(("", "") if code in UNSHOWN else (before[code], after[code])))
        for code, label in labels.items()
        if before[code] != after[code]
    ]


# Of these a notice only says that they are rewritten; what is asked of people who work is shown in full.
LONG = ("description", "guidelines", "trains", "used_in", "secrecy")
UNSHOWN = ("description", "guidelines")
# What matching takes from a gig as it is.
PLAIN = ("domain", "rate_min", "rate_max", "hours_per_week", "starts_on", "time_zone", "shared_hours")


def _labels() -> dict[str, str]:
    return {
        "title": _("Title"),
        "rate": _("Rate, an hour"),
        "hours": _("Hours a week"),
        "people": _("People"),
        "dates": _("Dates"),
        "domain": _("Domain"),
        "task": _("Task"),
        "credentials": _("Credentials asked for"),
        "test": _("Paid test first"),
        "same_person": _("The passkey of the identity check, each week"),
        "languages": _("Languages"),
        "countries": _("Countries"),
        "zone": _("Working hours in common"),
        "skills": _("Skills that count"),
        "trains": _("What the work trains"),
        "used_in": _("What the work may be used in"),
        "owned_by": _("Who owns the work"),
        "kept_for": _("How long the work is kept"),
        "uses": _("Uses that some refuse"),
        "secrecy": _("What has to stay secret"),
        "questions": _("Questions to applicants"),
        "description": _("What is to be done"),
        "guidelines": _("Guidelines"),
    }


def _said(session: Session, gig: Gig) -> dict[str, str]:
    columns = {name: getattr(gig, name) for name in drafts.kept(GigDraft(title=gig.title))}
    return _in_words(session, columns, gig.requirements, gig.project.currency)


def _said_by(session: Session, draft: GigDraft, gig: Gig) -> dict[str, str]:
    return _in_words(session, drafts.kept(draft), draft.requirements, gig.project.currency)


def _in_words(session: Session, said: Mapping[str, Any], requirements: Any, currency: str) -> dict[str, str]:
    """Everything that a gig says, by its code, in the reader's language."""
    rates = [Money(said[name], currency) for name in ("rate_min", "rate_max") if said[name]]
    days = [day(said[name]) for name in ("starts_on", "ends_on") if said[name]]
    uses = dict(words.use_choices())
    test = session.get(QualificationTest, said["test_id"]) if said["test_id"] else None
    return {
        "title": said["title"],
        "rate": " – ".join(str(rate) for rate in rates),
        "hours": str(said["hours_per_week"] or ""),
        "people": str(said["headcount"] or ""),
        "dates": " – ".join(days),
        "domain": domains.title(said["domain"]) if said["domain"] else "",
        "task": task_word(said["task_kind"]) if said["task_kind"] else "",
        "credentials": "; ".join(_requirement(each) for each in requirements) or _("None"),
        "test": test.title if test else _("None"),
        "same_person": _("asked for") if said["same_person"] else _("not asked for"),
        "languages": _listed(words.language(each) for each in said["languages"]),
        "countries": _listed(words.country(each) for each in said["countries"]),
        "zone": words.shared(said["time_zone"], said["shared_hours"]) or _("None"),
        "skills": ", ".join(said["skills"]) or _("None"),
        "owned_by": data_use.owner(said["owned_by"]),
        "kept_for": data_use.kept(said["kept_for"]),
        "uses": ", ".join(uses[each] for each in said["uses"] or ()) or _("None"),
        "questions": " ".join(said["questions"]) or _("None"),
        **{name: said[name] for name in LONG},
    }


def _listed(names: Any) -> str:
    return ", ".join(names) or _("Any")


def _requirement(asked: Any) -> str:
    title, level = types.title(asked.type, asked.jurisdiction), words.level(asked.level)
    if not asked.max_age_days:
        return f"{title} ({level})"
    return _("%(title)s (%(level)s, %(n)s days at most)", title=title, level=level, n=asked.max_age_days)


def _facts_after(session: Session, before: GigFacts, draft: GigDraft) -> GigFacts:
    said = drafts.kept(draft)
    named = skills.keys(said["skills"])
    plain = {name: said[name] for name in PLAIN}
    return replace(
        before,
        **plain,
        languages=tuple(said["languages"]),
        countries=tuple(said["countries"]),
        skills=skills.meant(named, skills.aliases(session, named)),
        uses=None if said["uses"] is None else tuple(said["uses"]),
        requirements=tuple(
            RequirementFact(each.type, each.jurisdiction, each.level, each.max_age_days)
            for each in draft.requirements
        ),
    )


def _in_state(gig: Gig, *states: ApplicationState) -> sa.Select[int]:
    """Who has an application in one of these states, in the order in which they came (internal ids)."""
    query = sa.select(Application.person_id).where(Application.gig_id == gig.id)
    return query.where(Application.state.in_(states)).order_by(Application.id)


def _invited(gig: Gig) -> sa.Select[int]:
    """Who is invited and has not answered, in order (internal ids)."""
    query = sa.select(Invitation.person_id).where(Invitation.gig_id == gig.id)
    return query.where(Invitation.state == InvitationState.INVITED).order_by(Invitation.id)


def _unfit(
    session: Session, gig: Gig, invited: Sequence[int], before: GigFacts, after: GigFacts
) -> list[Unfit]:
    waiting = session.scalars(_in_state(gig, *WAITING).limit(MOST_LOOKED_AT)).all()
    people = [*waiting, *(each for each in invited[:MOST_LOOKED_AT] if each not in set(waiting))]
    experts, profiles = ranking.experts(session, people), queries.profiles_of(session, people)
    today = clock.today("UTC")
    found = []
    for person_id, expert in experts.items():
        match = explain(after, expert, today)
        if _fails(match) and not _fails(explain(before, expert, today)):
            label = profiles[person_id].label
            found.append(Unfit(label, _reasons(match), person_id not in waiting))
    return found


def _fails(match: Match) -> bool:
    return any(each.kind is Kind.HARD and each.verdict is Verdict.FAIL for each in match.criteria)


def _reasons(match: Match) -> list[str]:
    musts = fit.explained(fit.kept(match), Voice.CLIENT).musts
    return [line.detail for line in musts if line.verdict == "fail"]


def _tell(session: Session, gig: Gig, before: Mapping[str, str]) -> None:
    """Tell whoever waits, holds an offer or is invited what concerns them, each in their own language."""
    concerned = [each for each in differences(before, _said(session, gig)) if each.code in CONCERNS]
    if not concerned:
        return
    codes, place = [each.code for each in concerned], f"/gigs/{gig.public_id}"
    applied = dict.fromkeys(session.scalars(_in_state(gig, *WAITING, ApplicationState.OFFERED)))
    invited = [each for each in session.scalars(_invited(gig)) if each not in applied]
    for people, last in ((applied, _stays), (invited, _asked)):
        for person_id in people:
            tell(session, person_id, "gig.changed", place, partial(_notice, session, gig, codes, last))


def _stays() -> str:
    return _("An offer that you hold keeps what it says. You can withdraw your application.")


def _asked() -> str:
    return _("You are invited to it and have not answered yet.")


def _notice(session: Session, gig: Gig, codes: list[str], last: Callable[[], str]) -> tuple[str, str]:
    labels, said = _labels(), _said(session, gig)
    lines = [
        _("%(what)s: rewritten.", what=labels[code])
        if code in LONG
        else _("%(what)s is now: %(said)s.", what=labels[code], said=said[code])
        for code in codes
    ]
    return (
        _("%(gig)s has changed", gig=gig.title),
        " ".join([*lines, last()]),
    )
