"""One hour of work, from an empty site to a bank line that everything explains."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import proofs
from marketplace.contracts.models import Contract
from marketplace.gigs.models import Gig, Project
from marketplace.matching import ranking
from marketplace.matching.match import Kind, Verdict
from marketplace.money import Money
from marketplace.payments import earnings
from marketplace.payments.models import PayoutBatch, PayoutItem, Transfer
from marketplace.payments.states import BatchState, ItemState, SweepState
from marketplace.reconciliation import passes
from marketplace.reconciliation.booking import book_opening
from marketplace.reconciliation.models import (
    OpenItem,
    StatementLine,
    StatementMatchLine,
    StripeTransaction,
)
from marketplace.reconciliation.states import ItemState as OpenState
from marketplace.reconciliation.states import LineState
from tests.stories import acts
from tests.stories.books import APPROVED, PAID_OUT, SIGNED, arrived
from tests.stories.house import House

pytestmark = pytest.mark.committed


def test_one_hour_from_gig_to_bank(house: House) -> None:
    ana, session = house.ana, house.session

    # Monday. Rev verifies Ana's licence; Carla pays by card and publishes; the two find each other.
    acts.profile(house, ana)
    acts.licensed(house, ana)
    project = acts.project(house)
    acts.funded(house, project)
    gig = acts.published(house, project)
    the_match_adds_up(session, gig, ana.id)
    contract = acts.signed(house, ana, acts.offered(house, ana, gig))
    acts.set_up_with_stripe(house, ana)
    assert house.journal(project) == SIGNED

    # Wednesday: an hour. Friday: Dev approves, Fin and Gil pay, and the fees go to the bank.
    house.until(day=2)
    sheet = acts.submitted(house, ana, acts.worked_an_hour(house, ana, contract))
    house.until(day=4)
    acts.approved(house, sheet)
    assert house.journal(project) == SIGNED + APPROVED
    acts.released_batch(house)
    house.works()
    sweep = acts.swept(house)
    assert house.journal(project) == SIGNED + APPROVED + PAID_OUT
    the_transfer_is_at_stripe(house)

    # Next Wednesday: Ana's money is at her bank, and the fees are on the operator's statement.
    house.until(day=6)
    house.until(day=9)
    session.refresh(sweep)
    assert sweep.state is SweepState.PAID
    first, *_days = acts.statement_imported(house, house.monday, house.at(9, 12).date()).file.statements
    opening = Money(first.opening or 0, "USD")
    book_opening(session, house.fin, first.account.public_id)
    house.works()
    assert house.journal(project) == SIGNED + APPROVED + PAID_OUT + arrived(opening)
    everything_is_matched(session)
    assert proofs.failing(session) == []
    the_deposit_is_that_hour(house, contract)

    # Five business days later it counts as settled.
    house.until(day=16)
    assert session.scalars(sa.select(PayoutItem)).one().state is ItemState.SETTLED
    assert session.scalars(sa.select(PayoutBatch)).one().state is BatchState.SETTLED
    assert proofs.failing(session) == []


def test_doing_it_all_again_changes_nothing(house: House) -> None:
    acts.an_approved_hour(house, house.ana)
    batch = acts.released_batch(house)
    house.works()
    house.until(day=9)
    acts.statement_imported(house, house.monday, house.at(9, 12).date())
    house.works()
    project = house.session.scalars(sa.select(Project)).one()
    before = house.journal(project)

    for _ in range(2):
        house.works()
        again = acts.statement_imported(house, house.monday, house.at(9, 12).date())
        assert again.again

    assert house.journal(project) == before
    assert house.session.scalars(sa.select(PayoutBatch.public_id)).all() == [batch]
    assert len(house.stripe.client().v1.transfers.list().data) == 1


def the_match_adds_up(session: Session, gig: Gig, person_id: int) -> None:
    """Every must is met, and the points of the merits are the score."""
    match = ranking.match_of(session, gig.id, person_id)
    assert match
    assert all(each.verdict is Verdict.PASS for each in match.criteria if each.kind is Kind.HARD)
    points = {each.code: each.points for each in match.criteria if each.kind is Kind.SOFT}
    assert points == {
        "domain_depth": 30,
        "rate_fit": 20,
        "skills": 15,
        "availability": 15,
        "record": 5,
        "response": 2,
    }
    assert sum(points.values()) == match.score == 87


def the_transfer_is_at_stripe(house: House) -> None:
    """One transfer of Ana's pay, and ours has its id."""
    sent = house.stripe.client().v1.transfers.list().data
    ours = house.session.scalars(sa.select(Transfer)).one()
    assert [(each.id, each.amount, each.destination) for each in sent] == [
        (ours.stripe_id, 150_00, ours.destination)
    ]


def everything_is_matched(session: Session) -> None:
    """Nothing at Stripe, at the bank or in the books is left over."""
    open_items = sa.select(OpenItem).filter_by(state=OpenState.OPEN)
    assert [(each.kind, each.subject) for each in session.scalars(open_items)] == []
    assert [line.state for line in session.scalars(sa.select(StatementLine))] == [LineState.MATCHED]
    matched = sa.select(StatementMatchLine.stripe_transaction_id).filter_by(live=True)
    ids = sa.select(StripeTransaction.id)
    assert set(session.scalars(ids)) <= set(session.scalars(matched))
    assert passes.run(session).confirmed == {}


def the_deposit_is_that_hour(house: House, contract: Contract) -> None:
    """What Ana reads when she asks why her deposit is $150.00."""
    (payout,) = house.session.scalars(earnings.deposits_of(house.ana))
    explained = earnings.deposit(house.session, house.ana, payout.public_id)
    (line,) = explained.lines
    assert (line.contract, line.minutes, line.rate, line.expert_amount) == (contract, 60, 150_00, 150_00)
    assert explained.payout.amount == 150_00
    assert explained.rest is None or explained.rest.amount == 0
    assert house.session.scalars(sa.select(PayoutItem)).one().state is ItemState.PAID
