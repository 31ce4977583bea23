"""Where a story happens: a committed database, the real local Stripe, and a clock that everybody shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.actor import Actor
from marketplace.gigs.models import Project
from marketplace.payments.gateway import Gateway
from tests.cast import NAMES, Cast
from tests.demo.stripe_server.harness import Handle
from tests.factories.accounts import an_actor
from tests.ledger.journal import Row, rows

NEW_YORK = ZoneInfo("America/New_York")
SITE = "http://localhost:8000"


@dataclass
class House:
    """The parts, and the few things that a story does besides calling use cases."""

    session: Session
    gateway: Gateway
    stripe: Handle
    cast: Cast
    monday: date

    def __getattr__(self, name: str) -> Actor:
        """One of the cast as of now: whoever needs a second factor has just given it."""
        if name not in NAMES:
            raise AttributeError(name)
        return an_actor(self.session, self.cast.person(getattr(self.cast, name)))

    def at(self, day: int, hour: int) -> datetime:
        """An hour in New York, `day` days after the first Monday."""
        return datetime.combine(self.monday + timedelta(days=day), time(hour), NEW_YORK).astimezone(UTC)

    def until(self, day: int, hour: int = 12) -> datetime:
        """Let time pass until then: Stripe does what falls due, and the worker what it always does."""
        clock.advance(self.at(day, hour) - clock.now())
        self.stripe.settle()
        self.works()
        return clock.now()

    def minutes(self, count: int) -> None:
        """Let a little time pass, and nothing else happen."""
        clock.advance(timedelta(minutes=count))

    def now(self) -> datetime:
        """The moment in which the story is."""
        return clock.now()

    def works(self) -> None:
        """The worker runs what waits, and once everything that is due from time to time."""
        jobs.wake(self.session)
        # Waking is part of moving the clock, as on the demo's page, and commits like it.
        self.session.commit()
        jobs.run_due(self.session)

    def journal(self, project: Project) -> list[Row]:
        """The books so far. Whose an account is stands beside its code; the project is Lumen's."""
        ana = self.cast.person(self.cast.ana).public_id
        return rows(self.session, {ana: "Ana", project.public_id: "Lumen"})


def next_monday() -> date:
    """The day on which stories begin, so that weeks, business days and months fall the same in each run."""
    monday = clock.today("America/New_York")
    while monday.weekday() != 0 or not 2 <= monday.day <= 17:
        monday += timedelta(days=1)
    return monday
