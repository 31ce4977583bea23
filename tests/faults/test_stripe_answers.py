"""F10 to F18: Stripe answers by an error, late, nonsense or nothing, before or after its work is done."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace.demo.stripe_server import hands
from marketplace.payments import gateway as door
from marketplace.payments import resolving, sending
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutItem, Transfer
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.states import ItemState, TransferState
from tests.demo.stripe_server.harness import KEY
from tests.faults import proxy
from tests.faults.ready import PAY, Ready

pytestmark = pytest.mark.committed
TRANSFERS = "POST /v1/transfers"
UNKNOWN, SENT, RELEASED = ItemState.UNKNOWN, ItemState.SENT, ItemState.RELEASED
NOT_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n<p>hi</p>"
SAYS_NO = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"error": "no"}'
HALF = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"id": "tr_1", "amou'


@pytest.fixture
def batch(house: Ready) -> UUID:
    """Released, and nothing sent."""
    return house.released()


def arm(house: Ready, kind: str, times: int = 1) -> None:
    hands.arm(house.stripe.url, kind, TRANSFERS, times)


def sends(house: Ready, batch: UUID, gateway: Gateway | None = None) -> None:
    sending.send_batch(house.session, gateway or house.gateway, batch)


def keys(house: Ready) -> list[str]:
    """The idempotency keys of all tries so far, one for each transfer that we wrote down."""
    house.session.rollback()
    return list(house.session.scalars(sa.select(Transfer.idempotency_key).order_by(Transfer.id)))


def test_f10_an_error_before_the_effect_is_tried_again_with_the_same_key(house: Ready, batch: UUID) -> None:
    arm(house, "error_before")
    sends(house, batch)
    assert house.states() == [UNKNOWN, SENT]
    first = keys(house)
    house.pays()
    assert house.states() == [UNKNOWN, SENT], "not at once, but after a while"
    arm(house, "error_before")
    house.pays(minutes=3)
    assert house.states() == [UNKNOWN, SENT]
    [again] = house.items()[0].transfers
    assert again.retry_at is not None
    assert again.retry_at - house.now() > timedelta(minutes=1), "each time a longer while"
    house.pays(minutes=10)
    house.each_once()
    assert keys(house) == first


def test_f11_an_error_after_the_effect_is_found_by_its_group(house: Ready, batch: UUID) -> None:
    """Stripe replays that error for this key for ever: only the look-up ends it."""
    arm(house, "error_after")
    sends(house, batch)
    assert house.states() == [UNKNOWN, SENT]
    first = keys(house)
    with pytest.raises(GatewayUnknown) as replayed:
        sending.send(house.session, house.gateway, transfer_order(house))
    assert replayed.value.code == "stored_error"
    house.pays(minutes=3)
    house.each_once()
    assert keys(house) == first


def transfer_order(house: Ready) -> sending.Order:
    return sending.order_of(house.items()[0].transfers[0])


@pytest.mark.parametrize("kind", ["limit_endpoint_rate", "limit_global_concurrency", "lock_timeout"])
def test_f12_a_burst_of_429_slows_the_run_and_fails_nobody(house: Ready, batch: UUID, kind: str) -> None:
    arm(house, kind, 4)
    for _round in range(10):
        house.pays()
        assert not {ItemState.FAILED, UNKNOWN} & set(house.states())
        if house.states() == [SENT, SENT]:
            break
        house.minutes(5)
    house.each_once()
    assert len(keys(house)) == 2


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, house: Ready) -> Gateway:
    """As on the site, with less patience than its seconds."""
    assert door.TIMEOUT_SECONDS <= 30
    monkeypatch.setattr(door, "TIMEOUT_SECONDS", 0.4)
    return Gateway(KEY, house.stripe.url)


@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
def test_f13_silence_is_given_up_and_then_resolved(
    house: Ready, batch: UUID, impatient: Gateway, kind: str
) -> None:
    arm(house, kind)
    sends(house, batch, impatient)
    assert house.states() == [UNKNOWN, SENT]
    house.pays(minutes=3)
    house.each_once()


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_f14_a_connection_that_stripe_ends_is_an_unknown_outcome(
    house: Ready, batch: UUID, kind: str
) -> None:
    arm(house, kind)
    sends(house, batch)
    assert house.states() == [UNKNOWN, SENT]
    house.pays(minutes=3)
    house.each_once()


@pytest.fixture
def line(house: Ready) -> Iterator[tuple[proxy.Proxy, Gateway]]:
    """A line to Stripe that can be made bad, and the gateway that uses it."""
    with proxy.to_stripe(house.stripe.port) as (made, url):
        yield made, Gateway(KEY, url)


@pytest.mark.parametrize("arrives", [True, False], ids=["done", "not done"])
def test_f14_a_connection_reset_on_the_way(
    house: Ready, batch: UUID, line: tuple[proxy.Proxy, Gateway], arrives: bool
) -> None:
    made, gateway = line
    made.lose_answer(TRANSFERS.encode(), arrives=arrives)
    sends(house, batch, gateway)
    assert house.states() == [UNKNOWN, SENT]
    assert len(house.at_stripe()) == 1 + arrives
    house.pays(minutes=3)
    house.each_once()


def test_f14_an_answer_that_is_cut_in_the_middle(
    house: Ready, batch: UUID, line: tuple[proxy.Proxy, Gateway]
) -> None:
    made, gateway = line
    made.answer(TRANSFERS.encode(), HALF)
    sends(house, batch, gateway)
    assert house.states() == [UNKNOWN, SENT]
    house.pays(minutes=3)
    house.each_once()


def test_f15_a_key_in_use_is_no_failure(house: Ready, batch: UUID) -> None:
    arm(house, "key_in_use")
    sends(house, batch)
    assert house.states() == [UNKNOWN, SENT]
    house.pays(minutes=3)
    house.each_once()


def test_f15_two_workers_at_once_with_the_same_key(house: Ready, batch: UUID) -> None:
    """Both hold the same order, as after a lease that ran out too early. One transfer comes of it."""
    killed_early = replace(transfer_order_of_first(house, batch))
    hands.arm(house.stripe.url, "latency", times=None)

    def send(_worker: int) -> str:
        with house.committed.session() as session:
            try:
                sending.send(session, Gateway(KEY, house.stripe.url), killed_early)
            except GatewayUnknown as error:
                return error.code
        return "sent"

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(send, range(3)))
    assert "sent" in answers
    assert set(answers) <= {"sent", "no_answer"}
    hands.clear_faults(house.stripe.url)
    house.pays(minutes=3)
    house.each_once()


def transfer_order_of_first(house: Ready, batch: UUID) -> sending.Order:
    """The first item, claimed and not sent."""
    [first, _second] = house.items()
    house.batch(batch)
    sending._begin(house.session, batch)
    order, _purse = sending.claim(house.session, first.id, sending.Purse({"card": 10_000_00}))
    assert order is not None
    return order


def test_f16_a_key_that_stripe_forgot_is_not_used_again(house: Ready, batch: UUID) -> None:
    """The same key would pay a second time after a day: first that is shown, then that nobody does it."""
    arm(house, "error_after")
    sends(house, batch)
    order = transfer_order(house)
    house.minutes(30 * 60)
    hands.prune_keys(house.stripe.url)
    house.pays()
    house.each_once()
    again = {"amount": order.amount, "currency": "usd", "destination": order.destination}
    house.stripe.client().v1.transfers.create(
        {**again, "transfer_group": "a-test-s-own"},  # type: ignore[typeddict-item]
        {"idempotency_key": order.key},
    )
    assert len(house.at_stripe()) == 3, "this Stripe forgets its keys as the real one does"


@pytest.mark.parametrize("hours", [22, 24, 30])
def test_f16_what_stripe_never_got_is_sent_with_a_living_key_or_owed_again(
    house: Ready, batch: UUID, hours: int
) -> None:
    arm(house, "drop_before")
    sends(house, batch)
    house.minutes(hours * 60)
    hands.prune_keys(house.stripe.url)
    resolving.resolve_unknown(house.session, house.gateway)
    first, _second = house.states()
    assert first is {22: SENT, 24: UNKNOWN, 30: ItemState.FAILED}[hours]
    assert len(house.at_stripe()) == {22: 2, 24: 1, 30: 1}[hours]
    house.sound()


def test_f17_the_amount_is_frozen_with_the_key(house: Ready, batch: UUID) -> None:
    """Neither what is owed meanwhile nor the application itself changes it; Stripe would refuse it too."""
    arm(house, "error_before")
    sends(house, batch)
    order = transfer_order(house)
    for column in (Transfer.amount, PayoutItem.amount):
        with house.committed.session() as session, pytest.raises(sa.exc.DBAPIError):
            session.execute(sa.update(column.class_).values({column.key: 1}))
    house.gateway.send_transfer(
        order.key,
        amount=order.amount,
        currency=order.currency,
        destination=order.destination,
        group="another",
        source_type=order.source_type,
        metadata={},
    )
    house.pays(minutes=3)
    [first, _second] = house.items()
    assert (first.state, first.transfers[0].failure) == (UNKNOWN, "key_used"), "it waits for a person"
    assert first.transfers[0].state is TransferState.UNKNOWN
    assert first.amount == PAY


@pytest.mark.parametrize("said", [NOT_JSON, SAYS_NO], ids=["a web page", "no with 200"])
def test_f18_an_answer_that_is_not_stripes_is_unknown(
    house: Ready, batch: UUID, line: tuple[proxy.Proxy, Gateway], said: bytes
) -> None:
    made, gateway = line
    made.answer(TRANSFERS.encode(), said)
    sends(house, batch, gateway)
    assert house.states() == [UNKNOWN, SENT]
    house.pays(minutes=3)
    house.each_once()


def test_f18_garbage_to_every_question_stops_the_round(house: Ready, batch: UUID) -> None:
    hands.arm(house.stripe.url, "garbage", "*", None)
    house.pays()
    assert house.states() in ([RELEASED, RELEASED], [UNKNOWN, RELEASED], [UNKNOWN, UNKNOWN])
    hands.clear_faults(house.stripe.url)
    house.pays(minutes=10)
    house.pays(minutes=10)
    house.each_once()
