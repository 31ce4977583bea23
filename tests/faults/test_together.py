"""F39, F42, F44, F45 and F47: several press their buttons, or several workers run, at the same moment."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.actor import Role
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Adjustment, Kind
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.budgets.ending import end_project
from marketplace.contracts.entries import add_entry
from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.contracts.offers import withdraw_offer
from marketplace.contracts.signing import accept_offer
from marketplace.contracts.states import TimesheetState
from marketplace.contracts.timesheets import return_timesheet
from marketplace.db import violated
from marketplace.demo.stripe_server import hands
from marketplace.ledger import chart
from marketplace.payments import batches, resolving, sending
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutBatch
from marketplace.payments.refunds import planning
from marketplace.payments.refunds import sending as refunding
from marketplace.payments.refunds.models import Refund
from marketplace.payments.refunds.releasing import release_refund
from marketplace.reasons.models import Statement
from tests.demo.stripe_server.harness import KEY
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import an_offer, work
from tests.factories.gigs import a_project, an_expert
from tests.factories.payments import fund_by_card
from tests.faults.ready import FUNDS, PAY, Ready
from tests.faults.together import together
from tests.stories import acts

pytestmark = pytest.mark.committed
WHY = "The studies of Tuesday are not in the system, so I cannot see the work."


def test_f39_two_prepare_at_once_and_one_batch_comes_of_it(house: Ready) -> None:
    fin, now = house.fin, house.now()
    answers = together(house.committed, [lambda session: batches.prepare_batch(session, fin, now)] * 4)
    assert answers.count("done") == 1
    assert sum("Nothing that was approved" in each for each in answers) == 3
    assert len(house.items()) == 2
    assert len(house.session.scalars(sa.select(PayoutBatch)).all()) == 1


def test_f39_released_twice_at_once_it_leaves_once(house: Ready) -> None:
    gil, batch = house.gil, acts.prepared_batch(house).public_id
    answers = together(house.committed, [lambda session: batches.release_batch(session, gil, batch)] * 4)
    assert answers.count("done") == 1
    assert [each.event for each in ledger.entries_for(house.session, "payout_item:")] == ["released"] * 2
    house.pays()
    house.each_once()


def test_f39_three_workers_at_once_send_each_once(house: Ready) -> None:
    """Two send the batch, and a third looks for what nobody knows, while Stripe is slow."""
    batch = house.released()
    hands.arm(house.stripe.url, "latency", times=None)

    def sends(session: Session) -> None:
        sending.send_batch(session, Gateway(KEY, house.stripe.url), batch)

    def resolves(session: Session) -> None:
        resolving.resolve_unknown(session, Gateway(KEY, house.stripe.url))

    together(house.committed, [sends, sends, resolves])
    hands.clear_faults(house.stripe.url)
    house.pays(minutes=3)
    house.each_once()
    assert [len(item.transfers) for item in house.items()] == [1, 1]


@pytest.mark.parametrize(
    ("copied", "guard"),
    [
        ("payout_items", "uq_payout_items_live_person"),
        ("payout_item_approvals", "uq_payout_item_approvals_live"),
        ("transfers", "uq_transfers_live_item"),
    ],
)
def test_f39_without_any_lock_the_database_has_no_room_for_a_second(
    house: Ready, copied: str, guard: str
) -> None:
    """One live item a person, one live item an hour, one live transfer an item."""
    batch = house.released()
    hands.arm(house.stripe.url, "error_before", "POST /v1/transfers", 2)
    sending.send_batch(house.session, house.gateway, batch)
    house.session.rollback()
    with house.committed.owner() as owner:
        owner.execute(sa.text(f"CREATE TEMP TABLE one AS SELECT * FROM {copied} LIMIT 1"))
        for change in CHANGES[copied]:
            owner.execute(sa.text(change))
        with pytest.raises(sa.exc.IntegrityError) as refused:
            owner.execute(sa.text(f"INSERT INTO {copied} OVERRIDING SYSTEM VALUE SELECT * FROM one"))
    assert violated(refused.value) == guard


# What a second row has to differ in, so that only the guard is left to refuse it.
NEW = "UPDATE one SET id = 1000, public_id = gen_random_uuid()"
CHANGES = {
    "payout_items": [NEW, "UPDATE one SET batch_id = 1000"],
    "payout_item_approvals": ["UPDATE one SET payout_item_id = (SELECT max(id) FROM payout_items)"],
    "transfers": [NEW, "UPDATE one SET attempt = 2, transfer_group = 'g', idempotency_key = 'k'"],
}


def test_f42_approved_and_returned_at_once_one_wins(house: Ready) -> None:
    sheet = house.submitted_later(house.ana)
    seen, version, dev, carla = sheet.public_id, sheet.version, house.dev, house.carla
    answers = together(
        house.committed,
        [
            lambda session: approve_timesheet(session, dev, seen, version),
            lambda session: return_timesheet(session, carla, seen, version, "work_missing", WHY),
        ],
    )
    assert answers.count("done") == 1
    house.session.expire_all()
    [state] = house.session.scalars(sa.select(Timesheet.state).filter_by(public_id=seen))
    approved = answers[0] == "done"
    assert state is (TimesheetState.APPROVED if approved else TimesheetState.RETURNED)
    assert ("already approved" if approved else "changed since you opened it") in answers[approved]
    counted = [
        house.session.scalar(sa.select(sa.func.count()).select_from(each)) for each in (Approval, Statement)
    ]
    assert counted == [3, 0] if approved else [2, 1]
    house.sound()


def test_f42_an_offer_withdrawn_and_accepted_at_once(house: Ready) -> None:
    cora = an_expert(house.session, "Cora Cruz")
    offer = an_offer(house.session, house.carla, cora, house.gig).public_id
    carla = house.carla
    answers = together(
        house.committed,
        [
            lambda session: accept_offer(session, cora, offer, cora.name),
            lambda session: withdraw_offer(session, carla, offer),
        ],
    )
    assert answers.count("done") == 1
    contracts = house.session.scalar(sa.select(sa.func.count()).select_from(Contract))
    assert contracts == 2 + (answers[0] == "done")
    house.sound()


def test_f44_what_together_exceeds_the_funds_is_not_granted_to_both(house: Ready) -> None:
    """Two bonuses, each of two thirds of what is free."""
    free = -ledger.balance(house.session, chart.project_funds(house.project.public_id), "USD")
    carla, two = house.carla, [house.contract(each).public_id for each in (house.ana, house.ben)]
    # A bonus costs its amount and the fee on it.
    amount = int(free / 1.2 * 2 / 3)
    drafts = [Draft(Kind.BONUS, amount, "outstanding", WHY, uuid4()) for _each in two]
    answers = together(
        house.committed,
        [
            lambda session, which=which, draft=draft: adjust(session, carla, which, draft)
            for which, draft in zip(two, drafts, strict=True)
        ],
    )
    assert answers.count("done") == 1
    assert sum("is free in the project" in each for each in answers) == 1
    left = -ledger.balance(house.session, chart.project_funds(house.project.public_id), "USD")
    assert 0 <= left < free
    assert house.session.scalars(sa.select(Adjustment.amount)).all() == [amount]
    house.sound()


def test_f44_two_tabs_enter_more_than_the_week_has_reserved(house: Ready) -> None:
    house.minutes(4 * 24 * 60)
    ana, contract, now = house.ana, house.contract(house.ana).public_id, house.now()
    hours = [work(now - timedelta(hours=13), 6 * 60), work(now - timedelta(hours=6, minutes=30), 6 * 60)]
    answers = together(
        house.committed,
        [lambda session, each=each: add_entry(session, ana, contract, each) for each in hours],
    )
    assert answers.count("done") == 1
    assert sum("of reserved time left" in each for each in answers) == 1
    house.sound()


def test_f45_what_is_worked_is_paid_and_only_the_rest_goes_back(house: Ready) -> None:
    sheet = house.submitted_later(house.ana)
    seen, version, dev = sheet.public_id, sheet.version, house.dev
    end_project(house.session, house.carla, house.project.public_id, "work_finished", WHY)
    planning.prepare_refunds(house.session)
    assert refunds(house) == [], "a week waits for its approval, so nothing goes back yet"
    answers = together(
        house.committed,
        [
            lambda session: approve_timesheet(session, dev, seen, version),
            planning.prepare_refunds,
            planning.prepare_refunds,
        ],
    )
    assert answers == ["done"] * 3
    # What is reserved for the week that runs comes back when it is over.
    house.until(day=21)
    planning.prepare_refunds(house.session)
    [refund] = refunds(house)
    spent = 3 * PAY * 120 // 100
    assert refund.amount == FUNDS - spent
    release_refund(house.session, house.gil, refund.public_id)
    hal = a_person(house.session, "Hal Hart", Role.FINANCE_RELEASER)
    release_refund(house.session, an_actor(house.session, hal), refund.public_id)
    together(house.committed, [lambda session: refunding.send_refunds(session, gateway(house))] * 2)
    assert at_stripe(house) == [FUNDS - spent]
    house.sound()


def test_f47_a_refund_released_and_sent_twice_at_once_goes_back_once(house: Ready) -> None:
    other = a_project(house.session, house.carla, house.cast.lumen.public_id)
    lot = fund_by_card(house.session, house.gateway, house.carla, other, 500_00)
    house.minutes(5 * 24 * 60)
    house.stripe.settle()
    end_project(house.session, house.carla, other.public_id, "", "")
    together(house.committed, [planning.prepare_refunds] * 3)
    [refund] = refunds(house)
    gil, which = house.gil, refund.public_id
    answers = together(house.committed, [lambda session: release_refund(session, gil, which)] * 3)
    assert answers.count("done") == 1
    together(house.committed, [lambda session: refunding.send_refunds(session, gateway(house))] * 3)
    assert [each.amount for each in house.gateway.refunds(lot.charge or "")] == [500_00]
    events = [each.event for each in ledger.entries_for(house.session, f"refund:{which}")]
    assert sorted(set(events)) == sorted(events)
    house.sound()


def gateway(house: Ready) -> Gateway:
    return Gateway(KEY, house.stripe.url)


def refunds(house: Ready) -> list[Refund]:
    house.session.rollback()
    house.session.expire_all()
    return list(house.session.scalars(sa.select(Refund).order_by(Refund.id)))


def at_stripe(house: Ready) -> list[int]:
    """What went back to clients."""
    return [each.amount for each in house.stripe.client().v1.refunds.list().data]
