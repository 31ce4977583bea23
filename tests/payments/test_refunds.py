"""What is left of a project goes back by the way it came: once, whole, and only when finance lets it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import Actor, Role
from marketplace.contracts.budgets.ending import end_project
from marketplace.demo.stripe_server import hands
from marketplace.errors import FreshFactorNeeded, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.ledger.proofs import PROOFS as LEDGER_PROOFS
from marketplace.payments import claiming, fundings
from marketplace.payments.gateway import Gateway
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.proofs import PROOFS
from marketplace.payments.refunds import planning, sending
from marketplace.payments.refunds.models import Refund
from marketplace.payments.refunds.releasing import confirm_by_hand, note_by_hand, release_refund
from marketplace.payments.sending import LEASE
from marketplace.payments.states import RefundState
from marketplace.settings import current
from tests.demo.stripe_server.harness import until
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, an_entry
from tests.factories.gigs import a_client, a_project, fund
from tests.factories.payments import Finance, a_funding, a_paid_deal, finance, fund_by_card
from tests.payments.test_funding import lines
from tests.visitor import Visitor, words

WHY = "We have all the answers that we need from this project."
FAILS_LATER = "4000000000007726"


@pytest.fixture
def lumen(session: Session):
    client, organization = a_client(session)
    return client, a_project(session, client, organization)


@pytest.fixture
def desk(session: Session) -> Finance:
    return finance(session)


def ended(session: Session, client: Actor, project) -> list[Refund]:
    """The project has ended, and what goes back is prepared."""
    end_project(session, client, project.public_id, "", "")
    planning.prepare_refunds(session)
    return found(session)


def found(session: Session) -> list[Refund]:
    return list(session.scalars(sa.select(Refund).order_by(Refund.id)))


def released(session: Session, desk: Finance, refund: Refund) -> Refund:
    return release_refund(session, fresh(desk.gil), refund.public_id)


def fresh(actor: Actor) -> Actor:
    return replace(actor, second_factor_at=clock.now())


def balance(session: Session, account) -> int:
    return ledger.balance(session, account, "USD")


def no_drift(session: Session) -> None:
    assert [drift for proof in (*PROOFS, *LEDGER_PROOFS) for drift in proof.run(session)] == []


def test_the_newest_lot_first_and_never_more_than_it_brought(session, gateway, lumen, desk) -> None:
    client, project = lumen
    first = fund_by_card(session, gateway, client, project, 300_00)
    second = fund_by_card(session, gateway, client, project, 200_00)
    refunds = ended(session, client, project)
    assert [(each.funding_id, each.amount) for each in refunds] == [(second.id, 200_00), (first.id, 300_00)]
    planning.prepare_refunds(session)
    assert len(found(session)) == 2
    parts = planning.plan(session, project, refunds[0].money)
    assert [part.lot for part in parts] == [None]


def test_it_goes_back_once_and_the_books_say_so(session, gateway, lumen, desk) -> None:
    client, project = lumen
    lot = fund_by_card(session, gateway, client, project, 300_00)
    with clock.at(clock.now() + timedelta(days=5)):
        (refund,) = ended(session, client, project)
        assert sending.send_refunds(session, gateway) == 0
        released(session, desk, refund)
        for _again in range(3):
            sending.send_refunds(session, gateway)
    assert refund.state is RefundState.ARRIVED
    assert lines(session, f"refund:{refund.public_id}") == [
        ("2010", 300_00), ("2510", -300_00), ("2510", 300_00), ("1100", -300_00),
    ]  # fmt: skip
    assert balance(session, chart.project_funds(project.public_id)) == 0
    assert [each.amount for each in gateway.refunds(lot.charge)] == [300_00]
    assert gateway.balance().total("USD") == balance(session, chart.stripe_balance())
    no_drift(session)


def test_what_one_worker_has_taken_up_no_other_does_for_the_time_of_a_lease(
    session, gateway, lumen, desk
) -> None:
    client, project = lumen
    fund_by_card(session, gateway, client, project, 300_00)
    refund = released(session, desk, *ended(session, client, project))
    now, named = clock.now(), (refund.public_id, f"refund:{refund.public_id}:1")
    with clock.at(now):
        assert claiming.take(session, Refund, "refund") == (refund, (*named, now, False))
        assert refund.state is RefundState.SENDING
        assert claiming.take(session, Refund, "refund") is None
    with clock.at(now + LEASE):
        # It may be at Stripe by now, so it is looked for before anything is sent.
        assert claiming.take(session, Refund, "refund") == (refund, (*named, now, True))
        assert refund.tries == 2


def test_nothing_is_prepared_while_a_worked_week_waits(session, gateway) -> None:
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    with clock.at(MONDAY + timedelta(hours=3)):
        an_entry(session, deal, MONDAY, 60)
        end_project(session, deal.client, deal.project.public_id, "work_finished", WHY)
        assert planning.prepare_refunds(session) == 0
        assert found(session) == []


def test_one_who_is_not_finance_and_one_without_a_fresh_factor_release_nothing(
    session, gateway, lumen, desk
) -> None:
    client, project = lumen
    fund_by_card(session, gateway, client, project, 300_00)
    (refund,) = ended(session, client, project)
    for actor in (client, desk.fin, replace(desk.gil, second_factor_at=None)):
        with pytest.raises((NotAllowed, FreshFactorNeeded)):
            release_refund(session, actor, refund.public_id)
    assert refund.state is RefundState.PREPARED


def test_above_the_limit_two_of_finance_release_it(session, gateway, lumen, desk) -> None:
    client, project = lumen
    for amount in (current().refund_limit // 100 * 60, current().refund_limit // 100 * 50):
        fund_by_card(session, gateway, client, project, amount)
    refund = ended(session, client, project)[0]
    assert released(session, desk, refund).state is RefundState.PREPARED
    with pytest.raises(NotAllowed):
        released(session, desk, refund)
    second = an_actor(session, a_person(session, "Gus Second", Role.FINANCE_RELEASER))
    assert release_refund(session, fresh(second), refund.public_id).state is RefundState.RELEASED


def test_what_nobody_knows_is_looked_up_and_not_sent_again(
    session, gateway, lumen, desk, monkeypatch
) -> None:
    client, project = lumen
    lot = fund_by_card(session, gateway, client, project, 300_00)
    with clock.at(clock.now() + timedelta(days=5)):
        (refund,) = ended(session, client, project)
        released(session, desk, refund)
        send, calls = gateway.send_refund, []

        def lost(key, **asked):
            calls.append(key)
            send(key, **asked)
            raise GatewayUnknown("no_answer", "cut")

        monkeypatch.setattr(gateway, "send_refund", lost)
        sending.send_refunds(session, gateway)
        assert refund.state is RefundState.UNKNOWN
        assert balance(session, chart.refunds_in_flight(project.public_id)) == -300_00
    with clock.at(clock.now() + timedelta(days=5, hours=2)):
        sending.send_refunds(session, gateway)
    assert refund.state is RefundState.ARRIVED
    assert len(calls) == 1
    assert len(gateway.refunds(lot.charge)) == 1
    no_drift(session)


def test_money_that_is_not_available_yet_waits(session, gateway, lumen, desk) -> None:
    client, project = lumen
    fund_by_card(session, gateway, client, project, 300_00)
    (refund,) = ended(session, client, project)
    released(session, desk, refund)
    sending.send_refunds(session, gateway)
    assert (refund.state, refund.attempt) == (RefundState.RELEASED, 2)
    with clock.at(clock.now() + timedelta(days=5)):
        sending.send_refunds(session, gateway)
    assert refund.state is RefundState.ARRIVED


def test_a_refund_that_comes_back_is_paid_by_hand_by_two(session, gateway, lumen, desk) -> None:
    client, project = lumen
    with clock.at(MONDAY):
        lot, url = a_funding(session, gateway, client, project, 300_00)
        hands.pay(url, FAILS_LATER, moment=clock.overridden())
        fundings.settle_funding(session, gateway, lot.session_id or "")
    with clock.at(MONDAY + timedelta(days=5)):
        (refund,) = ended(session, client, project)
        released(session, desk, refund)
        sending.send_refunds(session, gateway)
        assert refund.state is RefundState.ARRIVED
    with clock.at(MONDAY + timedelta(days=12)):
        until(lambda: gateway.refund(refund.stripe_id).status == "failed")
        sending.track_refunds(session, gateway)
        session.refresh(refund)
        assert refund.state is RefundState.OWED
        assert balance(session, chart.client_refunds(project.public_id)) == -300_00
        assert gateway.balance().total("USD") == balance(session, chart.stripe_balance())
        with pytest.raises(Refused):
            confirm_by_hand(session, fresh(desk.gil), refund.public_id)
        note_by_hand(session, desk.gil, refund.public_id, "TRN 4711")
        with pytest.raises(NotAllowed):
            confirm_by_hand(session, fresh(desk.gil), refund.public_id)
        note_by_hand(session, desk.fin, refund.public_id, "TRN 4711")
        confirm_by_hand(session, fresh(desk.gil), refund.public_id)
    assert refund.state is RefundState.PAID_OUT
    assert balance(session, chart.client_refunds(project.public_id)) == 0
    no_drift(session)


def test_money_that_no_lot_brought_is_a_payable(session, lumen, desk) -> None:
    client, project = lumen
    fund(session, project.public_id, 70_00)
    (refund,) = ended(session, client, project)
    assert released(session, desk, refund).state is RefundState.OWED
    assert lines(session, f"refund:{refund.public_id}") == [("2010", 70_00), ("2500", -70_00)]


def test_the_database_refuses_more_than_a_lot_brought(session, gateway, lumen, desk) -> None:
    client, project = lumen
    lot = fund_by_card(session, gateway, client, project, 300_00)
    (refund,) = ended(session, client, project)
    with pytest.raises(sa.exc.DBAPIError, match="brought"):
        session.execute(
            sa.insert(Refund).values(
                project_id=project.id, funding_id=lot.id, amount=1, currency="USD", state="prepared",
                asked_by=refund.asked_by, prepared_at=clock.now(), attempt=1, tries=0,
            )
        )  # fmt: skip


def test_a_payment_that_comes_after_the_end_goes_back_too(session, gateway, lumen, desk) -> None:
    client, project = lumen
    lot, url = a_funding(session, gateway, client, project, 300_00)
    end_project(session, client, project.public_id, "", "")
    assert planning.prepare_refunds(session) == 0
    hands.pay(url, moment=clock.overridden())
    fundings.settle_funding(session, gateway, lot.session_id or "")
    assert planning.prepare_refunds(session) == 1
    assert [each.funding_id for each in found(session)] == [lot.id]


def test_the_pages(app: Flask, session: Session, gateway: Gateway, lumen, desk: Finance) -> None:
    client, project = lumen
    fund_by_card(session, gateway, client, project, 300_00)
    carla = Visitor(enter(app.test_client(), session, client))
    path = f"/projects/{project.public_id}/end"
    before = words(carla.get(path))
    assert "Nothing has happened yet" in before
    assert "Card $300.00" in before
    assert "has ended" in words(carla.post(path))
    planning.prepare_refunds(session)
    assert "To be released" in words(carla.get(path))
    gil = Visitor(enter(app.test_client(), session, desk.gil))
    (refund,) = found(session)
    assert "$300.00" in words(gil.get("/refunds"))
    gil.get(f"/refunds/{refund.public_id}")
    assert "Released" in words(gil.post(f"/refunds/{refund.public_id}/release"))
    assert carla.get("/refunds").status_code in (403, 404)
