"""Bonuses and corrections on their way to the bank: in a batch with the hours, once, and explained."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.contracts.adjustments.answering import accept_adjustment
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.errors import Refused
from marketplace.ledger import chart
from marketplace.payments import batches, earnings, payouts, queries, sending
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedPayout, PayoutBatch, PayoutItemAdjustment
from marketplace.payments.proofs import PROOFS
from marketplace.payments.states import Blocker, ItemState
from tests.demo.stripe_server.harness import Handle
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, Deal, a_deal, person_of
from tests.factories.payments import Finance, a_paid_deal, a_released_batch, an_approved_week, finance
from tests.payments.test_statements import section
from tests.visitor import Visitor, words

WHY = "The second reading of the forty cases was flawless."
DAY = timedelta(days=1)
TUESDAY, FRIDAY = MONDAY + DAY, MONDAY + 4 * DAY
HOUR = 150_00


@pytest.fixture
def deal(session: Session, gateway: Gateway) -> Deal:
    """One approved hour of somebody who can be paid."""
    with clock.at(MONDAY):
        made = a_paid_deal(session, gateway)
    an_approved_week(session, made, TUESDAY)
    return made


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(FRIDAY):
        return finance(session)


def give(session: Session, deal: Deal, amount: int, at: datetime = FRIDAY) -> Adjustment:
    with clock.at(at):
        kind, reason = (Kind.BONUS, "outstanding") if amount > 0 else (Kind.CORRECTION, "counted_twice")
        what = Draft(kind, amount, reason, WHY, uuid.uuid4())
        made = adjust(session, deal.client, deal.contract.public_id, what)
        if amount < 0:
            accept_adjustment(session, deal.expert, made.public_id, deal.expert.name)
        return made


def prepare(session: Session, desk: Finance, cut_off: datetime = FRIDAY) -> PayoutBatch:
    with clock.at(max(cut_off, FRIDAY)):
        return batches.prepare_batch(session, desk.fin, cut_off)


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_a_bonus_goes_the_whole_way_and_its_deposit_says_so(
    app: Flask, session: Session, gateway: Gateway, stripe: Handle, deal: Deal, desk: Finance
) -> None:
    bonus, correction = give(session, deal, 50_00), give(session, deal, -20_00)
    with clock.at(FRIDAY):
        batch = a_released_batch(session, desk)
        [item] = batch.items
        assert item.amount == HOUR + 50_00 - 20_00
        assert sending.send_batch(session, gateway, batch.public_id) == 1
    assert [each.state for each in earnings.earned_besides(session, deal.expert)] == ["sent", "sent"]
    no_drift(session)
    stripe.settle()
    with clock.at(FRIDAY + 5 * DAY):
        payouts.track_payouts(session, gateway)
        payout = session.scalars(sa.select(ConnectedPayout)).one()
        deposit = earnings.deposit(session, deal.expert, payout.public_id)
        assert list(deposit.besides) == [bonus, correction]
        assert (payout.amount, deposit.pay.amount, deposit.rest.amount) == (180_00, HOUR, 0)
        page = words(
            Visitor(enter(app.test_client(), session, deal.expert)).get(f"/pay/deposits/{payout.public_id}")
        )
        assert "Bonus Outstanding work" in page
        assert "does not come from these lines" not in page
        fin = Visitor(enter(app.test_client(), session, desk.fin))
        assert "Bonus Outstanding work" in words(fin.get(f"/payouts/items/{item.public_id}"))
        assert "Bonus Outstanding work" in words(fin.get(f"/reconciliation/deposits/{payout.stripe_id}"))
    assert {each.state for each in earnings.earned_besides(session, deal.expert)} == {"paid"}
    no_drift(session)


def test_a_bonus_alone_is_paid_too(session: Session, deal: Deal, desk: Finance) -> None:
    with clock.at(FRIDAY):
        a_released_batch(session, desk)
    for state in ("sending", "sent", "paid", "settled"):
        session.execute(sa.text("UPDATE payout_items SET state = :state"), {"state": state})
    session.expire_all()
    give(session, deal, 50_00)
    assert queries.owed(session, "USD")[1].amount == 50_00
    [item] = prepare(session, desk).items
    assert (item.amount, item.approvals, len(item.adjustments)) == (50_00, [], 1)


def test_a_cancelled_batch_offers_it_again_and_two_never_take_it(
    session: Session, deal: Deal, desk: Finance
) -> None:
    give(session, deal, 50_00)
    with clock.at(FRIDAY):
        first = prepare(session, desk)
        with pytest.raises(Refused):
            prepare(session, desk)
        batches.cancel_batch(session, desk.fin, first.public_id)
        [item] = prepare(session, desk).items
    assert item.amount == HOUR + 50_00
    links = session.scalars(sa.select(PayoutItemAdjustment).filter_by(ended_at=None)).all()
    assert [each.payout_item_id for each in links] == [item.id]
    no_drift(session)


def test_what_is_in_a_batch_can_no_more_be_corrected_down(
    session: Session, deal: Deal, desk: Finance
) -> None:
    prepare(session, desk)
    with pytest.raises(Refused, match=r"\$0.00 of this contract is approved"):
        give(session, deal, -1_00)
    give(session, deal, 50_00)
    # It could take what was given since, and no more.
    with pytest.raises(Refused, match=r"\$50.00 of this contract"):
        give(session, deal, -50_01)
    give(session, deal, -50_00)


def test_a_correction_goes_out_with_what_it_is_taken_off(session: Session, deal: Deal, desk: Finance) -> None:
    """Its week and a later bonus are corrected by more than the week: at a cut-off before the bonus nothing
    goes out, as the books have taken it off already."""
    give(session, deal, 50_00)
    give(session, deal, -160_00)
    with pytest.raises(Refused, match="Nothing that was approved by then"):
        prepare(session, desk, FRIDAY - DAY)
    [item] = prepare(session, desk).items
    assert item.amount == HOUR + 50_00 - 160_00
    with clock.at(FRIDAY):
        assert ledger.balance(session, chart.expert_payable(deal.contract.person.public_id), "USD") == -40_00


def test_a_correction_to_nothing_waits_for_something_to_pay(
    session: Session, deal: Deal, desk: Finance
) -> None:
    give(session, deal, -HOUR)
    with pytest.raises(Refused, match="Nothing that was approved by then"):
        prepare(session, desk)
    give(session, deal, 50_00)
    [item] = prepare(session, desk).items
    assert (item.amount, len(item.approvals), len(item.adjustments)) == (50_00, 1, 2)


def test_whoever_cannot_be_paid_keeps_the_bonus(session: Session, desk: Finance) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
    give(session, deal, 50_00)
    [item] = prepare(session, desk).items
    assert (item.state, item.blocker) == (ItemState.BLOCKED, Blocker.NO_ACCOUNT)
    assert queries.owed(session, "USD")[1].amount == 50_00


def test_a_statement_names_them_and_ties(session: Session, deal: Deal) -> None:
    give(session, deal, 50_00)
    give(session, deal, -20_00)
    found = section(session, person_of(session, deal.expert))
    assert [(line.what, line.gig, line.amount.amount) for line in found.lines[1:]] == [
        ("Bonus: Outstanding work", deal.gig.title, 50_00),
        ("Correction, less pay: Time was counted twice", deal.gig.title, -20_00),
    ]
    assert found.closing.amount == HOUR + 50_00 - 20_00


def test_the_proofs_find_a_bonus_that_is_paid_twice(session: Session, deal: Deal, desk: Finance) -> None:
    bonus = give(session, deal, 50_00)
    [item] = prepare(session, desk).items
    other = a_copy(session, item.id)
    session.add(
        PayoutItemAdjustment(payout_item_id=other, adjustment_id=bonus.id, amount=50_00, ended_at=FRIDAY)
    )
    session.flush()
    [twice] = [each for each in PROOFS if each.code == "I8"]
    assert [each.found for each in twice.run(session)] == ["in 2 payments"]


def a_copy(session: Session, item_id: int) -> int:
    """The same item in a batch of its own."""
    batch = session.scalar(
        sa.text(
            "INSERT INTO payout_batches (public_id, currency, cut_off_at, state, prepared_by, prepared_at) "
            "SELECT gen_random_uuid(), currency, cut_off_at, state, prepared_by, prepared_at "
            "FROM payout_batches RETURNING id"
        )
    )
    return int(
        session.scalar(
            sa.text(
                "INSERT INTO payout_items (public_id, batch_id, person_id, connected_account_id, amount, "
                "state, frozen_sha256, changed_at) SELECT gen_random_uuid(), :batch, person_id, "
                "connected_account_id, amount, 'settled', frozen_sha256, changed_at "
                "FROM payout_items WHERE id = :item RETURNING id"
            ),
            {"batch": batch, "item": item_id},
        )
        or 0
    )
