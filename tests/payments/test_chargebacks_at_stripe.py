"""Chargebacks and late failures on the local Stripe: webhooks, the poller, the answer, the pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, ledger, settings
from marketplace.actor import SITE
from marketplace.demo.stripe_server import hands
from marketplace.errors import Invalid, Refused
from marketplace.ledger import chart
from marketplace.payments import batches, claiming, events, facts, fundings, sending, tasks, webhooks
from marketplace.payments.chargebacks import answering, failures, recording
from marketplace.payments.chargebacks.models import Chargeback, Evidence
from marketplace.payments.chargebacks.proofs import PROOFS
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import Funding
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.proofs import PROOFS as PAYMENT_PROOFS
from marketplace.payments.states import ChargebackState, EvidenceState, FundingState, ItemState, Rail
from tests.demo.stripe_server.harness import KEY, Handle, until
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import a_paid_deal, a_released_batch, an_approved_week, finance, fund_by_card
from tests.payments.test_events import SECRET, deliver, event, stored
from tests.visitor import Visitor, words


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> None:
    known = replace(settings.current(), stripe_platform_secret=(SECRET,))
    monkeypatch.setattr(webhooks, "current", lambda: known)
    monkeypatch.setattr(tasks, "connect", lambda _settings: gateway)


@pytest.fixture
def lumen(session: Session):
    client, organization = a_client(session)
    return client, a_project(session, client, organization)


@pytest.fixture
def lot(session: Session, gateway: Gateway, lumen) -> Funding:
    return fund_by_card(session, gateway, *lumen, 1_000_00)


def contested(stripe: Handle, lot: Funding, **more: object) -> str:
    """The id at Stripe of a chargeback of the lot."""
    hands.dispute(stripe.url, lot.charge or "", **more)  # type: ignore[arg-type]
    return stripe.client().v1.disputes.list().data[0].id


def one(session: Session) -> Chargeback:
    return session.scalars(sa.select(Chargeback)).one()


def agrees(session: Session, gateway: Gateway) -> None:
    """Our books are Stripe's, and every proof holds."""
    assert gateway.balance().total("USD") == ledger.balance(session, chart.stripe_balance(), "USD")
    assert [drift for proof in (*PROOFS, *PAYMENT_PROOFS) for drift in proof.run(session)] == []


def test_f23_the_same_event_fifteen_times_books_once(session, gateway, client, stripe, lot) -> None:
    dispute = contested(stripe, lot)
    for _time in range(15):
        assert deliver(client, event("charge.dispute.created", dispute)) == 200
    for _again in range(3):
        events.drain_webhooks(session, gateway)
    assert len(stored(session)) == 1
    assert len(one(session).moves) == 1
    agrees(session, gateway)


def test_f25_one_dispute_under_many_event_ids_books_once(session, gateway, client, stripe, lot) -> None:
    dispute = contested(stripe, lot)
    kinds = ("created", "funds_withdrawn", "updated")
    for number, kind in enumerate(kinds):
        deliver(client, event(f"charge.dispute.{kind}", dispute, number))
        events.drain_webhooks(session, gateway)
    assert len(stored(session)) == 3
    assert all(each.applied_at for each in stored(session))
    assert len(one(session).moves) == 1
    agrees(session, gateway)


def test_f24_two_workers_at_once_book_once(session, gateway, stripe, lot) -> None:
    """What both have fetched is recorded one after the other, under the row's lock."""
    dispute = contested(stripe, lot)
    seen = [gateway.dispute(dispute) for _worker in range(2)]
    for found in seen:
        recording.record(session, found)
    assert len(ledger.entries_for(session, "chargeback:")) == 2
    agrees(session, gateway)


def test_f26_closed_comes_before_created(session, gateway, client, stripe, lot) -> None:
    dispute = contested(stripe, lot)
    early = gateway.dispute(dispute)
    hands.decide(stripe.url, dispute, "lost")
    deliver(client, event("charge.dispute.closed", dispute, 1))
    events.drain_webhooks(session, gateway)
    assert one(session).state is ChargebackState.LOST
    deliver(client, event("charge.dispute.created", dispute, 2))
    events.drain_webhooks(session, gateway)
    recording.record(session, early)
    assert one(session).state is ChargebackState.LOST
    agrees(session, gateway)


def test_f27_what_no_webhook_told_of_the_poller_finds(session, gateway, stripe, lot) -> None:
    dispute = contested(stripe, lot, parts=2)
    assert recording.track_chargebacks(session, gateway) == 1
    found = one(session)
    assert (found.state, len(found.moves), found.contested) == (
        ChargebackState.NEEDS_RESPONSE, 2, lot.charge_amount,
    )  # fmt: skip
    agrees(session, gateway)
    hands.decide(stripe.url, dispute, "won_with_fee")
    recording.track_chargebacks(session, gateway)
    assert (found.state, found.contested, found.fee) == (ChargebackState.WON, 0, 0)
    agrees(session, gateway)


