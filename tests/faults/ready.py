"""Two experts who are owed an hour each: made once, and copied for each test with Stripe and the clock."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, embedded, ledger, proofs, settings, tasks
from marketplace.accounts.models import Organization
from marketplace.actor import Actor
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.models import Contract, Timesheet
from marketplace.db import engine
from marketplace.embedded import Server
from marketplace.gigs.models import Gig, Project
from marketplace.ledger import chart
from marketplace.payments import tasks as jobs_of_payments
from marketplace.payments.gateway import connect
from marketplace.payments.models import PayoutBatch, PayoutItem
from marketplace.payments.outcomes import GatewayError
from marketplace.payments.states import ItemState
from marketplace.settings import Settings
from tests.cast import NAMES, Cast
from tests.conftest import TEMPLATE, Committed, _alone
from tests.demo.stripe_server.harness import Handle, stripe_of_the_settings
from tests.factories.contracts import an_offer, sign
from tests.factories.gigs import a_gig, a_project
from tests.factories.payments import fund_by_card, set_up
from tests.stories import acts
from tests.stories.house import House, next_monday

FUNDS = 20_000_00
PAY = 150_00
stripe_in = contextmanager(stripe_of_the_settings)


@dataclass
class Ready(House):
    """Friday noon: Ana and Ben are owed $150.00 each, their accounts are ready, the money is at Stripe."""

    committed: Committed = field(kw_only=True)

    @property
    def project(self) -> Project:
        return self.session.scalars(sa.select(Project)).one()

    @property
    def gig(self) -> Gig:
        return self.session.scalars(sa.select(Gig)).one()

    def contract(self, expert: Actor) -> Contract:
        """The expert's contract on that gig."""
        return self.session.scalars(sa.select(Contract).filter_by(person_id=expert.id)).one()

    def released(self) -> uuid.UUID:
        """A batch that pays both; nothing is sent yet."""
        return acts.released_batch(self)

    def submitted_later(self, expert: Actor) -> Timesheet:
        """On the next Tuesday the expert works an hour and submits it; nothing else happens until then."""
        self.minutes(4 * 24 * 60)
        return acts.submitted(self, expert, acts.worked_an_hour(self, expert, self.contract(expert)))

    def batch(self, public_id: uuid.UUID) -> PayoutBatch:
        """The batch as it stands now."""
        self.session.rollback()
        self.session.expire_all()
        return self.session.scalars(sa.select(PayoutBatch).filter_by(public_id=public_id)).one()

    def items(self) -> list[PayoutItem]:
        """All items as they stand now."""
        self.session.rollback()
        self.session.expire_all()
        return list(self.session.scalars(sa.select(PayoutItem).order_by(PayoutItem.id)))

    def pays(self, minutes: int = 0) -> None:
        """After some minutes the worker does what it does for payments; what fails it tries again later."""
        self.minutes(minutes)
        self.session.rollback()
        for job in (jobs_of_payments.resolve_unknown, jobs_of_payments.send_waiting):
            with suppress(GatewayError):
                job(self.session)
        going = sa.select(PayoutBatch.public_id).where(PayoutBatch.items.any(state=ItemState.RELEASED))
        for batch in self.session.scalars(going).all():
            jobs_of_payments.send_batch(self.session, str(batch))

    def states(self) -> list[ItemState]:
        return [item.state for item in self.items()]

    def at_stripe(self) -> list[tuple[str, int]]:
        """What Stripe sent, by destination."""
        found = self.stripe.client().v1.transfers.list({"limit": 100}).data
        return sorted((str(each.destination), each.amount) for each in found)

    def each_once(self) -> None:
        """Both were sent their pay, once, and all books agree."""
        assert self.states() == [ItemState.SENT, ItemState.SENT]
        expected = sorted((str(item.account and item.account.stripe_id), PAY) for item in self.items())
        assert self.at_stripe() == expected
        self.sound()

    def sound(self) -> None:
        """No proof fails, and what the books say of Stripe is what Stripe says."""
        self.session.rollback()
        assert proofs.failing(self.session) == []
        booked = ledger.balance(self.session, chart.stripe_balance(), "USD")
        assert booked == self.gateway.balance().total("USD")
        self.session.rollback()


