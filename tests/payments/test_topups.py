"""Clients' money from the bank to Stripe: by two people, once, and followed until it is there or back."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.payments import events, facts, proofs, topups
from marketplace.payments.events import Source
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import TopUp
from marketplace.payments.outcomes import GatewayUnknown
from marketplace.payments.states import TopUpState
from tests.cast import Cast
from tests.demo.stripe_server.harness import KEY, Handle
from tests.factories.payments import Finance, finance
from tests.visitor import words

WIRED = 5_000_00


class Cut(Gateway):
    """The line is cut after Stripe has made the top-up."""

    def send_top_up(self, *args: object, **kwargs: object) -> facts.TopUp:
        super().send_top_up(*args, **kwargs)  # type: ignore[arg-type]
        raise GatewayUnknown("no_answer", "")


class Says(Gateway):
    """Stripe's word of each top-up is `status`."""

    status = "failed"

    def top_up(self, top_up: str) -> facts.TopUp:
        return replace(super().top_up(top_up), status=self.status, failure="insufficient_funds")


class CameBack(Says):
    """The bank took it back."""

    status = "reversed"


@pytest.fixture
def desk(session: Session) -> Finance:
    project = chart.project_funds(uuid.uuid4())
    ledger.post(
        session, SITE, source="funding:x", event="paid", currency="USD", occurred_at=clock.now(), memo="",
        lines=[(chart.bank_client(), WIRED), (project, -WIRED)],
    )  # fmt: skip
    session.commit()
    return finance(session)


def released(session: Session, desk: Finance, amount: int = WIRED) -> TopUp:
    made = topups.prepare_top_up(session, desk.fin, amount)
    return topups.release_top_up(session, replace(desk.gil, second_factor_at=clock.now()), made.public_id)


def books(session: Session) -> tuple[int, int, int]:
    """1020, 1160, 1100."""
    accounts = (chart.bank_client(), chart.topups_in_transit(), chart.stripe_balance())
    kept = ledger.balances(session, accounts, "USD")
    return tuple(kept[each.key] for each in accounts)  # type: ignore[return-value]


def ties(session: Session) -> bool:
    return not list(proofs.top_ups_are_in_transit(session))


def test_it_leaves_the_bank_and_arrives(
    session: Session, gateway: Gateway, stripe: Handle, desk, monkeypatch
) -> None:
    monkeypatch.setenv("MARKETPLACE_CLOCK_FILE", str(stripe.clock_file))
    made = released(session, desk, 3_000_00)
    assert books(session) == (WIRED, 0, 0)
    assert topups.send_top_ups(session, gateway) == 1
    session.refresh(made)
    assert made.state is TopUpState.SENT
    assert books(session) == (2_000_00, 3_000_00, 0)
    assert ties(session)
    clock.advance(timedelta(days=7))
    stripe.settle()
    topups.track_top_ups(session, gateway)
    session.refresh(made)
    assert made.state is TopUpState.ARRIVED
    assert books(session) == (2_000_00, 0, 3_000_00)
    assert gateway.balance().total("USD") == 3_000_00
    topups.track_top_up(session, gateway, made.stripe_id or "")
    assert len(ledger.entries_for(session, f"top_up:{made.public_id}")) == 2
    assert ties(session)


def test_one_alone_sends_nothing(session: Session, desk) -> None:
    made = topups.prepare_top_up(session, desk.fin, 100)
    both = replace(desk.gil, person_id=desk.fin.person_id)
    with pytest.raises(NotAllowed, match="somebody else"):
        topups.release_top_up(session, both, made.public_id)
    with pytest.raises(NotAllowed):
        topups.release_top_up(session, desk.fin, made.public_id)
    with pytest.raises(FreshFactorNeeded):
        topups.release_top_up(session, replace(desk.gil, second_factor_at=None), made.public_id)


@pytest.mark.parametrize("amount", [0, -1, WIRED + 1])
def test_no_more_goes_than_the_bank_holds(session: Session, desk, amount) -> None:
    with pytest.raises(Invalid):
        topups.prepare_top_up(session, desk.fin, amount)


def test_one_at_a_time_and_cancelled_it_makes_room(session: Session, desk) -> None:
    made = topups.prepare_top_up(session, desk.fin, 100)
    with pytest.raises(Refused, match="not finished"):
        topups.prepare_top_up(session, desk.fin, 100)
    topups.cancel_top_up(session, desk.gil, made.public_id)
    topups.prepare_top_up(session, desk.fin, 100)


