"""Telling people of new gigs: at once, each morning or each Monday, in one notice for all that is new.

Whoever is told is looked at again: a gig that has closed meanwhile, that they hid or applied for, or that is
not theirs to take, is left out. A kill loses nothing, since what was told is marked in the same transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, crypto, jobs
from marketplace.accounts.models import Person, SignIn
from marketplace.db import use_case
from marketplace.gigs.finding.alerts import spread
from marketplace.gigs.finding.hiding import hidden_ids
from marketplace.gigs.finding.lists import SHOWN
from marketplace.gigs.finding.models import Cadence, GigAlert, SavedSearch
from marketplace.gigs.models import Application, Gig
from marketplace.gigs.qualification.graders import graders_of
from marketplace.gigs.states import GigState
from marketplace.i18n import gettext as _
from marketplace.i18n import ngettext, reading
from marketplace.matching import ranking
from marketplace.matching.match import Match
from marketplace.notifications import notify

AT_ONCE = 500
NAMED = 5
MORNING, MONDAY = 8, 1
# When the morning was missed, because nobody worked the queue.
OVERDUE = {Cadence.DAILY: timedelta(hours=26), Cadence.WEEKLY: timedelta(days=7, hours=2)}
KIND = "gigs.new"
Told = tuple[Gig, Match]


def tell_at_once(session: Session) -> int:
    """Tell those who want to hear at once; how many."""
    spread(session)
    return _tell_each(session, Cadence.AT_ONCE, sa.true())


def tell_in_the_morning(session: Session) -> int:
    """Tell those for whom it is eight in the morning, on Monday also those who hear weekly; how many."""
    spread(session)
    here = sa.func.timezone(Person.time_zone, clock.now())
    morning = sa.extract("hour", here) == MORNING
    monday = morning & (sa.extract("isodow", here) == MONDAY)
    return _tell_each(session, Cadence.DAILY, morning) + _tell_each(session, Cadence.WEEKLY, monday)


def _tell_each(session: Session, cadence: Cadence, when: sa.ColumnElement[bool]) -> int:
    """Everybody who waits, in batches: whoever cannot be told is met again by the next run."""
    told, after = 0, 0
    while ids := _waiting(session, cadence, when, after):
        told += jobs.one_by_one(session, lambda each, id_: _tell(each, id_, cadence), ids)
        after = ids[-1]
    return told


def _waiting(session: Session, cadence: Cadence, when: sa.ColumnElement[bool], after: int) -> Sequence[int]:
    overdue = GigAlert.queued_at < clock.now() - OVERDUE.get(cadence, timedelta())
    query = (
        sa.select(GigAlert.person_id)
        .join(Person, Person.id == GigAlert.person_id)
        .where(GigAlert.cadence == cadence, GigAlert.told_at.is_(None), GigAlert.person_id > after)
        .where(sa.or_(when, overdue))
        .distinct()
        .order_by(GigAlert.person_id)
        .limit(AT_ONCE)
    )
    ids = session.scalars(query).all()
    session.rollback()
    return ids


@use_case
def _tell(session: Session, person_id: int, cadence: Cadence) -> bool:
    query = sa.select(GigAlert).filter_by(person_id=person_id, cadence=cadence, told_at=None)
    alerts = session.scalars(query.with_for_update(skip_locked=True)).all()
    for alert in alerts:
        alert.told_at = clock.now()
    person = session.get_one(Person, person_id)
    found = _still_good(session, person, alerts) if _reachable(session, person) else []
    if not found:
        return False
    with reading(person.locale, person.time_zone):
        title, body = _said(found), _listed(found)
    path = _path(session, alerts, found)
    notify(session, person_id, KIND, title, body, path, unsubscribe=f"/alerts/off/{token(person.public_id)}")
    return True


def _reachable(session: Session, person: Person) -> bool:
    """Somebody who was brought in from a file has agreed to no mail yet."""
    can_sign_in = sa.select(SignIn.id).where(
        SignIn.person_id == person.id, SignIn.email_verified_at.is_not(None), SignIn.disabled_at.is_(None)
    )
    return person.closed_at is None and bool(session.scalar(sa.select(can_sign_in.exists())))


def _still_good(session: Session, person: Person, alerts: Sequence[GigAlert]) -> list[Told]:
    """The gigs that can still be told of, the best match first. By a saved search also those that do not suit
    yet, but never one's own client's, nor one whose test one grades, nor any while one's work here is
    suspended."""
    searched = {alert.gig_id for alert in alerts if alert.search_id is not None}
    known = hidden_ids(session, person.id) | set(
        session.scalars(sa.select(Application.gig_id).filter_by(person_id=person.id))
    )
    ids = [alert.gig_id for alert in alerts if alert.gig_id not in known]
    open_now = sa.select(Gig).where(Gig.id.in_(ids), Gig.state == GigState.PUBLISHED).options(*SHOWN)
    told: list[Told] = []
    for gig in session.scalars(open_now):
        if person.id in graders_of(session, gig):
            continue
        match = ranking.match_of(session, gig.id, person.id)
        if match is not None and (match.eligible or (gig.id in searched and _may_take(match))):
            told.append((gig, match))
    return sorted(told, key=lambda each: (-each[1].score, -each[0].id))


def _may_take(match: Match) -> bool:
    never = ("standing", "conflict", "places", "funds")
    return all(each.verdict == "pass" for each in match.criteria if each.code in never)


def _said(found: Sequence[Told]) -> str:
    if len(found) == 1:
        return _("New gig: %(gig)s", gig=found[0][0].title)
    return ngettext("%(n)s new gig for you", "%(n)s new gigs for you", len(found))


def _listed(found: Sequence[Told]) -> str:
    lines = []
    for gig, match in found[:NAMED]:
        low, high = gig.band or ("", "")
        lines.append(
            _(
                "%(gig)s, %(client)s: %(low)s to %(high)s an hour, match %(score)s of 100.",
                gig=gig.title,
                client=gig.project.organization.name,
                low=low,
                high=high,
                score=match.score,
            )
        )
    if len(found) > NAMED:
        more = len(found) - NAMED
        lines.append(ngettext("And %(n)s more.", "And %(n)s more.", more))
    return "\n".join(lines)


def _path(session: Session, alerts: Sequence[GigAlert], found: Sequence[Told]) -> str:
    """The gig, when it is one; what a saved search finds, when all come of it; else all gigs."""
    if len(found) == 1:
        return f"/gigs/{found[0][0].public_id}"
    searches = {alert.search_id for alert in alerts}
    search_id = searches.pop() if len(searches) == 1 else None
    saved = session.get(SavedSearch, search_id) if search_id is not None else None
    return f"/gigs?{saved.query}&sort=newest" if saved else "/gigs"


def token(person: uuid.UUID) -> str:
    """What a mail's link says, so that it turns off the alerts of nobody else."""
    return f"{person.hex}.{crypto.fingerprint(person.hex, 'alerts.off').hex()[:40]}"


def person_of(token_text: str) -> uuid.UUID | None:
    """Whose alerts the link turns off; None when it is not one of ours."""
    try:
        person = uuid.UUID(token_text.partition(".")[0])
    except ValueError:
        return None
    return person if crypto.same(token(person), token_text) else None
