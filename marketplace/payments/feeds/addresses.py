"""Making, renewing and ending the address, and finding whose it is."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.limits import Limit, network, spend
from marketplace.accounts.models import Person, RoleGrant, SignIn
from marketplace.accounts.tokens import new_token, token_hash
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.payments.feeds.models import CalendarFeed

# A calendar program asks a few times an hour; who guesses is counted by where they are.
READS = Limit("calendar", 60, timedelta(hours=1))
GUESSES = Limit("calendar guesses", 20, timedelta(hours=1))


def live_feed(session: Session, person_id: int) -> CalendarFeed | None:
    """The person's address, if there is one."""
    query = sa.select(CalendarFeed).filter_by(person_id=person_id, ended_at=None)
    return session.scalars(query).one_or_none()


@use_case
def new_address(session: Session, actor: Actor) -> str:
    """A new secret for the expert's calendar, said only now; the one before works no more."""
    actor.require(Role.EXPERT)
    person = session.get_one(Person, actor.id, with_for_update=True)
    _end(session, person)
    token = new_token()
    session.add(CalendarFeed(person=person, token_sha256=token_hash(token), made_at=clock.now()))
    audit.record(session, actor, "calendar.made", "person", person.public_id)
    return token


@use_case
def end_address(session: Session, actor: Actor) -> bool:
    """End the address; False when there was none."""
    person = session.get_one(Person, actor.id, with_for_update=True)
    if not _end(session, person):
        return False
    audit.record(session, actor, "calendar.ended", "person", person.public_id)
    return True


def reader_of(session: Session, token: str, address: str | None) -> Person:
    """Whose calendar it is; `address` is where the request comes from.

    Raises NotFound, also once the person is no expert any more or cannot sign in, and TooMany for who asks or
    guesses too often.
    """
    query = sa.select(CalendarFeed).join(CalendarFeed.person).where(Person.closed_at.is_(None), _may_read())
    feed = session.scalars(query.filter_by(token_sha256=token_hash(token), ended_at=None)).one_or_none()
    if feed is None:
        spend(session, GUESSES, network(address))
        raise NotFound(_("There is no such calendar. Make a new address on the page of your money."))
    person_id = feed.person_id
    spend(session, READS, str(person_id))
    return session.get_one(Person, person_id)


def _may_read() -> sa.ColumnElement[bool]:
    """The person of a feed is an expert, and not every sign-in of theirs is suspended."""
    expert = sa.exists().where(
        RoleGrant.person_id == Person.id, RoleGrant.role == Role.EXPERT, RoleGrant.ended_at.is_(None)
    )
    return sa.and_(expert, sa.exists().where(SignIn.person_id == Person.id, SignIn.disabled_at.is_(None)))


def _end(session: Session, person: Person) -> bool:
    feed = live_feed(session, person.id)
    if feed is not None:
        feed.ended_at = clock.now()
        session.flush()
    return feed is not None
