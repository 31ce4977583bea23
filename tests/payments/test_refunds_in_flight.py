"""What was promised back is spent on nothing else, and what Stripe refuses is decided by two people."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.actor import Role
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Kind
from marketplace.contracts.budgets.ending import end_project
from marketplace.demo.stripe_server import hands
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.ledger.proofs import PROOFS as LEDGER_PROOFS
from marketplace.payments import fundings
from marketplace.payments.outcomes import GatewayRefused
from marketplace.payments.proofs import PROOFS
from marketplace.payments.refunds import planning, sending
from marketplace.payments.refunds.models import Refund
from marketplace.payments.refunds.refusals import choose_way_out, confirm_way_out
from marketplace.payments.refunds.releasing import confirm_by_hand, note_by_hand
from marketplace.payments.states import REFUND, FundingState, Rail, RefundState, WayOut
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY
from tests.factories.gigs import fund
from tests.factories.payments import a_funding, a_paid_deal, an_approved_week, fund_by_card
from tests.payments.test_funding import lines
from tests.payments.test_refunds import (  # noqa: F401
    WHY,
    balance,
    desk,
    ended,
    found,
    fresh,
    lumen,
    no_drift,
    released,
)
from tests.visitor import Visitor, words

PRAISE = "The second reading of the forty cases was flawless."


def a_bonus(session: Session, deal, amount: int) -> None:
    draft = Draft(Kind.BONUS, amount, "outstanding", PRAISE, uuid.uuid4())
    adjust(session, deal.client, deal.contract.public_id, draft)


def all_but_lots_hold(session: Session) -> None:
    """Where the factory put money in, or took it out, without a lot."""
    proofs = (*PROOFS, *LEDGER_PROOFS)
    assert [drift for proof in proofs if proof.code != "I3" for drift in proof.run(session)] == []


def refuse(monkeypatch, gateway, code: str) -> None:
    def no(key, **asked):
        raise GatewayRefused(code, "no")

    monkeypatch.setattr(gateway, "send_refund", no)


@pytest.fixture
def over(session, gateway):
    """A project with 5,000.00 that has ended with a week paid; what is left is prepared."""
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway, 5_000_00)
    an_approved_week(session, deal, MONDAY)
    with clock.at(MONDAY + timedelta(days=5)):
        end_project(session, deal.client, deal.project.public_id, "work_finished", WHY)
        planning.prepare_refunds(session)
        yield deal


@pytest.mark.parametrize("let_go", [False, True])
def test_a_bonus_cannot_take_what_is_promised_back(session, gateway, over, desk, let_go) -> None:  # noqa: F811
    (refund,) = found(session)
    if let_go:
        released(session, desk, refund)
        assert balance(session, chart.project_funds(over.project.public_id)) == 0
    with pytest.raises(Refused, match=r"\$0\.00 is free"):
        a_bonus(session, over, 1_00)
    if not let_go:
        released(session, desk, refund)
    sending.send_refunds(session, gateway)
    assert refund.state is RefundState.ARRIVED
    no_drift(session)


def test_what_is_added_after_the_end_and_not_promised_can_be_given(session, over, desk) -> None:  # noqa: F811
    fund(session, over.project.public_id, 120_00)
    a_bonus(session, over, 100_00)
    with pytest.raises(Refused):
        a_bonus(session, over, 100_00)
    (refund,) = found(session)
    assert released(session, desk, refund).state is RefundState.RELEASED
    all_but_lots_hold(session)


def test_a_prepared_refund_that_lost_its_cover_is_prepared_anew(session, gateway, over, desk) -> None:  # noqa: F811
    (first,) = found(session)
    fund(session, over.project.public_id, -50_00)
    with pytest.raises(Refused):
        released(session, desk, first)
    session.rollback()
    assert planning.prepare_refunds(session) == 1
    assert planning.prepare_refunds(session) == 0
    first, second = found(session)
    assert (first.state, second.state) == (RefundState.CANCELLED, RefundState.PREPARED)
    assert (second.funding_id, second.amount) == (first.funding_id, first.amount - 50_00)
    with pytest.raises(Refused, match="called off"):
        released(session, desk, first)
    session.rollback()
    released(session, desk, second)
    sending.send_refunds(session, gateway)
    assert second.state is RefundState.ARRIVED
    all_but_lots_hold(session)


@pytest.fixture
def on_its_way(session, gateway, lumen, desk):  # noqa: F811
    """A released refund of 300.00, five days after its payment."""
    client, project = lumen
    fund_by_card(session, gateway, client, project, 300_00)
    with clock.at(clock.now() + timedelta(days=5)):
        (refund,) = ended(session, client, project)
        yield released(session, desk, refund)


def test_a_way_that_cannot_be_used_is_paid_by_hand(session, gateway, on_its_way, monkeypatch) -> None:
    refuse(monkeypatch, gateway, "charge_not_refundable")
    sending.send_refunds(session, gateway)
    assert on_its_way.state is RefundState.OWED
    assert balance(session, chart.client_refunds(on_its_way.project.public_id)) == -300_00
    assert balance(session, chart.refunds_in_flight(on_its_way.project.public_id)) == 0
    no_drift(session)


@pytest.mark.parametrize("code", ["charge_already_refunded", "charge_disputed", "never_heard_of"])
def test_any_other_refusal_waits_for_a_person(session, gateway, on_its_way, monkeypatch, code) -> None:
    refuse(monkeypatch, gateway, code)
    for _again in range(2):
        sending.send_refunds(session, gateway)
    assert (on_its_way.state, on_its_way.failure) == (RefundState.REFUSED, code)
    assert balance(session, chart.refunds_in_flight(on_its_way.project.public_id)) == -300_00
    assert balance(session, chart.client_refunds(on_its_way.project.public_id)) == 0
    no_drift(session)


@pytest.mark.parametrize("part", [300_00, 100_00])
def test_what_somebody_refunded_at_stripe_is_not_owed_again(
    session, gateway, on_its_way, monkeypatch, part
) -> None:
    gateway.send_refund(
        "by hand", charge=on_its_way.funding.charge, amount=part, metadata={}, instructions_email=None
    )
    refuse(monkeypatch, gateway, "charge_not_refundable")
    sending.send_refunds(session, gateway)
    assert (on_its_way.state, on_its_way.failure) == (RefundState.REFUSED, "refunded_elsewhere")
    no_drift(session)


def test_a_refusal_of_what_stripe_has_done_is_no_refusal(session, gateway, on_its_way, monkeypatch) -> None:
    send = gateway.send_refund

    def twice(key, **asked):
        send(key, **asked)
        raise GatewayRefused("charge_already_refunded", "no")

    monkeypatch.setattr(gateway, "send_refund", twice)
    sending.send_refunds(session, gateway)
    assert on_its_way.state is RefundState.ARRIVED
    no_drift(session)


@pytest.fixture
def refused(session, gateway, on_its_way, monkeypatch) -> Refund:
    with monkeypatch.context() as patch:
        refuse(patch, gateway, "charge_disputed")
        sending.send_refunds(session, gateway)
    return on_its_way


def test_two_people_give_it_back_to_the_project(session, gateway, refused, desk) -> None:  # noqa: F811
    with pytest.raises(Invalid):
        choose_way_out(session, desk.fin, refused.public_id, WayOut.FUNDS, " ")
    choose_way_out(session, desk.gil, refused.public_id, WayOut.FUNDS, "The dispute was won.")
    with pytest.raises(NotAllowed):
        confirm_way_out(session, fresh(desk.gil), refused.public_id, WayOut.FUNDS)
    second = an_actor(session, a_person(session, "Gus Second", Role.FINANCE_RELEASER))
    with pytest.raises(Refused, match="Something else"):
        confirm_way_out(session, fresh(second), refused.public_id, WayOut.BY_HAND)
    confirm_way_out(session, fresh(second), refused.public_id, WayOut.FUNDS)
    assert refused.state is RefundState.CANCELLED
    assert balance(session, chart.project_funds(refused.project.public_id)) == -300_00
    assert planning.prepare_refunds(session) == 1
    again = found(session)[1]
    released(session, desk, again)
    sending.send_refunds(session, gateway)
    assert (again.amount, again.state) == (300_00, RefundState.ARRIVED)
    no_drift(session)


def test_or_pay_it_by_hand(session, refused, desk) -> None:  # noqa: F811
    choose_way_out(session, desk.fin, refused.public_id, WayOut.BY_HAND, "The card was closed.")
    for actor in (desk.fin, replace(desk.gil, second_factor_at=None)):
        with pytest.raises((NotAllowed, FreshFactorNeeded)):
            confirm_way_out(session, actor, refused.public_id, WayOut.BY_HAND)
    confirm_way_out(session, fresh(desk.gil), refused.public_id, WayOut.BY_HAND)
    assert refused.state is RefundState.OWED
    assert lines(session, f"refund:{refused.public_id}")[-2:] == [("2510", 300_00), ("2500", -300_00)]
    note_by_hand(session, desk.fin, refused.public_id, "TRN 1")
    confirm_by_hand(session, fresh(desk.gil), refused.public_id)
    assert refused.state is RefundState.PAID_OUT
    no_drift(session)


@pytest.fixture
def by_transfer(session, gateway, stripe, lumen):  # noqa: F811
    """A prepared refund of a payment by bank transfer, and its client."""
    client, project = lumen
    with clock.at(clock.now() - timedelta(days=20)):
        lot, url = a_funding(session, gateway, client, project, 300_00, Rail.BANK_TRANSFER)
        hands.promise_bank_transfer(url, moment=clock.now())
    stripe.settle()
    assert fundings.settle_funding(session, gateway, lot.session_id).state is FundingState.PAID
    (refund,) = ended(session, client, project)
    return refund, client, project


def test_the_address_is_frozen_as_it_is_released(session, gateway, by_transfer, desk, monkeypatch) -> None:  # noqa: F811
    refund, client, _project = by_transfer
    asked = session.get_one(Person, client.id).email
    released(session, desk, refund)
    session.execute(sa.update(Person).where(Person.id == client.id).values(email="carla@private.example"))
    session.commit()
    calls = []
    send = gateway.send_refund
    monkeypatch.setattr(gateway, "send_refund", lambda key, **kw: calls.append(kw) or send(key, **kw))
    with clock.at(clock.now() + timedelta(days=5)):
        sending.send_refunds(session, gateway)
    assert [call["instructions_email"] for call in calls] == [asked]


def test_one_who_left_is_not_asked_for_the_account(session, by_transfer, desk) -> None:  # noqa: F811
    refund, client, project = by_transfer
    end = "UPDATE role_grants SET ended_at = now(), ended_by = granted_by WHERE person_id = :person"
    session.execute(sa.text(end), {"person": client.id})
    session.commit()
    with pytest.raises(Refused, match="no administrator"):
        released(session, desk, refund)
    session.rollback()
    other = a_person(session, "Olga Other", Role.CLIENT_ADMIN, organization=project.organization)
    released(session, desk, refund)
    assert refund.instructions_email == other.email


def change(session: Session, refund: Refund, **values: object) -> None:
    session.flush()
    with session.begin_nested():
        session.execute(sa.update(Refund).where(Refund.id == refund.id).values(**values))


@pytest.mark.parametrize(
    "values",
    [
        {"released_by": None}, {"released_at": None}, {"second_by": 1},
        {"instructions_email": "eve@private.example"}, {"way_out": "funds"}, {"reference": "TRN 1"},
        {"state": "owed"}, {"state": "arrived", "stripe_id": "re_1"},
    ],
)  # fmt: skip
def test_the_database_keeps_what_was_released(session, on_its_way, values) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="refund "):
        change(session, on_its_way, **values)


@pytest.mark.parametrize(
    "values", [{"state": "cancelled"}, {"state": "owed"}, {"state": "released"}, {"state": "paid_out"}]
)
def test_the_database_lets_no_one_person_decide(session, refused, values) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="refund "):
        change(session, refused, **values)


@pytest.mark.parametrize(
    "values",
    [{"stripe_id": "re_other"}, {"stripe_id": None}, {"tries": 9}, {"failure": "x"}, {"state": "sent"}],
)
def test_the_database_keeps_what_arrived(session, gateway, on_its_way, values) -> None:
    sending.send_refunds(session, gateway)
    assert on_its_way.state is RefundState.ARRIVED
    change(session, on_its_way, looked_at=clock.now())
    with pytest.raises(sa.exc.DBAPIError, match="refund "):
        change(session, on_its_way, **values)
    with pytest.raises(sa.exc.DBAPIError):
        session.execute(sa.delete(Refund))


def test_the_database_knows_the_moves_that_the_code_knows(session) -> None:
    source = session.scalar(sa.text("SELECT prosrc FROM pg_proc WHERE proname = 'keep_refunds'"))
    for before, afters in REFUND.items():
        for after in RefundState:
            assert (f"('{before.value}', '{after.value}')" in source) == (after in afters)


def test_the_page_says_why_and_two_decide_on_it(app: Flask, session, refused, desk) -> None:  # noqa: F811
    path = f"/refunds/{refused.public_id}"
    fin = Visitor(enter(app.test_client(), session, desk.fin))
    gil = Visitor(enter(app.test_client(), session, fresh(desk.gil)))
    assert "disputes this payment" in words(fin.get(path))
    assert "Noted" in words(fin.post(f"{path}/way-out", way="by_hand", reason="The card was closed."))
    page = words(gil.get(path))
    assert "The card was closed." in page
    assert "Confirmed" in words(gil.post(f"{path}/way-out/confirm?way=by_hand"))
    session.refresh(refused)
    assert refused.state is RefundState.OWED


def test_the_releaser_sees_whom_stripe_asks(app: Flask, session, by_transfer, desk) -> None:  # noqa: F811
    refund, client, _project = by_transfer
    gil = Visitor(enter(app.test_client(), session, desk.gil))
    assert session.get_one(Person, client.id).email in words(gil.get(f"/refunds/{refund.public_id}"))
