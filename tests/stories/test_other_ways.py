"""The same hour where something is otherwise: money that comes later, and people who may not."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from marketplace import clock, proofs
from marketplace.contracts import queries as work
from marketplace.contracts.approvals import approve_timesheet
from marketplace.demo.stripe_server import hands
from marketplace.errors import DomainError, NotAllowed, NotFound, Refused
from marketplace.gigs import find as find_gig
from marketplace.gigs.applications import apply
from marketplace.gigs.models import Project
from marketplace.i18n import day
from marketplace.ledger import NotCovered
from marketplace.payments import batches, fundings
from marketplace.payments.models import Funding, PayoutItem
from marketplace.payments.states import Blocker, FundingState, ItemState, Rail
from tests.factories.gigs import a_gig
from tests.factories.payments import a_funding
from tests.stories import acts
from tests.stories.house import House

pytestmark = pytest.mark.committed


def test_a_bank_transfer_counts_when_it_has_arrived(house: House) -> None:
    project = acts.project(house)
    lot, url = a_funding(house.session, house.gateway, house.carla, project, acts.FUNDS, Rail.BANK_TRANSFER)
    hands.promise_bank_transfer(url)
    fundings.settle_funding(house.session, house.gateway, lot.session_id or "")
    assert lot.state is FundingState.PROCESSING
    assert house.journal(project) == []

    house.until(day=1)
    assert house.session.scalars(sa.select(Funding)).one().state is FundingState.PAID
    assert house.journal(project) == [
        ("funding paid", [
            ("1100", "", "5,000.00", ""),
            ("5010", "", "5.00", ""),
            ("2010", "Lumen", "", "5,000.00"),
            ("4040", "", "", "5.00"),
        ])
    ]  # fmt: skip


def test_an_hour_is_sent_as_soon_as_the_cards_money_is_free(house: House) -> None:
    ana = house.ana
    acts.profile(house, ana)
    acts.licensed(house, ana)
    project = acts.project(house)
    acts.funded(house, project)
    contract = acts.signed(house, ana, acts.offered(house, ana, acts.published(house, project)))
    acts.set_up_with_stripe(house, ana)
    house.until(day=1, hour=9)
    sheet = acts.submitted(house, ana, acts.worked_an_hour(house, ana, contract))
    acts.approved(house, sheet)
    acts.released_batch(house)
    house.works()
    item = house.session.scalars(sa.select(PayoutItem)).one()
    assert (item.state, item.blocker, item.shortfall) == (ItemState.RELEASED, Blocker.SHORT_BALANCE, 150_00)

    house.until(day=3)
    house.session.refresh(item)
    assert (item.state, item.blocker) == (ItemState.SENT, None)
    assert proofs.failing(house.session) == []


def test_nobody_releases_what_they_prepared(house: House) -> None:
    acts.an_approved_hour(house, house.ana)
    batch = acts.prepared_batch(house).public_id
    with pytest.raises(NotAllowed):
        batches.release_batch(house.session, house.fin, batch)
    house.works()
    assert house.stripe.client().v1.transfers.list().data == []


def test_ben_is_told_that_his_licence_ran_out(house: House) -> None:
    ben = house.ben
    acts.profile(house, ben)
    with clock.at(clock.now() - timedelta(days=400)):
        acts.licensed(house, ben, expires_on=house.monday - timedelta(days=30))
    project = acts.project(house)
    acts.funded(house, project)
    gig = acts.published(house, project)
    with pytest.raises(Refused) as refusal:
        apply(house.session, ben, gig.public_id, "")
    assert refusal.value.sentence == (
        "You cannot apply for this gig yet. Yours has ended, or ends before Mon 7 Dec 2026. "
        "Renew US medical licence, New York."
    ).replace("Mon 7 Dec 2026", day(house.monday))


def test_an_offer_without_money_behind_it_cannot_be_signed(house: House) -> None:
    ana = house.ana
    acts.profile(house, ana)
    acts.licensed(house, ana)
    project = acts.project(house)
    acts.funded(house, project)
    first = acts.offered(house, ana, acts.published(house, project))
    acts.signed(house, ana, first)
    ben = house.ben
    acts.profile(house, ben)
    gig = a_gig(house.session, house.carla, project, title="Second opinion", hours_per_week=10)
    with pytest.raises(NotCovered) as refusal:
        acts.signed(house, ben, acts.offered(house, ben, gig))
    assert refusal.value.sentence == (
        "The project has $1,400.00 free; the 2 weeks to reserve need $3,600.00. "
        "The client has to add funds first."
    )


def test_zed_sees_nothing_of_it(house: House) -> None:
    approval = acts.an_approved_hour(house, house.ana)
    contract = approval.timesheet.contract
    project, gig = contract.project, contract.gig
    zed, session = house.zed, house.session
    assert session.scalars(sa.select(Project).where(Project.visible_to(zed))).all() == []
    assert session.scalars(work.contracts_for(zed)).all() == []
    assert session.scalars(work.timesheets_for(zed)).all() == []
    with pytest.raises(NotFound):
        find_gig.project(session, zed, project.public_id)
    for refused in (
        lambda: apply(session, zed, gig.public_id, ""),
        lambda: fundings.prepare_funding(session, zed, project.public_id, 100_00, Rail.CARD),
        lambda: batches.prepare_batch(session, zed, clock.now()),
        lambda: approve_timesheet(session, zed, approval.timesheet.public_id, 2),
    ):
        with pytest.raises(DomainError) as why:
            refused()
        assert isinstance(why.value, (NotFound, NotAllowed))
