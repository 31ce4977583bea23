"""F01 to F07 but F04: somebody pulls the plug at a point of paying, approving or applying an event."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from marketplace import ledger
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.models import Approval, Timesheet
from marketplace.contracts.states import TimesheetState
from marketplace.demo.stripe_server import hands
from marketplace.payments import batches, events, facts, sending
from marketplace.payments.gateway import connect
from marketplace.payments.models import Funding, PayoutBatch, WebhookEvent
from marketplace.payments.states import FundingState, ItemState, TransferState
from marketplace.settings import current
from tests.factories.payments import a_funding
from tests.faults.killing import GATEWAY, killed
from tests.faults.ready import PAY, Ready
from tests.stories import acts

pytestmark = pytest.mark.committed


def dies_sending(house: Ready, batch: object, *, before: str = "", after: str = "") -> None:
    """A worker that sends the batch dies there; later another one looks at what it left."""
    killed(
        house.committed.url,
        lambda session: sending.send_batch(session, connect(current()), batch),  # type: ignore[arg-type]
        before=before,
        after=after,
    )


def test_f01_killed_after_the_row_and_before_the_call(house: Ready) -> None:
    batch = house.released()
    dies_sending(house, batch, before=f"{GATEWAY}.send_transfer")
    [first, second] = house.items()
    assert (first.state, second.state) == (ItemState.SENDING, ItemState.RELEASED)
    [written] = first.transfers
    key, amount = written.idempotency_key, written.amount
    assert house.at_stripe() == []
    house.pays()
    assert house.items()[0].state is ItemState.SENDING, "a claim is respected for a while"
    house.pays(minutes=3)
    house.each_once()
    [written] = house.items()[0].transfers
    assert (written.idempotency_key, written.amount) == (key, amount)


def test_f02_killed_after_stripe_did_it_and_before_the_answer_is_read(house: Ready) -> None:
    batch = house.released()
    dies_sending(house, batch, after=f"{GATEWAY}.send_transfer")
    assert len(house.at_stripe()) == 1
    assert house.items()[0].transfers[0].state is TransferState.SENDING
    house.pays(minutes=3)
    house.each_once()
    assert len(ledger.entries_for(house.session, f"payout_item:{house.items()[0].public_id}")) == 2


def test_f03_killed_between_the_answer_and_the_commit(house: Ready) -> None:
    """Everything about the answer is written and the transaction is open when the plug is pulled."""
    batch = house.released()
    dies_sending(house, batch, after="marketplace.payments.transfers:audit.record")
    assert house.items()[0].state is ItemState.SENDING
    assert [each.event for each in ledger.entries_for(house.session, "payout_item:")] == ["released"] * 2
    house.pays(minutes=3)
    house.each_once()


def test_f05_killed_in_the_middle_of_a_run(house: Ready) -> None:
    """What was done stays as it was; the rest is paid as of the same cut-off, and nothing newer with it."""
    batch = house.released()
    cut_off = house.batch(batch).cut_off_at
    dies_sending(house, batch, after="marketplace.payments.sending:record_sent")
    [first, second] = house.items()
    assert (first.state, second.state) == (ItemState.SENT, ItemState.RELEASED)
    done = (first.transfers[0].stripe_id, first.transfers[0].sent_at, first.changed_at)
    newer = house.submitted_later(house.ben)
    approve_timesheet(house.session, house.dev, newer.public_id, newer.version)
    house.pays(minutes=3)
    house.each_once()
    first = house.items()[0]
    assert (first.transfers[0].stripe_id, first.transfers[0].sent_at, first.changed_at) == done
    assert [item.amount for item in house.items()] == [PAY, PAY]
    assert house.session.scalars(sa.select(PayoutBatch.cut_off_at)).all() == [cut_off]


def test_f06_killed_while_approving(house: Ready) -> None:
    sheet = house.submitted_later(house.ana)
    seen, version, dev = sheet.public_id, sheet.version, house.dev

    def now() -> tuple[TimesheetState, int]:
        house.session.rollback()
        house.session.expire_all()
        state = house.session.scalars(sa.select(Timesheet.state).filter_by(public_id=seen)).one()
        query = sa.select(Approval).join(Approval.timesheet).where(Timesheet.public_id == seen)
        approvals = house.session.scalars(query).all()
        posted = [ledger.entries_for(house.session, f"approval:{each.public_id}") for each in approvals]
        assert all(len(entries) == 1 for entries in posted)
        return state, len(approvals)

    points = ("contracts.approvals:freeze", "contracts.approvals:_post", "contracts.approvals:audit.record")
    for point in points:
        killed(
            house.committed.url,
            lambda session: approve_timesheet(session, dev, seen, version),
            after=f"marketplace.{point}",
        )
        assert now() == (TimesheetState.SUBMITTED, 0), point
    approve_timesheet(house.session, house.dev, seen, version)
    assert now() == (TimesheetState.APPROVED, 1)
    house.sound()


def test_f07_killed_between_an_event_is_stored_and_applied(house: Ready) -> None:
    _lot, url = a_funding(house.session, house.gateway, house.carla, house.project, 500_00)
    hands.pay(url)
    [told] = house.stripe.client().v1.events.list({"type": "checkout.session.completed", "limit": 1}).data
    notice = facts.of_event(json.loads(str(told)))
    # The process that took it in dies before it can answer; what it stored stays.
    killed(
        house.committed.url,
        lambda session: events.store_event(session, events.Source.PLATFORM, notice),
        after="marketplace.payments.events:jobs.defer",
    )
    assert house.session.scalars(sa.select(WebhookEvent)).all() == [], "Stripe got no answer, and sends again"
    events.store_event(house.session, events.Source.PLATFORM, notice)
    for point in ("events:_applier", "fundings:_tell", "fundings:settle_funding"):
        killed(
            house.committed.url,
            lambda session: events.drain_webhooks(session, connect(current())),
            after=f"marketplace.payments.{point}",
        )
        house.session.rollback()
        assert house.session.scalars(sa.select(WebhookEvent).filter_by(applied_at=None)).one()
    house.works()
    assert house.session.scalars(sa.select(WebhookEvent).filter_by(applied_at=None)).all() == []
    lot = house.session.scalars(sa.select(Funding).order_by(Funding.id.desc())).first()
    assert lot is not None
    assert lot.state is FundingState.PAID
    assert len(ledger.entries_for(house.session, f"funding:{lot.public_id}")) == 1
    house.sound()


def test_f05_killed_while_releasing_or_preparing_leaves_all_or_nothing(house: Ready) -> None:
    fin, gil, now = house.fin, house.gil, house.now()
    killed(
        house.committed.url,
        lambda session: batches.prepare_batch(session, fin, now),
        after="marketplace.payments.preparing:audit.record",
    )
    assert house.items() == []
    batch = acts.prepared_batch(house).public_id
    killed(
        house.committed.url,
        lambda session: batches.release_batch(session, gil, batch),
        after="marketplace.payments.releasing:_fly",
    )
    assert house.states() == [ItemState.PREPARED, ItemState.PREPARED]
    batches.release_batch(house.session, house.gil, batch)
    house.works()
    house.each_once()
