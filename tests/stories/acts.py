"""What people do in the stories, in the order in which one hour becomes money at a bank."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa

from marketplace.actor import Actor
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.entries import Work, add_entry
from marketplace.contracts.models import Approval, Contract, Offer, Timesheet
from marketplace.contracts.offers import OfferDraft, make_offer
from marketplace.contracts.signing import accept_offer
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.credentials.models import Credential
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.profiles import ProfileDraft, save_profile
from marketplace.money import Money
from marketplace.payments import batches, sweeps
from marketplace.payments.models import ConnectedAccount, Funding, PayoutBatch, Sweep
from marketplace.reconciliation.statements import Imported, import_statement
from tests.factories.contracts import FEE_BPS
from tests.factories.credentials import PDF, a_claim, attested, in_days
from tests.factories.gigs import RADIOLOGY, a_gig, a_project, an_application, licence
from tests.factories.payments import fund_by_card, set_up
from tests.stories.house import House

RATE = 150_00
HOURS = 10
FUNDS = 5_000_00


def profile(house: House, expert: Actor) -> None:
    """A radiologist who asks for $120 an hour at least."""
    draft = ProfileDraft("Radiologist", (RADIOLOGY,), ("en",), Money(120_00, "USD"), 20)
    save_profile(house.session, expert, draft)


def licensed(house: House, expert: Actor, expires_on: date | None = None) -> Credential:
    """The expert claims a licence of New York; Rev looks at the register and verifies it."""
    last_day = expires_on or in_days(365)
    claim = a_claim(house.session, expert, jurisdiction="US-NY", expires_on=last_day, document=PDF)
    attested(house.session, house.rev, claim)
    return claim


def project(house: House) -> Project:
    """Carla's project for Lumen Labs, without money yet."""
    return a_project(house.session, house.carla, house.cast.lumen.public_id)


def funded(house: House, project: Project) -> Funding:
    """Carla pays by card on Stripe's page."""
    return fund_by_card(house.session, house.gateway, house.carla, project, FUNDS)


def published(house: House, project: Project) -> Gig:
    """Carla asks for one radiologist with a licence of New York."""
    return a_gig(
        house.session,
        house.carla,
        project,
        hours_per_week=HOURS,
        headcount=1,
        requirements=(licence("US-NY"),),
    )


def offered(house: House, expert: Actor, gig: Gig) -> Offer:
    """The expert applies, and Carla makes an offer of $150 an hour."""
    application = an_application(house.session, expert, gig).public_id
    draft = OfferDraft(RATE, HOURS, house.monday)
    return make_offer(house.session, house.carla, application, draft, fee_bps=FEE_BPS)


def signed(house: House, expert: Actor, offer: Offer) -> Contract:
    """The expert signs with their name."""
    return accept_offer(house.session, expert, offer.public_id, expert.name)


def set_up_with_stripe(house: House, expert: Actor) -> ConnectedAccount:
    """The expert answers Stripe's questions."""
    return set_up(house.session, house.gateway, expert)


def worked_an_hour(house: House, expert: Actor, contract: Contract) -> Timesheet:
    """The hour before now, written down."""
    now = house.now()
    work = Work(now - timedelta(hours=1), now, "review", "Forty chest studies", items=40)
    return add_entry(house.session, expert, contract.public_id, work).timesheet


def submitted(house: House, expert: Actor, sheet: Timesheet) -> Timesheet:
    """The week goes to the client."""
    return submit_timesheet(house.session, expert, sheet.public_id, sheet.version)


def approved(house: House, sheet: Timesheet) -> Approval:
    """Dev approves what he sees."""
    return approve_timesheet(house.session, house.dev, sheet.public_id, sheet.version)


def an_approved_hour(house: House, expert: Actor) -> Approval:
    """All of it up to here, in the first week: from an empty site to an hour that is owed."""
    profile(house, expert)
    licensed(house, expert)
    lumen = project(house)
    funded(house, lumen)
    contract = signed(house, expert, offered(house, expert, published(house, lumen)))
    set_up_with_stripe(house, expert)
    house.until(day=2)
    sheet = submitted(house, expert, worked_an_hour(house, expert, contract))
    house.until(day=4)
    return approved(house, sheet)


def prepared_batch(house: House) -> PayoutBatch:
    """Fin gathers what is owed."""
    return batches.prepare_batch(house.session, house.fin, house.now())


def released_batch(house: House) -> UUID:
    """Fin prepares, Gil releases. Nothing is sent before the worker runs."""
    batch = prepared_batch(house).public_id
    batches.release_batch(house.session, house.gil, batch)
    return batch


def swept(house: House) -> Sweep:
    """Fin prepares a sweep of the fees, Gil releases it, and the worker sends it."""
    made = sweeps.prepare_sweep(house.session, house.fin).public_id
    sweeps.release_sweep(house.session, house.gil, made)
    house.works()
    return house.session.scalars(sa.select(Sweep).filter_by(public_id=made)).one()


def statement_imported(house: House, since: date, until: date) -> Imported:
    """Fin fetches the statement from the bank and imports it."""
    status, data = house.stripe.get(f"/bank/statement.camt053.xml?from={since}&to={until}")
    assert status == 200
    return import_statement(house.session, house.fin, f"harbour-{until}.xml", data)
