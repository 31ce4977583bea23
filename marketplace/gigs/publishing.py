"""Publishing, pausing and closing a gig."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs import data_use, find, guidelines, projection, successors
from marketplace.gigs.finding import texts
from marketplace.gigs.models import Gig
from marketplace.gigs.states import GIG_MOVES, PROJECT_MOVES, GigState, ProjectState, move
from marketplace.i18n import gettext as _

# Somewhere it is still yesterday.
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Gap:
    """What a gig does not say yet: the input, and a sentence that asks for it."""

    field: str
    sentence: str


def missing(gig: Gig | SimpleNamespace) -> list[Gap]:
    """Everything that keeps the gig, or what it would say, from being published; empty when nothing does."""
    wanted = [
        ("domain", gig.domain, _("Choose the domain whose experts you need.")),
        ("task_kind", gig.task_kind, _("Say what kind of task it is.")),
        ("description", gig.description, _("Describe the work, so that an expert can judge it.")),
        ("trains", gig.trains, _("Say what the work trains.")),
        ("used_in", gig.used_in, _("Say what the work may be used in.")),
        ("owned_by", gig.owned_by, _("Say who owns the work.")),
        ("kept_for", gig.kept_for, _("Say how long the work is kept.")),
        ("uses", gig.uses is not None, _("Say whether the work is for any of the uses that some refuse.")),
        ("rate_min", gig.rate_min, _("Give the lowest hourly rate.")),
        ("rate_max", gig.rate_max, _("Give the highest hourly rate.")),
        ("hours_per_week", gig.hours_per_week, _("Say how many hours a week you need from each person.")),
        ("headcount", gig.headcount, _("Say how many people you need.")),
        ("starts_on", gig.starts_on, _("Give the day on which work begins.")),
    ]
    return [Gap(field, sentence) for field, value, sentence in wanted if not value]


def gaps_of(gig: Gig) -> list[Gap]:
    """What is missing, and what was fine when the draft was written and is no more."""
    gaps = missing(gig)
    if gig.state is GigState.DRAFT and gig.starts_on and gig.starts_on < clock.today("UTC") - ONE_DAY:
        gaps.append(Gap("starts_on", _("Its first day has passed; give another one.")))
    if gig.test is not None and gig.test.retired_at is not None:
        gaps.append(Gap("test", _("Its test was put away; choose another one, or none.")))
    return gaps


@use_case
def publish_gig(session: Session, actor: Actor, gig_public_id: uuid.UUID) -> Gig:
    """Show the gig to experts, and open its project. Raises Refused naming everything that is missing."""
    project = find.gig(session, actor, gig_public_id).project
    find.project(session, actor, project.public_id, lock=True)
    gig = _own(session, actor, gig_public_id)
    gaps = gaps_of(gig)
    if gaps:
        raise Refused(
            _("This gig cannot be published yet. %(gaps)s", gaps=" ".join(gap.sentence for gap in gaps))
        )
    if project.state is not ProjectState.OPEN:
        move(project, ProjectState.OPEN, PROJECT_MOVES)
    gig.published_at = gig.published_at or clock.now()
    guidelines.keep(session, actor, gig)
    data_use.keep(session, actor, gig)
    texts.write(session, gig)
    return _moved(session, actor, gig, GigState.PUBLISHED)


@use_case
def pause_gig(session: Session, actor: Actor, gig_public_id: uuid.UUID) -> Gig:
    """Take no more applications for now; contracts go on."""
    return _moved(session, actor, _own(session, actor, gig_public_id), GigState.PAUSED)


@use_case
def close_gig(session: Session, actor: Actor, gig_public_id: uuid.UUID) -> Gig:
    """Take no more applications ever; contracts go on."""
    return _moved(session, actor, _own(session, actor, gig_public_id), GigState.CLOSED)


def _own(session: Session, actor: Actor, gig_public_id: uuid.UUID) -> Gig:
    gig = find.gig(session, actor, gig_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=gig.project.organization_id)
    return gig


def _moved(session: Session, actor: Actor, gig: Gig, to: GigState) -> Gig:
    was_published = gig.state is GigState.PUBLISHED
    move(gig, to, GIG_MOVES)
    if was_published or to is GigState.PUBLISHED:
        gig.left_at = clock.now() if was_published else None
    session.flush()
    if to is GigState.PUBLISHED:
        successors.look(session, gig)
    audit.record(session, actor, f"gig.{to}", "gig", gig.public_id, version=gig.version)
    projection.push_gig(session, gig)
    return gig