@dataclass(frozen=True)
class Model:
    """What is copied: the database, the folder with Stripe's data and the clock, and who is who."""

    database: str
    folder: Path
    people: dict[str, Actor]
    monday: date
    settings: Settings  # of the run: without any Stripe


@contextmanager
def model(server: Server, folder: Path) -> Iterator[Model]:
    """Made once for a run."""
    tasks.register()
    name, usual = f"faults_{uuid.uuid4().hex[:12]}", settings.current()
    with pytest.MonkeyPatch.context() as patch, _database(server, name) as made:
        with stripe_in(folder, patch) as stripe:
            people, monday = _play(Committed(made), stripe)
            stripe.stop()
        yield Model(name, folder, people, monday, usual)


@contextmanager
def copy(server: Server, of: Model, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Ready]:
    """A copy for one test."""
    tasks.register()
    shutil.copytree(of.folder, folder, dirs_exist_ok=True)
    name = f"faults_{uuid.uuid4().hex[:12]}"
    with (
        stripe_in(folder, patch) as stripe,
        _database(server, name, of.database) as made,
        Committed(made).session() as session,
    ):
        gateway, cast = connect(settings.current()), _cast(session, of.people)
        yield Ready(session, gateway, stripe, cast, of.monday, committed=Committed(made))


@contextmanager
def restored(server: Server, house: Ready) -> Iterator[Callable[[], Ready]]:
    """Take a backup of the house's database now; what is yielded puts the house on it."""
    house.session.close()
    leave(house.committed.server)
    name, of = f"faults_{uuid.uuid4().hex[:12]}", house.committed.server.owner_url
    with _database(server, name, sa.make_url(of).database) as made, Committed(made).session() as session:
        yield lambda: replace(house, session=session, committed=Committed(made))


@contextmanager
def _database(server: Server, name: str, template: str | None = None) -> Iterator[Server]:
    with _alone("template"):
        made = embedded.create_database(server, name, template or TEMPLATE)
    try:
        yield made
    finally:
        leave(made)
        embedded.drop_database(server, name)


def leave(server: Server) -> None:
    """Close this process's connections to it."""
    engine(server.app_url).dispose()
    engine(server.owner_url).dispose()


def _cast(session: Session, people: dict[str, Actor]) -> Cast:
    cast = Cast(session)
    vars(cast).update(people)
    vars(cast)["lumen"] = session.scalars(sa.select(Organization).filter_by(name="Lumen Labs")).one()
    return cast


def _play(committed: Committed, stripe: Handle) -> tuple[dict[str, Actor], date]:
    with committed.session() as session:
        cast, monday = Cast(session), next_monday()
        house = Ready(session, connect(settings.current()), stripe, cast, monday, committed=committed)
        clock.advance(house.at(0, 12) - clock.now())
        people = {name: getattr(cast, name) for name in NAMES}
        project = a_project(session, house.carla, cast.lumen.public_id)
        fund_by_card(session, house.gateway, house.carla, project, FUNDS)
        gig = a_gig(session, house.carla, project, headcount=5)
        for expert in (house.ana, house.ben):
            acts.profile(house, expert)
            sign(session, expert, an_offer(session, house.carla, expert, gig))
            set_up(session, house.gateway, expert)
        house.until(day=2)
        for expert in (house.ana, house.ben):
            worked = acts.worked_an_hour(house, expert, house.contract(expert))
            sheet = acts.submitted(house, expert, worked)
            approve_timesheet(session, house.dev, sheet.public_id, sheet.version)
        house.until(day=4)
        house.sound()
    leave(committed.server)
    return people, monday
