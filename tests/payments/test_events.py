"""Events from Stripe: late, twice, out of order, forged, or never."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
import stripe as library
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from marketplace import clock, ledger, settings
from marketplace.demo.stripe_server import hands
from marketplace.payments import backfilling, events, facts, fundings, sending, tasks, webhooks
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedPayout, Funding, WebhookEvent
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.states import FundingState, ItemState
from tests.demo.stripe_server.harness import Handle
from tests.factories.contracts import MONDAY
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import a_funding, a_paid_deal, a_released_batch, an_approved_week

SECRET = "whsec_platform"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    known = replace(
        settings.current(), stripe_platform_secret=(SECRET,), stripe_connect_secret=("whsec_connect",)
    )
    monkeypatch.setattr(webhooks, "current", lambda: known)


@pytest.fixture
def paid(session: Session, gateway: Gateway) -> Funding:
    """Paid at Stripe; nobody here knows it yet."""
    client, organization = a_client(session)
    lot, url = a_funding(session, gateway, client, a_project(session, client, organization), 500_00)
    hands.pay(url)
    return lot


def event(kind: str, object_id: str, number: int = 1, account: str | None = None) -> str:
    body = {"id": f"evt_{number}", "object": "event", "type": kind, "data": {"object": {"id": object_id}}}
    return json.dumps(body | ({"account": account} if account else {}))


def deliver(client: FlaskClient, body: str, which: str = "platform", secret: str = SECRET) -> int:
    signature = library.WebhookSignature.generate_signature_header(body, secret, int(time.time()))
    answer = client.post(
        f"/stripe/webhooks/{which}",
        data=body,
        content_type="application/json",
        headers={"Stripe-Signature": signature},
    )
    return answer.status_code


def stored(session: Session) -> list[WebhookEvent]:
    return list(session.scalars(sa.select(WebhookEvent).order_by(WebhookEvent.id)))


def test_an_event_is_answered_at_once_and_applied_by_the_worker(session, gateway, client, paid):
    assert deliver(client, event("checkout.session.completed", paid.session_id)) == 200
    assert paid.state == FundingState.OPEN
    assert events.drain_webhooks(session, gateway) == 1
    assert paid.state == FundingState.PAID
    assert stored(session)[0].applied_at


def test_the_same_event_many_times_has_one_effect(session, gateway, client, paid):
    for _time in range(15):
        assert deliver(client, event("checkout.session.completed", paid.session_id)) == 200
    assert len(stored(session)) == 1
    events.drain_webhooks(session, gateway)
    assert len(ledger.entries_for(session, f"funding:{paid.public_id}")) == 1


def test_several_events_of_one_object_in_any_order_have_one_effect(session, gateway, client, paid):
    deliver(client, event("checkout.session.expired", paid.session_id, 1))
    deliver(client, event("checkout.session.async_payment_failed", paid.session_id, 2))
    deliver(client, event("checkout.session.completed", paid.session_id, 3))
    assert events.drain_webhooks(session, gateway) == 3
    assert paid.state == FundingState.PAID
    assert len(ledger.entries_for(session, f"funding:{paid.public_id}")) == 1


def test_an_event_that_comes_before_our_own_row_is_kept_and_tried_again(session, gateway, client, paid):
    session_id, paid.session_id, paid.state = paid.session_id, None, FundingState.PREPARED
    session.commit()
    deliver(client, event("checkout.session.completed", session_id))
    assert events.drain_webhooks(session, gateway) == 0
    assert stored(session)[0].applied_at is None
    paid.session_id, paid.state = session_id, FundingState.OPEN
    session.commit()
    with clock.at(clock.now() + timedelta(minutes=1)):
        assert events.drain_webhooks(session, gateway) == 1
    assert paid.state == FundingState.PAID


def test_when_our_own_code_breaks_the_event_is_not_lost(session, gateway, client, paid, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(fundings, "record_checkout", lambda *_args: 1 / 0)
        deliver(client, event("checkout.session.completed", paid.session_id))
        assert events.drain_webhooks(session, gateway) == 0
    assert stored(session)[0].error == "ZeroDivisionError"
    with clock.at(clock.now() + timedelta(minutes=1)):
        assert events.drain_webhooks(session, gateway) == 1
    assert paid.state == FundingState.PAID


def test_what_never_came_is_found_by_looking(session, gateway, stripe: Handle, paid, monkeypatch):
    monkeypatch.setattr(tasks, "gateway", lambda: gateway)
    with clock.at(clock.now() + timedelta(minutes=31)):
        tasks.poll(session)
    assert paid.state == FundingState.PAID


def test_a_kind_that_nobody_follows_is_kept(session, gateway, client):
    deliver(client, event("charge.expired", "ch_1"))
    assert events.drain_webhooks(session, gateway) == 1
    assert stored(session)[0].kind == "charge.expired"


@pytest.mark.parametrize("secret", ["whsec_another", "whsec_connect"])
def test_a_forged_event_is_refused_and_leaves_nothing(session, client, secret):
    assert deliver(client, event("payout.paid", "po_1"), secret=secret) == 400
    assert stored(session) == []


def test_there_is_no_fourth_address(client):
    assert deliver(client, event("payout.paid", "po_1"), which="else") == 404


def test_a_payout_of_an_expert_is_followed_from_its_event(session, gateway, stripe: Handle, client):
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    an_approved_week(session, deal, MONDAY)
    with clock.at(MONDAY + timedelta(days=4)):
        batch = a_released_batch(session)
        sending.send_batch(session, gateway, batch.public_id)
    stripe.settle()
    account = batch.items[0].account.stripe_id
    payout = gateway.payouts(MONDAY, account)[0]
    deliver(client, event("payout.paid", payout.id, 1, account), "connect", "whsec_connect")
    deliver(client, event("payout.created", payout.id, 2, account), "connect", "whsec_connect")
    assert events.drain_webhooks(session, gateway) == 2
    assert batch.items[0].state == ItemState.PAID
    assert session.scalars(sa.select(ConnectedPayout.amount)).all() == [150_00]


def test_what_nobody_told_us_is_found_in_the_list_once_and_applied(
    session: Session, gateway: Gateway, paid: Funding
) -> None:
    new = backfilling.backfill(session, gateway)
    assert new > 0
    assert backfilling.backfill(session, gateway) == 0, "it is read on from there"
    kinds = set(session.scalars(sa.select(WebhookEvent.kind)))
    assert "checkout.session.completed" in kinds
    assert events.drain_webhooks(session, gateway) == new
    assert paid.state == FundingState.PAID


def test_a_list_that_breaks_off_is_read_again_from_the_same_place(
    session: Session, gateway: Gateway, paid: Funding, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Gateway.events

    def broken(self: Gateway, since: datetime) -> Iterator[facts.Notice]:
        yield next(iter(whole(self, since)))
        raise GatewayUnknown("no_answer", "")

    with monkeypatch.context() as patched:
        patched.setattr(Gateway, "events", broken)
        with pytest.raises(GatewayUnknown):
            backfilling.backfill(session, gateway)
    assert backfilling.backfill(session, gateway) > 0


def test_more_than_are_taken_at_once_are_all_drained(
    session: Session, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "AT_ONCE", 2)
    notices = [facts.Notice(f"evt_{n}", "plan.created", None, f"plan_{n}", {}) for n in range(5)]
    assert events.store_events(session, events.Source.PLATFORM, notices) == 5
    assert events.store_events(session, events.Source.PLATFORM, notices) == 0
    assert events.drain_webhooks(session, gateway) == 5
    assert events.drain_webhooks(session, gateway) == 0


@pytest.mark.parametrize("bad", ["\\u0000", "\\ud800"])
def test_what_postgresql_cannot_store_is_replaced_and_holds_up_nobody(
    session: Session, gateway: Gateway, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    odd = event("payout.paid", "po_1").replace('"po_1"', f'"po_1", "description": "a{bad}b"')
    assert deliver(client, odd) == 200
    assert stored(session)[0].payload["data"]["object"]["description"] == "a\ufffdb"
    listed = [odd.replace("evt_1", "evt_2"), event("payout.paid", "po_3", 3)]
    notices = [facts.of_event(json.loads(each)) for each in listed]
    monkeypatch.setattr(Gateway, "events", lambda _self, _since: iter(notices))
    assert backfilling.backfill(session, gateway) == 2
    assert [each.stripe_event_id for each in stored(session)] == ["evt_1", "evt_2", "evt_3"]


def test_what_the_database_does_not_take_is_kept_without_its_payload(session: Session) -> None:
    bad = facts.Notice("evt_1", "payout.paid", None, "po_1", {"description": "a\x00b"})
    good = facts.Notice("evt_2", "payout.paid", None, "po_2", {"id": "evt_2"})
    assert events.store_events(session, events.Source.PLATFORM, [bad, good]) == 2
    assert [(each.object_id, each.payload) for each in stored(session)] == [
        ("po_1", {}),
        ("po_2", {"id": "evt_2"}),
    ]


def test_an_event_of_the_list_that_cannot_be_read_hides_no_other(
    gateway: Gateway, paid: Funding, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = clock.now() - timedelta(days=1)
    every = [each.id for each in gateway.events(since)]
    whole = facts.of_event

    def garbled(answer: facts.Answer) -> facts.Notice:
        if answer["id"] == every[0]:
            raise KeyError("data")
        return whole(answer)

    monkeypatch.setattr(facts, "of_event", garbled)
    assert [each.id for each in gateway.events(since)] == every[1:] != []
