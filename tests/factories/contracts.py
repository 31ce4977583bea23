"""A contract on which work can begin, made through the use cases, and all who have to do with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.actor import Actor, Role
from marketplace.contracts.entries import Work, add_entry
from marketplace.contracts.models import Contract, Offer, TimeEntry, Timesheet
from marketplace.contracts.offers import OfferDraft, make_offer
from marketplace.contracts.signing import accept_offer
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.gigs.models import Gig, Project
from tests.factories.accounts import a_person, an_actor
from tests.factories.gigs import a_client, a_gig, a_project, an_application, an_expert, fund

FEE_BPS = 2_000
RATE = 150_00
# A Monday at noon in New York, far from any change of the clocks.
MONDAY = datetime(2026, 6, 1, 16, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Deal:
    """Who is on both sides of a contract, and what it is about."""

    client: Actor
    approver: Actor
    expert: Actor
    project: Project
    gig: Gig
    contract: Contract


def an_offer(
    session: Session, client: Actor, expert: Actor, gig: Gig, *, rate: int = RATE, hours: int = 10
) -> Offer:
    """An offer to an expert who applied for it."""
    application = an_application(session, expert, gig)
    draft = OfferDraft(rate=rate, hours_per_week=hours, starts_on=clock.today("America/New_York"))
    return make_offer(session, client, application.public_id, draft, fee_bps=FEE_BPS)


def sign(session: Session, expert: Actor, offer: Offer) -> Contract:
    """Accept an offer under one's own name."""
    return accept_offer(session, expert, offer.public_id, expert.name)


def a_deal(
    session: Session,
    *,
    zone: str = "America/New_York",
    rate: int = RATE,
    hours: int = 10,
    funds: int = 10_000_00,
    requirements: Iterable[object] = (),
    expert: Actor | None = None,
    client_name: str = "Northwind AI",
    project_of: tuple[Actor, Project] | None = None,
) -> Deal:
    """A signed contract, with funds for a while."""
    if project_of is None:
        client, organization = a_client(session, client_name)
        project = a_project(session, client, organization)
    else:
        client, project = project_of
    if funds:
        fund(session, project.public_id, funds)
    gig = a_gig(session, client, project, hours_per_week=hours, requirements=tuple(requirements))
    expert = expert or an_expert(session, zone=zone)
    contract = sign(session, expert, an_offer(session, client, expert, gig, rate=rate, hours=hours))
    dev = a_person(session, "Dev Approver", Role.CLIENT_APPROVER, organization=project.organization)
    return Deal(client, an_actor(session, dev), expert, project, gig, contract)


def work(start: datetime, minutes: int = 60, note: str = "") -> Work:
    """Reviewing from `start` on."""
    return Work(start, start + timedelta(minutes=minutes), "review", note)


def an_entry(session: Session, deal: Deal, start: datetime, minutes: int = 60) -> TimeEntry:
    """Time on the deal's contract."""
    return add_entry(session, deal.expert, deal.contract.public_id, work(start, minutes))


def a_submitted_week(session: Session, deal: Deal, start: datetime, minutes: int = 60) -> Timesheet:
    """A week with one entry, handed to the client."""
    sheet = an_entry(session, deal, start, minutes).timesheet
    return submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)


def person_of(session: Session, actor: Actor) -> Person:
    """The person behind an actor."""
    return session.get_one(Person, actor.id)
