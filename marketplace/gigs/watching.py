"""Clients who hear of experts who fit a gig and did not before: each morning or each Monday."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import parse_qs

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock, jobs
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import Person
from marketplace.actor import CLIENT, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid
from marketplace.gigs import candidates, find
from marketplace.gigs.candidates import NEWEST
from marketplace.gigs.finding.models import Cadence, ExpertWatch
from marketplace.gigs.finding.telling import MONDAY, MORNING, NAMED, OVERDUE
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.narrowing import Wanted
from marketplace.gigs.states import GigState
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext, reading
from marketplace.notifications import notify

CADENCES = (Cadence.DAILY, Cadence.WEEKLY)
KIND = "gigs.experts"
# Longer than the hour in which it is morning, so that nobody hears twice in it.
JUST_NOW = timedelta(hours=2)
AT_ONCE, MOST_KNOWN = 500, 10_000


@use_case
def watch(
    session: Session, actor: Actor, gig_public_id: uuid.UUID, wanted: Wanted, cadence: Cadence
) -> ExpertWatch:
    """Hear of whoever newly fits the gig and what is wanted; again replaces what was said before.

    For the gig's own client; whoever fits already is known. Raises NotFound, NotAllowed, Invalid.
    """
    gig = find.own_gig(session, actor, gig_public_id)
    if cadence not in CADENCES:
        raise Invalid(_("Choose how often."), field="cadence")
    # Two clicks at once come one after the other.
    session.get_one(Person, actor.id, with_for_update={"key_share": True})
    now = clock.now()
    kept = watch_of(session, actor, gig) or ExpertWatch(gig_id=gig.id, person_id=actor.id, created_at=now)
    kept.query, kept.cadence, kept.looked_at = wanted.url_query(), cadence, now
    kept.known = candidates.free(session, gig, wanted)
    session.add(kept)
    session.flush()
    audit.record(session, actor, "experts.watched", "gig", gig.public_id, cadence=cadence)
    return kept


@use_case
def unwatch(session: Session, actor: Actor, gig_public_id: uuid.UUID) -> None:
    """Hear of nobody any more; again changes nothing. Raises NotFound, NotAllowed."""
    gig = find.own_gig(session, actor, gig_public_id)
    session.execute(sa.delete(ExpertWatch).filter_by(gig_id=gig.id, person_id=actor.id))


def watch_of(session: Session, actor: Actor, gig: Gig) -> ExpertWatch | None:
    """What this person wants to hear of for this gig."""
    return session.scalars(sa.select(ExpertWatch).filter_by(gig_id=gig.id, person_id=actor.id)).one_or_none()


def wanted_of(watch: ExpertWatch) -> Wanted:
    """What it is narrowed down to."""
    return Wanted.read(parse_qs(watch.query))


def tell_watchers(session: Session) -> int:
    """Tell those for whom it is eight in the morning, or who should have heard long ago; how many."""
    told, after = 0, 0
    while ids := _due(session, after):
        told += jobs.one_by_one(session, _tell, ids)
        after = ids[-1]
    return told


def _due(session: Session, after: int) -> Sequence[int]:
    now = clock.now()
    here = sa.func.timezone(Person.time_zone, now)
    morning = (sa.extract("hour", here) == MORNING) & (ExpertWatch.looked_at < now - JUST_NOW)
    when = {Cadence.DAILY: morning, Cadence.WEEKLY: morning & (sa.extract("isodow", here) == MONDAY)}
    due = (
        (ExpertWatch.cadence == each) & (when[each] | (ExpertWatch.looked_at < now - OVERDUE[each]))
        for each in CADENCES
    )
    query = sa.select(ExpertWatch.id).join(Person, Person.id == ExpertWatch.person_id).where(sa.or_(*due))
    ids = session.scalars(query.where(ExpertWatch.id > after).order_by(ExpertWatch.id).limit(AT_ONCE)).all()
    session.rollback()
    return ids


@use_case
def _tell(session: Session, watch_id: int) -> bool:
    query = sa.select(ExpertWatch).filter_by(id=watch_id).with_for_update(skip_locked=True, of=ExpertWatch)
    gig_and_all = joinedload(ExpertWatch.gig).joinedload(Gig.project).joinedload(Project.organization)
    watch = session.scalars(query.options(gig_and_all)).one_or_none()
    if watch is None:
        return False
    actor, organization = actor_for(session, watch.person_id), watch.gig.project.organization_id
    if not actor.has(*CLIENT, organization_id=organization):
        session.delete(watch)
        return False
    watch.looked_at = clock.now()
    new = _new(session, watch) if watch.gig.state is GigState.PUBLISHED else []
    if new:
        _say(session, watch, new)
    return bool(new)


def _new(session: Session, watch: ExpertWatch) -> list[int]:
    known = set(watch.known)
    fitting = candidates.free(session, watch.gig, wanted_of(watch))
    new = [person_id for person_id in fitting if person_id not in known]
    watch.known = [*watch.known, *new][-MOST_KNOWN:]
    return new


def _say(session: Session, watch: ExpertWatch, new: Sequence[int]) -> None:
    person, gig = session.get_one(Person, watch.person_id), watch.gig
    with reading(person.locale, person.time_zone):
        title = ngettext(
            "%(n)s more expert fits %(gig)s", "%(n)s more experts fit %(gig)s", len(new), gig=gig.title
        )
        lines = [
            _("Expert %(label)s in %(country)s, match %(score)s of 100.",
              label=each.profile.label, country=each.place, score=each.match.score)
            for each in candidates.some(session, gig, new[:NAMED])
        ]  # fmt: skip
        if len(new) > NAMED:
            lines.append(ngettext("And %(n)s more.", "And %(n)s more.", len(new) - NAMED))
    path = f"/gigs/{gig.public_id}/experts?{watch.query}{'&' if watch.query else ''}sort={NEWEST}"
    notify(session, person.id, KIND, title, "\n".join(lines), path)
