"""F38: the database is restored from last night's backup, and what Stripe did since then stays done."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from marketplace import alarms as alarms_of_site
from marketplace import clock, ledger
from marketplace.actor import Actor
from marketplace.alarms.models import Alarm
from marketplace.alarms.stops import Stops
from marketplace.demo.stripe_server import hands
from marketplace.embedded import Server
from marketplace.errors import Refused
from marketplace.ledger import chart
from marketplace.payments import calling_off, sending
from marketplace.payments.lost import deciding
from marketplace.payments.lost.models import STANDS, LostTransfer
from marketplace.payments.models import Funding
from marketplace.payments.runs import pausing
from marketplace.payments.states import FundingState, ItemState
from tests.factories.payments import a_funding
from tests.faults.ready import Ready, restored

pytestmark = pytest.mark.committed


def a_day_later(house: Ready) -> None:
    """Stripe has forgotten the keys: the same request would pay a second time."""
    house.minutes(26 * 60)
    hands.prune_keys(house.stripe.url)


def alarms(house: Ready) -> list[str]:
    house.session.rollback()
    house.session.expire_all()
    return list(
        house.session.scalars(sa.select(Alarm.subject).where(Alarm.ended_at.is_(None)).order_by(Alarm.id))
    )


def fresh(actor: Actor) -> Actor:
    return replace(actor, second_factor_at=clock.now())


def decided(house: Ready) -> None:
    """Two of finance find that the first lost transfer is the payment that waits for the same account."""
    query = sa.select(LostTransfer).where(STANDS).order_by(LostTransfer.id)
    lost = house.session.scalars(query).first()
    assert lost is not None
    [item] = deciding.that_it_may_pay(house.session, lost)
    asked = deciding.ask(house.session, house.fin, lost.public_id, item.public_id, "Of the lost batch")
    deciding.decide(house.session, fresh(house.gil), lost.public_id, asked.seen)


def test_f38_what_was_sent_since_the_backup_is_found_and_not_sent_again(house: Ready, server: Server) -> None:
    house.released()
    with restored(server, house) as from_backup:
        house.pays()
        house.each_once()
        a_day_later(house)
        house = from_backup()
        assert house.states() == [ItemState.RELEASED] * 2
        house.pays()
        house.each_once()
        assert alarms(house) == []


def test_f38_a_half_sent_batch_goes_on_where_stripe_is(house: Ready, server: Server) -> None:
    batch = house.released()
    with restored(server, house) as from_backup:
        hands.arm(house.stripe.url, "limit_endpoint_rate", "POST /v1/transfers", 1)
        sending.send_batch(house.session, house.gateway, batch)
        assert house.states() == [ItemState.RELEASED] * 2, "busy at the first"
        [first, _second] = house.items()
        order, _purse = sending.claim(house.session, first.id, sending.Purse({"card": 10_000_00}))
        assert order is not None
        sending.send(house.session, house.gateway, order)
        assert len(house.at_stripe()) == 1
        a_day_later(house)
        house = from_backup()
        house.pays()
        house.each_once()


def test_f38_one_that_is_found_again_leaves_the_others_lost(house: Ready, server: Server) -> None:
    """Of two that were sent since the backup the older is called off here, and the newer still waits."""
    house.released()
    with restored(server, house) as from_backup:
        house.pays()
        house.each_once()
        _newest, oldest = house.stripe.client().v1.transfers.list({"limit": 100}).data
        a_day_later(house)
        house = from_backup()
        older = next(each for each in house.items() if each.account.stripe_id == oldest.destination)
        calling_off.call_off(house.session, house.gil, older.public_id, "To be looked at after the restore")
        house.released()
        for _round in range(3):
            house.pays(minutes=5)
        assert len(house.at_stripe()) == 2
        assert alarms(house) == [f"transfer {oldest.id} to {oldest.destination}"]
        assert sorted(house.states()) == sorted([ItemState.FAILED, ItemState.SENT, ItemState.RELEASED])


@pytest.mark.parametrize("before", [True, False], ids=["found", "not found yet"])
def test_f38_a_pause_is_no_decision_about_what_was_lost(house: Ready, server: Server, before: bool) -> None:
    """A careful operator pauses everything during the restore, and lets it go on when all is up again."""
    with restored(server, house) as from_backup:
        house.released()
        house.pays()
        house.each_once()
        a_day_later(house)
        house = from_backup()
        house.released()
        if before:
            house.pays()
        paused = pausing.pause(house.session, fresh(house.gil), None, "Nothing is sent until all is up")
        house.minutes(1)
        pausing.resume(house.session, fresh(house.gil), paused.public_id)
        for _round in range(3):
            house.pays(minutes=5)
        assert len(house.at_stripe()) == 2
        assert len(alarms(house)) == 2


def test_f38_whom_a_lost_batch_paid_nobody_pays_again_before_a_person_decides(
    house: Ready, server: Server
) -> None:
    """The backup is older than the batch: for the books both are still owed."""
    with restored(server, house) as from_backup:
        house.released()
        house.pays()
        house.each_once()
        a_day_later(house)
        house = from_backup()
        house.released()
        for _round in range(3):
            house.pays(minutes=5)
        assert house.states() == [ItemState.RELEASED] * 2
        assert len(house.at_stripe()) == 2
        standing = alarms(house)
        assert len(standing) == 2
        assert all(each.startswith("transfer tr_") for each in standing)
        with pytest.raises(Refused, match="An alarm stops this"):
            alarms_of_site.require_none(house.session, Stops.TRANSFERS)
        # Two who looked into it say which payment each was, one after the other, and sending goes on.
        for left in (1, 0):
            decided(house)
            assert len(alarms(house)) == left
            house.pays()
        house.each_once()


def test_f38_what_clients_paid_since_the_backup_is_booked_again(house: Ready, server: Server) -> None:
    lot, url = a_funding(house.session, house.gateway, house.carla, house.project, 500_00)
    which, project = lot.public_id, house.project.public_id
    before = ledger.balance(house.session, chart.project_funds(project), "USD")
    with restored(server, house) as from_backup:
        hands.pay(url)
        house.minutes(31)
        house.works()
        a_day_later(house)
        house = from_backup()
        house.works()
        [state] = house.session.scalars(sa.select(Funding.state).filter_by(public_id=which))
        assert state is FundingState.PAID
        assert ledger.balance(house.session, chart.project_funds(project), "USD") == before - 500_00
        house.sound()
