"""The world in which every run begins: a funded project, experts whom Stripe would pay, hours owed and hours
handed in. Made once through the use cases, then copied for each run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs, settings
from marketplace.actor import Actor
from marketplace.contracts.approvals import approve_timesheet
from marketplace.demo.stripe_server import hands
from marketplace.payments import connected_accounts
from marketplace.payments.gateway import connect
from marketplace.payments.models import ConnectedAccount
from tests.cast import Cast
from tests.demo.stripe_server.harness import Handle
from tests.factories.contracts import an_offer, sign
from tests.factories.gigs import a_gig, a_project, an_expert
from tests.factories.payments import SITE, fund_by_card
from tests.stories import acts
from tests.stories.house import House, next_monday

FUNDS = 50_000_00
NAMES = ("Ana Alvarez", "Ben Baker", "Cleo Costa", "Dan Diaz")
# The first so many are owed an hour already; the others wait for Dev.
OWED = 2


@dataclass(frozen=True)
class World:
    """Who acts, by their internal ids, and the project's public id."""

    carla: int
    dev: int
    fin: int
    gil: int
    project: str


def build(session: Session, stripe: Handle) -> World:
    """Everything up to the Friday on which the first hours are to be paid."""
    house = House(session, connect(settings.current()), stripe, Cast(session), next_monday())
    clock.advance(house.at(0, 12) - clock.now())
    project = a_project(session, house.carla, house.cast.lumen.public_id)
    fund_by_card(session, house.gateway, house.carla, project, FUNDS)
    gig = a_gig(session, house.carla, project, headcount=len(NAMES))
    hired = []
    for name in NAMES:
        expert = an_expert(session, name)
        hired.append((expert, sign(session, expert, an_offer(session, house.carla, expert, gig))))
        _set_up(house, expert)
    _later(house, 2)
    for stripe_id in session.scalars(sa.select(ConnectedAccount.stripe_id)).all():
        connected_accounts.refresh_account(session, house.gateway, stripe_id or "")
    sheets = [acts.submitted(house, who, acts.worked_an_hour(house, who, on)) for who, on in hired]
    for sheet in sheets[:OWED]:
        approve_timesheet(session, house.dev, sheet.public_id, sheet.version)
    _later(house, 2)
    jobs.wake(session)
    session.commit()
    jobs.run_due(session)
    return World(house.carla.id, house.dev.id, house.fin.id, house.gil.id, str(project.public_id))


def _later(house: House, days: int) -> None:
    clock.advance(timedelta(days=days))
    house.stripe.settle()


def _set_up(house: House, expert: Actor) -> None:
    url = connected_accounts.set_up_payouts(
        house.session, house.gateway, expert, return_url=SITE, refresh_url=SITE
    )
    hands.onboard(url, *expert.name.split())
