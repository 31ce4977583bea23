"""From approved weeks to money in experts' banks: prepare, release, send, follow, settle."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import Role
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.payments import batches, earnings, payouts, sending, unpaid
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedPayout, PayoutBatch, PayoutItem
from marketplace.payments.proofs import PROOFS
from marketplace.payments.states import BatchState, Blocker, ItemState
from tests.demo.stripe_server.harness import Handle
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, Deal, a_submitted_week, person_of
from tests.factories.payments import Finance, a_paid_deal, an_approved_week, finance, hire

FRIDAY = MONDAY + timedelta(days=4)
MONTH_LATER = MONDAY + timedelta(days=30)


@pytest.fixture
def deal(session: Session, gateway: Gateway) -> Deal:
    """Ana worked an hour at 150 dollars, and it was approved."""
    with clock.at(MONDAY):
        made = a_paid_deal(session, gateway)
    an_approved_week(session, made, MONDAY)
    return made


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(FRIDAY):
        return finance(session)


def prepared(session: Session, desk: Finance) -> PayoutBatch:
    return batches.prepare_batch(session, desk.fin, clock.now())


def released(session: Session, desk: Finance) -> PayoutBatch:
    gil = replace(desk.gil, second_factor_at=clock.now())
    return batches.release_batch(session, gil, prepared(session, desk).public_id)


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def owed(session: Session, deal: Deal) -> tuple[int, int, int]:
    """Payable, in flight, and held at Stripe for the expert."""
    person = person_of(session, deal.expert).public_id
    accounts = (chart.expert_payable(person), chart.expert_in_flight(person), chart.expert_held(person))
    return tuple(ledger.balance(session, account, "USD") for account in accounts)  # type: ignore[return-value]


def test_the_whole_way_from_approval_to_settled(
    session: Session, gateway: Gateway, stripe: Handle, deal: Deal, desk: Finance
):
    with clock.at(FRIDAY):
        batch = prepared(session, desk)
        assert owed(session, deal) == (-150_00, 0, 0)
        batches.release_batch(session, desk.gil, batch.public_id)
        assert owed(session, deal) == (0, -150_00, 0)
        assert sending.send_batch(session, gateway, batch.public_id) == 1
        assert owed(session, deal) == (0, 0, 150_00)
        assert batch.state == BatchState.SENT
    no_drift(session)
    stripe.settle()
    with clock.at(FRIDAY + timedelta(days=5)):
        payouts.track_payouts(session, gateway)
        assert batch.items[0].state == ItemState.PAID
        assert owed(session, deal) == (0, 0, 0)
        assert payouts.settle_items(session, gateway) == 0
    with clock.at(FRIDAY + timedelta(days=14)):
        assert payouts.settle_items(session, gateway) == 1
    assert (batch.items[0].state, batch.state) == (ItemState.SETTLED, BatchState.SETTLED)
    no_drift(session)


def test_whoever_prepared_does_not_release(session: Session, deal: Deal, desk: Finance):
    with clock.at(FRIDAY):
        both = a_person(session, "Bo Both", Role.FINANCE_PREPARER, Role.FINANCE_RELEASER)
        bo = an_actor(session, both)
        batch = batches.prepare_batch(session, bo, clock.now())
        with pytest.raises(NotAllowed, match="somebody else"):
            batches.release_batch(session, bo, batch.public_id)
        with pytest.raises(NotAllowed):
            batches.release_batch(session, desk.fin, batch.public_id)
        with pytest.raises(FreshFactorNeeded):
            batches.release_batch(session, replace(desk.gil, second_factor_at=None), batch.public_id)
    with pytest.raises(DBAPIError, match="two_people"):
        session.execute(
            sa.update(PayoutBatch).values(released_by=bo.id, released_at=FRIDAY, state="released")
        )


def test_an_expert_sees_of_each_currency_what_is_of_it(session: Session, deal: Deal, desk: Finance):
    with clock.at(MONDAY + timedelta(days=8)):
        a_submitted_week(session, deal, MONDAY + timedelta(days=7), 60)
        released(session, desk)
        dollars, euros = (earnings.sums_of(session, deal.expert, each) for each in ("USD", "EUR"))
    assert (dollars["run"].amount, dollars["submitted"].amount) == (150_00, 150_00)
    assert not any(euros.values())


def test_a_batch_is_of_the_currency_of_what_waits(
    session: Session, deal: Deal, desk: Finance, monkeypatch: pytest.MonkeyPatch, app, cast
):
    assert unpaid.currencies(session) == ["USD"]
    with clock.at(FRIDAY):
        fin = cast.visitor(app, desk.fin)
        assert 'name="currency"' not in fin.get("/payouts").text
        with monkeypatch.context() as two:
            two.setattr(unpaid, "currencies", lambda _session: ["EUR", "USD"])
            assert 'name="currency"' in fin.get("/payouts").text
            with pytest.raises(Invalid, match="one currency"):
                prepared(session, desk)
            fin.post("/payouts", cut_off=FRIDAY.date(), currency="JPY")
            assert session.scalars(sa.select(PayoutBatch)).all() == []
            fin.post("/payouts", cut_off=FRIDAY.date(), currency="USD")
        assert session.scalars(sa.select(PayoutBatch.currency)).all() == ["USD"]
        assert unpaid.currencies(session) == []


def test_releasing_twice_is_refused_and_moves_the_money_once(session: Session, deal: Deal, desk: Finance):
    with clock.at(FRIDAY):
        batch = released(session, desk)
        with pytest.raises(Refused):
            batches.release_batch(session, desk.gil, batch.public_id)
    assert owed(session, deal) == (0, -150_00, 0)


def test_preparing_twice_offers_each_hour_once(session: Session, deal: Deal, desk: Finance):
    with clock.at(FRIDAY):
        prepared(session, desk)
        with pytest.raises(Refused, match="Nothing"):
            prepared(session, desk)


def test_an_expert_without_set_up_is_listed_and_stays_owed(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    with clock.at(MONDAY):
        ben = hire(session, gateway, deal, "Ben Baker", set_up_too=False)
    an_approved_week(session, ben, MONDAY)
    with clock.at(FRIDAY):
        batch = released(session, desk)
        by_name = {item.person.full_name: item for item in batch.items}
        assert by_name["Ben Baker"].blocker == Blocker.NO_ACCOUNT
        assert [item.person.full_name for item in batches.going(batch)] == ["Ana Silva"]
        assert owed(session, ben) == (-150_00, 0, 0)
        with pytest.raises(Refused, match="Nobody"):
            released(session, desk)


def test_a_cancelled_batch_gives_its_hours_back(session: Session, deal: Deal, desk: Finance):
    with clock.at(FRIDAY):
        batch = prepared(session, desk)
        batches.cancel_batch(session, desk.fin, batch.public_id)
        assert batches.total(batches.going(prepared(session, desk))) == 150_00


def test_more_work_waits_for_the_next_batch_while_one_is_on_its_way(
    session: Session, deal: Deal, desk: Finance
):
    with clock.at(FRIDAY):
        released(session, desk)
    an_approved_week(session, deal, MONDAY + timedelta(days=7))
    with clock.at(FRIDAY + timedelta(days=7)):
        batch = prepared(session, desk)
    assert [item.blocker for item in batch.items] == [Blocker.IN_ANOTHER_BATCH]


def test_what_stripe_cannot_cover_yet_waits_with_the_shortfall_named(
    session: Session, gateway: Gateway, deal: Deal, desk: Finance
):
    with clock.at(MONDAY + timedelta(days=3)):
        # The card's money is available two business days after it was paid; take all but 100 dollars away.
        gateway.send_payout("p", amount=19_900_00, currency="USD", source_type="card", metadata={})
    with clock.at(FRIDAY):
        batch = released(session, desk)
        assert sending.send_batch(session, gateway, batch.public_id) == 0
        item = batch.items[0]
        assert (item.state, item.blocker, item.shortfall) == (
            ItemState.RELEASED,
            Blocker.SHORT_BALANCE,
            50_00,
        )
        assert owed(session, deal) == (0, -150_00, 0)
    no_drift(session)


def test_a_refusal_gives_the_pay_back_and_asks_the_expert_to_act(
    session: Session, gateway: Gateway, stripe: Handle, deal: Deal, desk: Finance
):
    with clock.at(FRIDAY):
        batch = released(session, desk)
        account = batch.items[0].account
        stripe.client().v2.core.accounts.close(account.stripe_id, {"applied_configurations": ["recipient"]})
        sending.send_batch(session, gateway, batch.public_id)
    item = batch.items[0]
    assert item.state == ItemState.FAILED
    assert item.failure == "resource_missing"
    assert not account.ready
    assert owed(session, deal) == (-150_00, 0, 0)
    no_drift(session)
    with clock.at(FRIDAY):
        again = prepared(session, desk)
    assert [item.blocker for item in again.items] == [Blocker.NO_ACCOUNT]


def test_every_deposit_is_the_sum_of_its_lines(
    session: Session, gateway: Gateway, stripe: Handle, deal: Deal, desk: Finance
):
    an_approved_week(session, deal, MONDAY + timedelta(days=7), minutes=95)
    with clock.at(FRIDAY + timedelta(days=7)):
        batch = released(session, desk)
        sending.send_batch(session, gateway, batch.public_id)
    stripe.settle()
    payouts.track_payouts(session, gateway)
    payout = session.scalars(sa.select(ConnectedPayout)).one()
    lines = [
        line.expert_amount
        for link in payout.links
        for each in link.transfer.item.approvals
        for line in each.approval.lines
    ]
    assert (len(lines), sum(lines)) == (2, payout.amount)
    assert payout.status == "paid"


def test_the_database_refuses_to_change_what_was_decided(session: Session, deal: Deal, desk: Finance):
    with clock.at(FRIDAY):
        item = prepared(session, desk).items[0]
    with pytest.raises(DBAPIError, match="was decided"):
        session.execute(sa.update(PayoutItem).where(PayoutItem.id == item.id).values(amount=1))
