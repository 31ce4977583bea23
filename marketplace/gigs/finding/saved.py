"""Searches that somebody keeps, to look again and to be told of what is new."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from urllib.parse import parse_qs

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Person
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.gigs.finding import texts
from marketplace.gigs.finding.lists import BOOKS
from marketplace.gigs.finding.models import AlertSetting, Cadence, SavedSearch
from marketplace.gigs.finding.search import Search
from marketplace.gigs.models import ExpertProfile
from marketplace.i18n import gettext as _
from marketplace.money import exponent
from marketplace.text import line

MOST = 20
MOST_NAME = 80


@use_case
def save_search(session: Session, actor: Actor, name: str, search: Search, cadence: Cadence) -> SavedSearch:
    """Keep a search under a name; the same name again replaces what it said. Raises Invalid, Refused."""
    actor.require(Role.EXPERT)
    kept = _named(name)
    # Two clicks at once come one after the other.
    session.get_one(Person, actor.id, with_for_update={"key_share": True})
    mine = saved_searches(session, actor)
    found = next((each for each in mine if each.name == kept), None)
    if found is None and len(mine) >= MOST:
        raise Refused(_("You have twenty saved searches. Delete one that you no longer need."))
    saved = found or SavedSearch(person_id=actor.id, name=kept, created_at=clock.now())
    _write(session, saved, search)
    saved.cadence = cadence
    session.add(saved)
    session.flush()
    audit.record(session, actor, "search.saved", "saved_search", saved.public_id, cadence=cadence)
    return saved


@use_case
def change_search(
    session: Session, actor: Actor, public_id: uuid.UUID, name: str, cadence: Cadence
) -> SavedSearch:
    """Another name, or another cadence. Raises NotFound, Invalid."""
    saved, kept = own(session, actor, public_id, lock=True), _named(name)
    if any(each.name == kept and each is not saved for each in saved_searches(session, actor)):
        raise Invalid(_("You have another search of that name."), field="name")
    saved.name, saved.cadence = kept, cadence
    return saved


@use_case
def delete_search(session: Session, actor: Actor, public_id: uuid.UUID) -> None:
    """Keep it no longer. Raises NotFound."""
    session.delete(own(session, actor, public_id, lock=True))


@use_case
def set_cadence(session: Session, actor: Actor, cadence: Cadence) -> None:
    """How soon one hears of gigs that suit."""
    actor.require(Role.EXPERT)
    session.merge(AlertSetting(person_id=actor.id, cadence=cadence))


@use_case
def turn_off(session: Session, person_public_id: uuid.UUID) -> None:
    """Tell this person of no gigs any more, whatever they chose. For the link in a mail; NotFound."""
    person = session.scalars(sa.select(Person).filter_by(public_id=person_public_id)).one_or_none()
    if person is None:
        raise NotFound(_("This link is not whole. Copy all of it from the mail."))
    session.merge(AlertSetting(person_id=person.id, cadence=Cadence.NEVER))
    session.execute(sa.update(SavedSearch).filter_by(person_id=person.id).values(cadence=Cadence.NEVER))


def own(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> SavedSearch:
    """One's own saved search. Raises NotFound."""
    query = sa.select(SavedSearch).filter_by(public_id=public_id, person_id=actor.id)
    found = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if found is None:
        raise NotFound(_("There is no such search."))
    return found


def saved_searches(session: Session, actor: Actor) -> Sequence[SavedSearch]:
    """One's own, by name."""
    query = sa.select(SavedSearch).filter_by(person_id=actor.id)
    return session.scalars(query.order_by(sa.func.lower(SavedSearch.name))).all()


def cadence_of(session: Session, person_id: int) -> Cadence:
    """How soon this person (internal id) hears of gigs that suit."""
    chosen = session.get(AlertSetting, person_id)
    return chosen.cadence if chosen else Cadence.DAILY


def search_of(saved: SavedSearch) -> Search:
    """What it searches for."""
    return Search.read(parse_qs(saved.query))


def cadence_word(cadence: str) -> str:
    """How soon, as people read it."""
    return {
        Cadence.AT_ONCE: _("At once"),
        Cadence.DAILY: _("Each morning"),
        Cadence.WEEKLY: _("Each Monday"),
        Cadence.NEVER: _("Not at all"),
    }[Cadence(cadence)]


def _write(session: Session, saved: SavedSearch, search: Search) -> None:
    profile = session.get(ExpertProfile, saved.person_id)
    currency = profile.currency if profile else BOOKS
    saved.query, saved.currency = search.url_query(), currency
    saved.domains, saved.tasks, saved.languages = (
        list(search.domain),
        list(search.task),
        list(search.language),
    )
    saved.rate = None if search.rate is None else search.rate * 10 ** exponent(currency)
    saved.hours = search.hours
    saved.words = texts.asked_for(session, search.text).words if search.text else None


def _named(name: str) -> str:
    kept = line(name)
    if not kept:
        raise Invalid(_("Give the search a name."), field="name")
    if len(kept) > MOST_NAME:
        raise Invalid(_("Use at most %(most)s characters.", most=MOST_NAME), field="name")
    return kept