def test_an_unknown_outcome_is_looked_up_and_not_asked_for_twice(
    session: Session, gateway: Gateway, stripe: Handle, desk
) -> None:
    made = released(session, desk)
    topups.send_top_ups(session, Cut(KEY, stripe.url))
    session.refresh(made)
    assert (made.state, books(session)) == (TopUpState.UNKNOWN, (WIRED, 0, 0))
    with clock.at(clock.now() + timedelta(hours=2)):
        topups.send_top_ups(session, gateway)
    session.refresh(made)
    assert made.state is TopUpState.SENT
    assert len(gateway.top_ups(clock.now() - timedelta(days=1))) == 1
    assert books(session) == (0, WIRED, 0)


def test_what_never_left_the_bank_is_there_again(
    session: Session, gateway: Gateway, stripe: Handle, desk
) -> None:
    made = released(session, desk)
    topups.send_top_ups(session, gateway)
    for _again in range(2):
        topups.track_top_up(session, Says(KEY, stripe.url), made.stripe_id or "")
    session.refresh(made)
    assert (made.state, made.failure) == (TopUpState.FAILED, "insufficient_funds")
    assert (books(session), ties(session)) == ((WIRED, 0, 0), True)


def test_what_the_bank_took_back_is_booked_both_ways(
    session: Session, gateway: Gateway, stripe: Handle, desk
) -> None:
    made = released(session, desk)
    topups.send_top_ups(session, gateway)
    for _again in range(2):
        topups.track_top_up(session, CameBack(KEY, stripe.url), made.stripe_id or "")
    session.refresh(made)
    assert made.state is TopUpState.RETURNED
    assert (books(session), ties(session)) == ((WIRED, 0, 0), True)
    assert len(ledger.entries_for(session, f"top_up:{made.public_id}")) == 3


def test_an_event_finds_it(session: Session, gateway: Gateway, stripe: Handle, desk, monkeypatch) -> None:
    monkeypatch.setenv("MARKETPLACE_CLOCK_FILE", str(stripe.clock_file))
    made = released(session, desk)
    topups.send_top_ups(session, gateway)
    clock.advance(timedelta(days=7))
    stripe.settle()
    notice = facts.Notice("evt_1", "topup.succeeded", None, made.stripe_id or "", {})
    events.store_event(session, Source.PLATFORM, notice)
    assert events.drain_webhooks(session, gateway) == 1
    session.refresh(made)
    assert made.state is TopUpState.ARRIVED


def test_the_database_keeps_what_was_decided(session: Session, desk) -> None:
    made = topups.prepare_top_up(session, desk.fin, 100)
    for change in (
        {"amount": 5},
        {"released_by": desk.fin.id, "released_at": clock.now(), "state": "released"},
    ):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(sa.update(TopUp).where(TopUp.id == made.id).values(**change))


def test_the_proof_sees_money_in_transit_that_is_in_no_top_up(session: Session, desk) -> None:
    ledger.post(
        session, SITE, source="x:1", event="y", currency="USD", occurred_at=clock.now(), memo="",
        lines=[(chart.topups_in_transit(), 5), (chart.bank_client(), -5)],
    )  # fmt: skip
    assert [drift.subject for drift in proofs.top_ups_are_in_transit(session)] == ["1160 USD"]


def test_the_pages(app: Flask, cast: Cast) -> None:
    session = cast.session
    ledger.post(
        session, SITE, source="funding:x", event="paid", currency="USD", occurred_at=clock.now(), memo="",
        lines=[(chart.bank_client(), WIRED), (chart.owner_capital(), -WIRED)],
    )  # fmt: skip
    session.commit()
    fin, gil = cast.visitor(app, cast.fin), cast.visitor(app, cast.gil)
    assert "holds $5,000.00" in words(fin.post("/top-ups", amount="5,001"))
    assert "Waits for a second person" in words(fin.post("/top-ups", amount="4,000"))
    made = session.scalars(sa.select(TopUp)).one()
    assert "Release $4,000.00" in words(gil.get(f"/top-ups/{made.public_id}"))
    assert "Release $4,000.00" not in words(fin.get(f"/top-ups/{made.public_id}"))
    assert "next" in words(gil.post(f"/top-ups/{made.public_id}/release"))
    assert "$4,000.00" in words(fin.get("/top-ups"))
    assert cast.visitor(app, cast.carla).get("/top-ups").status_code == 404
