"""Where the history is played: its database session, its gateway, its world and its calendar."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import Person, SignIn
from marketplace.actor import Actor
from marketplace.db import new_session
from marketplace.demo.world import World
from marketplace.errors import DomainError
from marketplace.payments.gateway import Gateway

T = TypeVar("T")

WEEKS = 12
SEED = 20_260_901
# While one waits for the database another thinks; more would leave nothing for whoever looks around.
HANDS = 2

log = logging.getLogger(__name__)


@dataclass
class Stage:
    """`monday` is the first of the twelve. Week and day count from zero; hours are UTC."""

    session: Session
    database_url: str
    gateway: Gateway
    world: World
    monday: datetime
    base_url: str
    stripe_url: str
    fee_bps: int

    def when(self, week: int, day: int = 0, hour: int = 14, minute: int = 0) -> datetime:
        """A moment of the history, never later than now."""
        moment = self.monday + timedelta(weeks=week, days=day, hours=hour, minutes=minute)
        return min(moment, datetime.now(UTC) - timedelta(minutes=5))

    @contextmanager
    def at(self, week: int, day: int = 0, hour: int = 14) -> Iterator[datetime]:
        """Be at that moment."""
        moment = self.when(week, day, hour)
        with clock.at(moment):
            yield moment

    def chance(self, *about: object) -> Random:
        """The dice for one thing: they fall the same whoever throws them, and again after a restart."""
        return Random(f"{SEED} {about}")  # noqa: S311

    def each(self, act: Callable[[Stage, T], object], things: Iterable[T]) -> None:
        """Do `act` for every thing, several at once, each on a session of its own. Raises what one raised."""

        def alone(thing: T) -> None:
            with new_session(self.database_url) as session:
                act(replace(self, session=session), thing)

        with ThreadPoolExecutor(HANDS) as hands:
            for done in [hands.submit(copy_context().run, alone, thing) for thing in things]:
                done.result()

    def actor(self, person_id: int) -> Actor:
        """A person at work, with a second factor just given."""
        return actor_for(self.session, person_id, request_id="history", second_factor_at=clock.now())

    def by_email(self, email: str) -> Actor:
        """The person with this address, cast or not."""
        signed = sa.select(SignIn.person_id).where(SignIn.email == email)
        found = self.session.scalar(signed) or self.session.scalar(
            sa.select(Person.id).where(Person.email == email)
        )
        if found is None:
            raise LookupError(email)
        return self.actor(found)


def trying(session: Session, act: Callable[[], object]) -> None:
    """A refusal is a person's everyday: they read the sentence and leave it for later."""
    try:
        act()
    except DomainError as refusal:
        session.rollback()
        log.info("Refused in the history", extra={"sentence": refusal.sentence})


def first_monday(weeks: int = WEEKS) -> datetime:
    """Midnight UTC of the Monday `weeks` weeks before this week's."""
    today = clock.now().date()
    start = today - timedelta(days=today.weekday(), weeks=weeks)
    return datetime.combine(start, time(), UTC)