def test_f28_a_webhook_before_we_know_of_the_payment_is_tried_again(
    session, gateway, client, stripe, lot
) -> None:
    dispute, charge = contested(stripe, lot), lot.charge
    session.execute(sa.update(Funding).values(charge="ch_not_yet"))
    session.commit()
    deliver(client, event("charge.dispute.created", dispute))
    events.drain_webhooks(session, gateway)
    (waiting,) = stored(session)
    assert (waiting.applied_at, waiting.tries) == (None, 1)
    session.execute(sa.update(Funding).values(charge=charge))
    session.commit()
    with clock.at(clock.now() + timedelta(hours=1)):
        events.drain_webhooks(session, gateway)
    assert one(session).contested == lot.charge_amount


def test_f29_what_failed_here_is_done_when_it_comes_again(
    session, gateway, client, stripe, lot, monkeypatch
) -> None:
    dispute = contested(stripe, lot)
    deliver(client, event("charge.dispute.created", dispute))
    with monkeypatch.context() as broken:
        broken.setattr(recording.books, "follow", lambda *_args: 1 / 0)
        events.drain_webhooks(session, gateway)
    assert session.scalar(sa.select(sa.func.count()).select_from(Chargeback)) == 0
    assert stored(session)[0].error == "ZeroDivisionError"
    with clock.at(clock.now() + timedelta(hours=1)):
        events.drain_webhooks(session, gateway)
    assert one(session).state is ChargebackState.NEEDS_RESPONSE
    agrees(session, gateway)


def test_f48_more_than_the_charge(session, gateway, stripe, lot) -> None:
    dispute = contested(stripe, lot, amount=1_100_00)
    hands.decide(stripe.url, dispute, "lost")
    recording.track_chargebacks(session, gateway)
    found = one(session)
    assert (found.from_funds, found.loss) == (lot.net, 1_100_00 - (lot.net or 0))
    agrees(session, gateway)


def test_f46_the_next_payout_pays_what_was_approved_and_no_more(session, gateway, stripe) -> None:
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    an_approved_week(session, deal, MONDAY)
    with clock.at(MONDAY + timedelta(days=4)):
        desk = finance(session)
        first = a_released_batch(session, desk)
        sending.send_batch(session, gateway, first.public_id)
        (paid,) = first.items
        assert (paid.state, paid.amount) == (ItemState.SENT, 150_00)
        lot = session.scalars(sa.select(Funding)).one()
        dispute = contested(stripe, lot)
        recording.track_chargebacks(session, gateway)
        hands.decide(stripe.url, dispute, "lost")
        recording.track_chargebacks(session, gateway)
    assert one(session).loss > 150_00
    an_approved_week(session, deal, MONDAY + timedelta(days=7))
    with clock.at(MONDAY + timedelta(days=11)):
        fin = replace(desk.fin, second_factor_at=clock.now())
        # The loss is ours: until money of our own makes up for it, no other client's money pays.
        with pytest.raises(Refused, match="Nothing that was approved"):
            batches.prepare_batch(session, fin, clock.now())
        ledger.post(
            session, SITE, source="capital:1", event="paid", currency="USD", occurred_at=clock.now(), memo="",
            lines=[(chart.bank_client(), 5_000_00), (chart.owner_capital(), -5_000_00)],
        )  # fmt: skip
        session.commit()
        second = batches.prepare_batch(session, fin, clock.now())
    assert [each.amount for each in second.items] == [150_00]
    agrees(session, gateway)


class Cut(Gateway):
    """The real gateway, which says what the line does when evidence is sent."""

    def __init__(self, url: str, *, before: bool = False) -> None:
        super().__init__(KEY, url)
        self.before, self.asked = before, 0

    def send_evidence(self, *args: object, **kwargs: object) -> facts.Dispute:
        self.asked += 1
        if not self.before:
            super().send_evidence(*args, **kwargs)  # type: ignore[arg-type]
        raise GatewayUnknown("no_answer", "The line was cut.")


@pytest.fixture
def asked(session: Session, gateway: Gateway, stripe: Handle, lot: Funding) -> Chargeback:
    contested(stripe, lot)
    recording.track_chargebacks(session, gateway)
    return one(session)


def test_the_bank_is_answered_once_and_decides(session, gateway, stripe, asked) -> None:
    fin = finance(session).fin
    with pytest.raises(Invalid):
        answering.answer(session, fin, asked.public_id, "   ")
    evidence = answering.answer(session, fin, asked.public_id, "winning_evidence")
    with pytest.raises(Refused):
        answering.answer(session, fin, asked.public_id, "More of it.")
    for _again in range(3):
        answering.send_evidence(session, gateway)
    assert (evidence.state, asked.state) == (EvidenceState.SENT, ChargebackState.UNDER_REVIEW)
    assert gateway.dispute(asked.stripe_id).submissions == 1
    until(lambda: gateway.dispute(asked.stripe_id).status == "won")
    recording.track_chargebacks(session, gateway)
    assert asked.state is ChargebackState.WON
    agrees(session, gateway)


