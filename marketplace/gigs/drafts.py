"""Writing a gig: anything may be missing until it is published."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.credentials.gate import Requirement
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs import autosaves, data_use, find, guidelines, projection, successors
from marketplace.gigs.finding import texts
from marketplace.gigs.models import Application, Gig, GigRequirement, Project
from marketplace.gigs.publishing import missing
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.states import ApplicationState, GigState, Kept, Owner, ProjectState, TaskKind
from marketplace.i18n import gettext as _
from marketplace.matching import domains
from marketplace.matching.uses import Use
from marketplace.matching.zones import WORKING_HOURS
from marketplace.text import line, once, paragraph

MOST_REQUIREMENTS = 3
MOST_SKILLS = 10
MOST_QUESTIONS, LONGEST_QUESTION = 5, 200
# With its mark, the copy's title still fits.
LONGEST_COPIED = 180


@dataclass(frozen=True)
class GigDraft:
    """What a client says of a gig. Rates are minor units of the project's currency for an hour.

    `uses` are those that experts may refuse: None when nothing was said, empty for none of them.
    `shared_hours` of the working hours in `time_zone` must be the expert's too, a day. `test_id` is the
    internal id of the paid test to pass first.
    """

    title: str
    domain: str | None = None
    task_kind: TaskKind | None = None
    description: str = ""
    guidelines: str = ""
    trains: str = ""
    used_in: str = ""
    owned_by: Owner | None = None
    kept_for: Kept | None = None
    uses: tuple[str, ...] | None = None
    secrecy: str = ""
    questions: tuple[str, ...] = ()
    rate_min: int | None = None
    rate_max: int | None = None
    hours_per_week: int | None = None
    headcount: int | None = None
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    time_zone: str | None = None
    shared_hours: int = 0
    skills: tuple[str, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None
    requirements: tuple[Requirement, ...] = ()
    test_id: int | None = None
    same_person: bool = False


class Outdated(Refused):
    """The gig was changed since the version that somebody opened."""


@use_case
def draft_gig(session: Session, actor: Actor, project_public_id: uuid.UUID, draft: GigDraft) -> Gig:
    """Add a draft to a project. Raises Refused when the project is closed, Invalid for what cannot be."""
    project = find.project(session, actor, project_public_id)
    actor.require(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    gig = _add(session, actor, project, draft)
    autosaves.forget(session, actor, project, None)
    return gig


@use_case
def duplicate_gig(session: Session, actor: Actor, gig_public_id: uuid.UUID) -> Gig:
    """Draft a gig that says what this one says. Days that have begun are left out.

    Raises Refused when the project is closed.
    """
    gig = find.gig(session, actor, gig_public_id)
    actor.require(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
    draft = replace(draft_of(gig), title=_("%(title)s (copy)", title=gig.title[:LONGEST_COPIED]))
    if gig.test is not None and gig.test.retired_at is not None:
        draft = replace(draft, test_id=None)
    if gig.starts_on is None or gig.starts_on <= clock.today("UTC"):
        draft = replace(draft, starts_on=None, ends_on=None)
    copied = _add(session, actor, gig.project, draft)
    audit.record(session, actor, "gig.duplicated", "gig", gig.public_id, copy=copied.public_id)
    return copied


def draft_of(gig: Gig) -> GigDraft:
    """What the gig says."""
    said = {name: getattr(gig, name) for name in kept(GigDraft(title=gig.title))}
    lists = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    asked = (
        Requirement(each.type, each.jurisdiction, each.level, each.max_age_days) for each in gig.requirements
    )
    return GigDraft(**{**said, **lists}, requirements=tuple(asked))


def _add(session: Session, actor: Actor, project: Project, draft: GigDraft) -> Gig:
    if project.state is ProjectState.CLOSED:
        raise Refused(_("This project is closed. Start a new one for more work."))
    check_test(session, project, draft)
    gig = Gig(project=project, state=GigState.DRAFT, version=1)
    write(gig, draft)
    session.add(gig)
    session.flush()
    audit.record(session, actor, "gig.drafted", "gig", gig.public_id)
    projection.push_gig(session, gig)
    return gig


@use_case
def edit_gig(
    session: Session, actor: Actor, gig_public_id: uuid.UUID, draft: GigDraft, version: int | None = None
) -> Gig:
    """Replace what the gig says, in its version `version` if given. Offers and contracts keep theirs.

    Raises Refused when it is closed, Outdated when it was changed since that version, Invalid when a
    published gig would miss something.
    """
    gig = find.gig(session, actor, gig_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
    check_change(session, gig, draft, version)
    write(gig, draft)
    gig.version += 1
    session.flush()
    audit.record(session, actor, "gig.edited", "gig", gig.public_id, version=gig.version)
    autosaves.forget(session, actor, gig.project, gig)
    if gig.state is not GigState.DRAFT:
        guidelines.keep(session, actor, gig)
        data_use.keep(session, actor, gig)
        texts.write(session, gig)
        successors.look(session, gig)
    projection.push_gig(session, gig)
    return gig


def check_change(session: Session, gig: Gig, draft: GigDraft, version: int | None) -> None:
    """Raise what `edit_gig` raises for this draft, and change nothing."""
    if gig.state is GigState.CLOSED:
        raise Refused(_("This gig is closed and stays as it was. Draft a new one instead."))
    if gig.state is GigState.REMOVED:
        raise Refused(_("This gig was taken down. Appeal against it, or write another one."))
    if version not in (None, gig.version):
        raise Outdated(
            _(
                "Somebody changed this gig after you opened it, or you did in another window. Compare what "
                "you typed with the gig, then save again to replace what it says."
            )
        )
    check(draft)
    check_test(session, gig.project, draft)
    _check_seats(session, gig, draft.headcount or 0)
    if gig.state is not GigState.DRAFT and (gaps := missing(SimpleNamespace(**kept(draft)))):
        raise Invalid(" ".join(gap.sentence for gap in gaps), field=gaps[0].field)


def write(gig: Gig, draft: GigDraft) -> None:
    """Let the gig say what the draft says. Raises Invalid for what cannot be."""
    check(draft)
    for name, value in kept(draft).items():
        setattr(gig, name, value)
    _require(gig, draft.requirements)


def kept(draft: GigDraft) -> dict[str, Any]:
    """The columns of a gig."""
    return {
        "title": line(draft.title),
        "domain": draft.domain,
        "task_kind": draft.task_kind,
        "description": paragraph(draft.description),
        "guidelines": paragraph(draft.guidelines),
        "trains": paragraph(draft.trains),
        "used_in": paragraph(draft.used_in),
        "owned_by": draft.owned_by,
        "kept_for": draft.kept_for,
        "uses": None if draft.uses is None else sorted(set(draft.uses)),
        "secrecy": paragraph(draft.secrecy),
        "questions": once(draft.questions),
        "rate_min": draft.rate_min,
        "rate_max": draft.rate_max,
        "hours_per_week": draft.hours_per_week,
        "headcount": draft.headcount,
        "languages": _codes(draft.languages),
        "countries": _codes(draft.countries),
        "skills": once(draft.skills),
        "time_zone": draft.time_zone,
        "shared_hours": draft.shared_hours,
        "starts_on": draft.starts_on,
        "ends_on": draft.ends_on,
        "test_id": draft.test_id,
        "same_person": draft.same_person,
    }


def check(draft: GigDraft) -> None:
    """Refuse what cannot be, whether or not the rest is there yet. Raises Invalid."""
    if not line(draft.title):
        raise Invalid(_("Give the gig a title; it is the first thing an expert reads."), field="title")
    if draft.domain is not None and not domains.known(draft.domain):
        raise Invalid(_("Choose a domain from the list."), field="domain")
    if draft.rate_min is not None and draft.rate_min <= 0:
        raise Invalid(_("The lowest rate must be more than nothing."), field="rate_min")
    if draft.rate_min and draft.rate_max is not None and draft.rate_max < draft.rate_min:
        raise Invalid(_("The highest rate cannot be below the lowest."), field="rate_max")
    if draft.hours_per_week is not None and not 1 <= draft.hours_per_week <= 80:
        raise Invalid(_("Ask for between 1 and 80 hours a week."), field="hours_per_week")
    if draft.headcount is not None and not 1 <= draft.headcount <= 10_000:
        raise Invalid(_("Ask for at least one person."), field="headcount")
    if draft.starts_on and draft.ends_on and draft.ends_on < draft.starts_on:
        raise Invalid(_("The last day cannot be before the first."), field="ends_on")
    if len(once(draft.skills)) > MOST_SKILLS:
        raise Invalid(_("Name ten skills at most: those that decide."), field="skills")
    _check_zone(draft)
    _check_kept(draft)
    _check_questions(once(draft.questions))
    _check_requirements(draft.requirements)


def check_test(session: Session, project: Project, draft: GigDraft) -> None:
    """Raise Invalid for a test of somebody else, or one that was put away.

    It is held, so that it is not put away until the running transaction ends.
    """
    if draft.test_id is None:
        return
    query = sa.select(QualificationTest).filter_by(id=draft.test_id, organization_id=project.organization_id)
    held = query.with_for_update(read=True, of=QualificationTest)
    test = session.scalars(held.execution_options(populate_existing=True)).one_or_none()
    if test is None:
        raise Invalid(_("Choose a test from the list."), field="test")
    if test.retired_at is not None:
        raise Invalid(_("This test was put away, so choose another one, or none."), field="test")


def _check_zone(draft: GigDraft) -> None:
    if draft.time_zone is not None and draft.time_zone not in clock.zones():
        raise Invalid(_("Choose a time zone from the list."), field="time_zone")
    if draft.time_zone is None and draft.shared_hours:
        raise Invalid(_("Choose the time zone with which the hours are to be shared."), field="time_zone")
    if draft.time_zone is not None and not 1 <= draft.shared_hours <= WORKING_HOURS:
        raise Invalid(
            _("Say how many working hours a day are to be shared, or choose any time zone."),
            field="shared_hours",
        )


def _check_kept(draft: GigDraft) -> None:
    """The statement says once how long the work is kept, and experts can refuse that it is without an end."""
    if draft.kept_for is None or draft.uses is None:
        return
    if (draft.kept_for is Kept.NO_END) != (Use.UNLIMITED in draft.uses):
        raise Invalid(
            _(
                "How long the work is kept is said in two ways. Tick “keeping the work without an end” below "
                "when it is kept without an end, and only then."
            ),
            field="kept_for",
        )


def _check_questions(questions: list[str]) -> None:
    if len(questions) > MOST_QUESTIONS:
        raise Invalid(_("Ask five questions at most: those whose answers decide."), field="questions")
    if any(len(each) > LONGEST_QUESTION for each in questions):
        raise Invalid(_("A question has 200 characters at most. Each line is one."), field="questions")


def _check_requirements(requirements: tuple[Requirement, ...]) -> None:
    named = [(each.type, each.jurisdiction) for each in requirements]
    if len(named) > MOST_REQUIREMENTS:
        raise Invalid(_("Ask for three credentials at most."), field="requirements")
    if len(set(named)) < len(named):
        raise Invalid(_("The same credential is asked for twice; remove one."), field="requirements")


def _require(gig: Gig, requirements: tuple[Requirement, ...]) -> None:
    """Keep the rows that stay, so that saving twice changes nothing."""
    kept = {(each.type, each.jurisdiction): each for each in gig.requirements}
    rows = []
    for wanted in requirements:
        row = kept.get((wanted.type, wanted.jurisdiction)) or GigRequirement(
            type=wanted.type, jurisdiction=wanted.jurisdiction
        )
        row.level, row.max_age_days = wanted.level, wanted.max_age_days
        rows.append(row)
    gig.requirements = rows


def _check_seats(session: Session, gig: Gig, headcount: int) -> None:
    hired = session.scalar(
        sa.select(sa.func.count())
        .select_from(Application)
        .filter_by(gig_id=gig.id, state=ApplicationState.HIRED)
    )
    if hired and headcount < hired:
        raise Invalid(
            _("%(hired)s people already work here, so the headcount cannot be lower.", hired=hired),
            field="headcount",
        )


def _codes(values: Iterable[str]) -> list[str]:
    return sorted({line(value) for value in values if line(value)})