@pytest.mark.parametrize("before", [True, False])
def test_an_answer_of_unknown_outcome_is_looked_up_and_given_once(
    session, gateway, stripe, asked, before: bool
) -> None:
    evidence = answering.answer(session, finance(session).fin, asked.public_id, "We did the work.")
    cut = Cut(stripe.url, before=before)
    answering.send_evidence(session, cut)
    assert (evidence.state, evidence.failure) == (EvidenceState.UNKNOWN, "no_answer")
    with clock.at(clock.now() + timedelta(hours=1)):
        answering.send_evidence(session, gateway)
    assert evidence.state is EvidenceState.SENT
    assert gateway.dispute(asked.stripe_id).submissions == 1


def test_a_worker_that_died_before_the_answer_was_read_has_it_looked_up(
    session, gateway, stripe, asked
) -> None:
    evidence = answering.answer(session, finance(session).fin, asked.public_id, "We did the work.")
    assert claiming.take(session, Evidence, "evidence")
    session.commit()
    assert answering.send_evidence(session, gateway) == 0
    with clock.at(clock.now() + timedelta(hours=1)):
        assert answering.send_evidence(session, gateway) == 1
    assert evidence.state is EvidenceState.SENT


def test_an_answer_that_comes_too_late_is_refused_and_said(session, gateway, stripe, asked) -> None:
    evidence = answering.answer(session, finance(session).fin, asked.public_id, "We did the work.")
    hands.decide(stripe.url, asked.stripe_id, "lost")
    answering.send_evidence(session, gateway)
    assert (evidence.state, asked.state) == (EvidenceState.REFUSED, ChargebackState.LOST)


def a_debit(session: Session, gateway: Gateway, lumen) -> Funding:
    """A lot that was paid three weeks ago by a debit of the client's bank account, and has succeeded."""
    client, project = lumen
    start = clock.now() - timedelta(days=21)
    with clock.at(start):
        lot = fundings.prepare_funding(session, client, project.public_id, 1_000_00, Rail.BANK_TRANSFER)
        price = {"currency": "usd", "unit_amount": lot.charge_amount, "product_data": {"name": "Funds"}}
        opened = gateway.ask(
            "post", "/v1/checkout/sessions",
            mode="payment", line_items=[{"quantity": 1, "price_data": price}], success_url="http://localhost/",
        ).body  # fmt: skip
        lot.session_id, lot.state = opened["id"], FundingState.OPEN
        session.commit()
        hands.pay_by_debit(opened["url"], moment=start)
    until(lambda: fundings.settle_funding(session, gateway, opened["id"]).state is FundingState.PAID)
    return lot


@pytest.mark.parametrize("told", [True, False])
def test_f49_a_debit_fails_after_it_was_paid(session, gateway, client, stripe, lumen, told: bool) -> None:
    lot = a_debit(session, gateway, lumen)
    hands.fail_debit(stripe.url, lot.charge or "")
    for number in range(3):
        if told:
            deliver(client, event("charge.failed", lot.charge or "", number))
            events.drain_webhooks(session, gateway)
        else:
            failures.track_failures(session, gateway)
    assert lot.state is FundingState.FAILED_AFTER_PAID
    assert ledger.balance(session, chart.project_funds(lumen[1].public_id), "USD") == 0
    assert ledger.balance(session, chart.chargeback_losses(), "USD") == 0
    assert len(ledger.entries_for(session, "funding_failure:")) == 1
    agrees(session, gateway)


def test_the_pages_say_it_to_finance_client_and_stranger(
    app: Flask, session, gateway, stripe, lumen, asked
) -> None:
    desk = finance(session)
    fin = Visitor(enter(app.test_client(), session, desk.fin))
    listed = words(fin.get("/chargebacks"))
    assert "Answer with evidence by" in listed
    page = fin.get(f"/chargebacks/{asked.public_id}")
    said = words(page)
    assert "The cardholder does not recognise the payment" in said
    assert "1210 Chargebacks under contest" in said
    home = words(Visitor(enter(app.test_client(), session, desk.gil)).get("/"))
    assert "A bank contests a payment." in home
    sent = fin.post(f"/chargebacks/{asked.public_id}/evidence", text="We did the work.")
    assert "It is sent to the bank through Stripe" in words(sent)
    assert "We did the work." in words(fin.get(f"/chargebacks/{asked.public_id}"))
    carla, project = lumen
    client_page = Visitor(enter(app.test_client(), session, carla))
    funding = words(client_page.get(f"/projects/{project.public_id}/funding"))
    assert "Your bank has taken the payment back" in funding
    lot_page = f"/fundings/{asked.funding.public_id}"
    assert "Your bank has taken the payment back" in words(client_page.get(lot_page))
    assert "See the chargeback" in words(fin.get(lot_page))
    assert client_page.get("/chargebacks").status_code == 404


def test_the_expert_reads_that_approved_pay_is_safe(app: Flask, session, gateway, stripe) -> None:
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
        contested(stripe, session.scalars(sa.select(Funding)).one())
        recording.track_chargebacks(session, gateway)
        ana = Visitor(enter(app.test_client(), session, deal.expert))
        said = words(ana.get(f"/contracts/{deal.contract.public_id}"))
    assert "Your approved pay is yours" in said
