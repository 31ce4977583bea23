"""What client, expert and finance see and press, without JavaScript; and what a stranger does not."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from marketplace import clock, settings
from marketplace.accounts.models import Person
from marketplace.actor import Actor, Role
from marketplace.demo.stripe_server import hands
from marketplace.payments import payouts, sending, tasks
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import (
    ConnectedAccount,
    ConnectedPayout,
    Funding,
    PayoutBatch,
    PayoutItem,
    Sweep,
)
from marketplace.payments.runs import confirming
from marketplace.payments.states import (
    BatchState,
    Blocker,
    FundingState,
    ItemState,
    SweepState,
    TransfersState,
)
from tests.cast import Cast
from tests.demo.stripe_server.harness import Handle
from tests.factories.accounts import a_person
from tests.factories.contracts import MONDAY, Deal
from tests.factories.gigs import a_client, a_project
from tests.factories.payments import a_paid_deal, a_released_batch, an_approved_week, finance, hire, set_up
from tests.visitor import Visitor, words

FRIDAY = MONDAY + timedelta(days=4)


@pytest.fixture(autouse=True)
def one_stripe(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "connect", lambda _settings: gateway)


@pytest.fixture
def deal(session: Session, gateway: Gateway) -> Deal:
    with clock.at(MONDAY):
        made = a_paid_deal(session, gateway)
    an_approved_week(session, made, MONDAY)
    return made


def today() -> str:
    """The day of the books, which is behind UTC's for some hours."""
    return clock.today(str(settings.current().books_zone)).isoformat()


def enter(cast: Cast, app: Flask, who: Actor) -> Visitor:
    """At a browser now; with a second factor given just now where the role needs one."""
    return cast.visitor(app, replace(who, second_factor_at=clock.now()))


def test_a_client_funds_a_project_and_comes_back_to_a_paid_page(session, app, cast):
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    carla = enter(cast, app, client)
    path = f"/projects/{project.public_id}/funding"
    assert "Nothing paid yet" in words(carla.get(path))
    lot_page = carla.post(path, amount="1,000", rail="card")
    assert "Pay $1,030.17 at Stripe" in words(lot_page)
    lot = session.scalars(sa.select(Funding)).one()
    answer = carla.client.post(f"/fundings/{lot.public_id}/checkout", data={"csrf_token": carla.token})
    assert answer.status_code == 303
    back = hands.pay(answer.headers["Location"])
    assert back.endswith(f"/fundings/{lot.public_id}/return")
    assert "Paid, and ready to be reserved" in words(carla.get(f"/fundings/{lot.public_id}/return"))
    assert lot.state == FundingState.PAID
    assert "$1,000.00" in words(carla.get(path))


@pytest.mark.parametrize("amount", ["", "0", "-5", "1e3", "abc", "99999999999"])
def test_an_amount_that_cannot_be_is_refused_and_the_form_is_kept(session, app, cast, amount):
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    answer = enter(cast, app, client).post(
        f"/projects/{project.public_id}/funding", amount=amount, rail="card"
    )
    assert answer.status_code == 422
    assert session.scalars(sa.select(Funding)).all() == []


def test_an_expert_sets_up_being_paid_on_stripes_pages(session, app, cast, gateway):
    ana = enter(cast, app, cast.ana)
    assert "Set up payouts at Stripe" in words(ana.get("/pay/setup"))
    answer = ana.client.post("/pay/setup", data={"csrf_token": ana.token})
    assert answer.status_code == 303
    assert "Your last name" in words(ana.get("/pay/setup"))
    back = hands.onboard(answer.headers["Location"])
    assert back.endswith("/pay/setup/return")
    seen = words(ana.get("/pay/setup/return"))
    assert "You are set up" in seen or "Stripe is checking" in seen


def pressed_elsewhere(visitor: Visitor, path: str) -> TestResponse:
    """A button pressed at a host that is not the site's, with the cookie of the site."""
    cookie = visitor.client.get_cookie("session")
    visitor.client.set_cookie("session", cookie.value, domain="elsewhere.example")
    host = {"Host": "elsewhere.example"}
    return visitor.client.post(path, data={"csrf_token": visitor.token}, headers=host)


def test_stripe_sends_people_back_to_the_site_whatever_host_they_named(session, app, cast, stripe: Handle):
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    site = settings.current().base_url
    carla, ana = enter(cast, app, client), enter(cast, app, cast.ana)
    carla.post(f"/projects/{project.public_id}/funding", amount="1,000", rail="card")
    lot = session.scalars(sa.select(Funding)).one()
    assert pressed_elsewhere(carla, f"/fundings/{lot.public_id}/checkout").status_code == 303
    opened = stripe.client().v1.checkout.sessions.retrieve(lot.session_id)
    here = f"{site}/fundings/{lot.public_id}"
    assert (opened.success_url, opened.cancel_url) == (f"{here}/return", here)
    ana.get("/pay/setup")
    link = pressed_elsewhere(ana, "/pay/setup").headers["Location"]
    assert hands.onboard(link) == f"{site}/pay/setup/return"
    assert hands.onboard(link) == f"{site}/pay/setup/again"


def test_an_expert_sees_each_week_in_one_state_and_every_cent_of_a_deposit(
    session, app, cast, gateway, stripe: Handle, deal
):
    ana = enter(cast, app, deal.expert)
    assert "It goes out with the next pay run" in words(ana.get("/pay"))
    assert "When you can be paid" not in words(ana.get("/pay"))
    account = session.scalars(sa.select(ConnectedAccount).filter_by(person_id=deal.expert.id)).one()
    ready, account.transfers = account.transfers, "restricted"
    session.commit()
    told = words(ana.get("/pay"))
    assert "You cannot be paid yet" in told
    assert "When you can be paid" in told
    account.transfers = ready
    session.commit()
    with clock.at(FRIDAY):
        batch = a_released_batch(session)
    assert "In a pay run" in words(ana.get("/pay"))
    with clock.at(FRIDAY):
        sending.send_batch(session, gateway, batch.public_id)
    promised = words(ana.get("/pay"))
    assert "On its way" in promised
    assert re.search(r"about \w{3} \d", promised)
    stripe.settle()
    payouts.track_payouts(session, gateway)
    arrived = words(ana.get("/pay"))
    assert "Your bank has it" in arrived
    assert not re.search(r"about \w{3} \d", arrived)
    deposit = session.scalars(sa.select(ConnectedPayout)).one()
    there = words(ana.get(f"/pay/deposits/{deposit.public_id}"))
    assert re.search(r"In your bank on \w{3} \d", there)
    deposit.status = "in_transit"
    session.commit()
    underway = words(ana.get(f"/pay/deposits/{deposit.public_id}"))
    assert re.search(r"In your bank on about \w{3} \d", underway)
    deposit.status = "paid"
    session.commit()
    seen = words(ana.get(f"/pay/deposits/{deposit.public_id}"))
    for said in ("$150.00", "$30.00", "1 h 00 min", "Review radiology reports", "Northwind AI"):
        assert said in seen
    assert "$150.00" in words(ana.get("/pay/deposits"))


def test_two_people_pay_a_batch(session, app, cast, gateway, deal):
    hire(session, gateway, deal, "Ben Baker", set_up_too=False)
    desk = finance(session)
    fin, gil = enter(cast, app, desk.fin), enter(cast, app, desk.gil)
    home = fin.get("/payouts")
    assert "$150.00" in words(home)
    assert 'href="/books/codes/2100/USD"' in home.text
    dry_run = words(fin.post("/payouts", cut_off=today()))
    assert "Dry run" in dry_run
    assert "Ana Silva" in dry_run
    batch = session.scalars(sa.select(PayoutBatch)).one()
    path = f"/payouts/{batch.public_id}"
    assert "Release the batch" not in words(fin.get(path))
    assert fin.get(f"{path}/release").status_code == 404
    assert "Pay $150.00 to one expert?" in words(gil.get(f"{path}/release"))
    seen = confirming.digest(session, batch).hex()
    assert "being sent to Stripe" in words(gil.post(f"{path}/release", seen=seen))
    assert batch.state == BatchState.RELEASED
    item = batch.items[0]
    assert "Payout released" in words(gil.get(f"/payouts/items/{item.public_id}"))


def test_a_batch_says_first_who_is_paid_and_then_who_is_left_out_and_why(session, app, cast, gateway, deal):
    with clock.at(MONDAY):
        ben = hire(session, gateway, deal, "Ben Baker", set_up_too=False)
    an_approved_week(session, ben, MONDAY)
    fin = enter(cast, app, finance(session).fin)
    shown = words(fin.post("/payouts", cut_off=today()))

    paid, left_out = shown.split("Who is paid")[-1].split("Who is left out")[0], shown.split("and why")[-1]
    assert "Ana Silva" in paid
    assert "Together, one expert $150.00" in paid
    assert "Ben Baker" not in paid
    end = end_of_id(session, ben.expert)
    assert f"Ben Baker id ends in {end} Has not set up how to be paid $150.00" in left_out
    assert "Not paid in this batch, one expert $150.00" in left_out


def end_of_id(session: Session, expert: Actor) -> str:
    return str(session.scalars(sa.select(Person.public_id).filter_by(id=expert.id)).one())[-4:]


def test_who_is_left_out_comes_with_the_weeks_they_are_owed_for(session, app, cast, gateway, deal):
    with clock.at(MONDAY):
        other = hire(session, gateway, deal, "Ana Silva", set_up_too=False)
    sheet = an_approved_week(session, other, MONDAY)
    fin = enter(cast, app, finance(session).fin)
    shown = words(fin.post("/payouts", cut_off=today()))
    for each in (deal, other):
        assert f"Ana Silva id ends in {end_of_id(session, each.expert)}" in shown
    item = session.scalars(sa.select(PayoutItem).filter_by(person_id=other.expert.id)).one()
    found = fin.get(f"/payouts/items/{item.public_id}")
    assert "What it would pay" in words(found)
    assert f'href="/contracts/{other.contract.public_id}"' in found.text
    assert f'href="/approvals/{sheet.approval.public_id}"' in found.text
    assert fin.get(f"/approvals/{sheet.approval.public_id}").status_code == 200
    (books,) = set(re.findall(r'href="(/books/accounts/[^"]+)"', found.text))
    assert str(item.person.public_id) in books
    assert "Owed to experts" in words(fin.get(books))


def test_what_was_left_out_is_paid_by_the_next_batch(session, app, cast, gateway, deal):
    with clock.at(MONDAY):
        ben = hire(session, gateway, deal, "Ben Baker", set_up_too=False)
        an_approved_week(session, ben, MONDAY)
    desk = finance(session)
    a_released_batch(session, desk)
    set_up(session, gateway, ben.expert)
    again = a_released_batch(session, desk)
    assert [(item.person_id, item.state) for item in again.items][-1] == (ben.expert.id, ItemState.RELEASED)
    assert len(again.items[-1].approvals) == 1


def test_each_list_of_a_batch_is_paged_by_itself(session, app, cast, deal):
    fin = enter(cast, app, finance(session).fin)
    fin.post("/payouts", cut_off=today())
    batch = session.scalars(sa.select(PayoutBatch)).one()
    for n in range(51):
        left_out(session, batch, f"Expert {n:02}")
    first = fin.get(f"/payouts/{batch.public_id}")
    assert "Expert 00" not in words(first)
    assert "Not paid in this batch, 51 experts $51.00" in words(first)

    (more,) = re.findall(r'href="([^"]+#left-out)"', first.text)
    second = words(fin.get(html.unescape(more)))
    assert "Expert 00" in second
    assert "Expert 01" not in second
    assert "Ana Silva" in second
    assert "Not paid in this batch, 51 experts $51.00" in second


def left_out(session, batch, name):
    session.add(
        PayoutItem(
            batch_id=batch.id,
            person_id=a_person(session, name, Role.EXPERT).id,
            amount=100,
            state=ItemState.BLOCKED,
            blocker=Blocker.NO_ACCOUNT,
            frozen_sha256=bytes(32),
            changed_at=clock.now(),
        )
    )
    session.commit()


def test_a_batch_that_pays_nobody_says_what_to_do(session, app, cast, deal):
    session.execute(sa.update(ConnectedAccount).values(transfers=TransfersState.RESTRICTED))
    session.commit()
    desk = finance(session)
    shown = words(enter(cast, app, desk.fin).post("/payouts", cut_off=today()))
    assert "Nobody in this batch can be paid now" in shown
    assert "Cancel this batch" in shown
    assert "Who is paid" not in shown
    assert "Is there enough?" not in shown

    batch = session.scalars(sa.select(PayoutBatch)).one()
    assert "Release the batch" not in words(enter(cast, app, desk.gil).get(f"/payouts/{batch.public_id}"))


def test_a_payment_leads_on_to_its_deposit(session, app, cast, gateway, stripe: Handle, deal):
    with clock.at(FRIDAY):
        batch = a_released_batch(session)
        sending.send_batch(session, gateway, batch.public_id)
    fin = enter(cast, app, finance(session).fin)
    path = f"/payouts/items/{batch.items[0].public_id}"
    assert "/reconciliation/deposits/" not in fin.get(path).text

    stripe.settle()
    payouts.track_payouts(session, gateway)
    payout = session.scalars(sa.select(ConnectedPayout)).one()
    assert f'href="/reconciliation/deposits/{payout.stripe_id}"' in fin.get(path).text
    assert "Ana Silva" in words(fin.get(f"/reconciliation/deposits/{payout.stripe_id}"))
    said = words(fin.get(path))
    booked = said[said.index("In the books") :]
    stages = [
        "Approved",
        "Released to be sent",
        "Sent by Stripe",
        "On its way from Stripe to the expert's bank",
    ]
    assert [booked.index(stage) for stage in stages] == sorted(booked.index(stage) for stage in stages)


def test_whoever_prepared_is_told_to_ask_a_colleague(session, app, cast, deal):
    desk = finance(session)
    both = enter(cast, app, desk.fin)
    both.post("/payouts", cut_off=today())
    batch = session.scalars(sa.select(PayoutBatch)).one()
    batch.prepared_by = desk.gil.id
    session.commit()
    gil = enter(cast, app, desk.gil)
    assert "somebody else has to release it" in words(gil.post(f"/payouts/{batch.public_id}/release"))
    assert batch.state == BatchState.PREPARED


def test_fees_are_swept_by_two_people(session, app, cast, gateway, deal):
    desk = finance(session)
    fin, gil = enter(cast, app, desk.fin), enter(cast, app, desk.gil)
    assert "$30.00" in words(fin.get("/sweeps"))
    page = words(fin.post("/sweeps"))
    assert "Client fees" in page
    sweep = session.scalars(sa.select(Sweep)).one()
    assert "Released" in words(gil.post(f"/sweeps/{sweep.public_id}/release"))
    assert sweep.state == SweepState.RELEASED


def test_an_item_can_be_taken_out_and_a_batch_cancelled(session, app, cast, deal):
    desk = finance(session)
    fin = enter(cast, app, desk.fin)
    fin.post("/payouts", cut_off=today())
    batch = session.scalars(sa.select(PayoutBatch)).one()
    assert "Taken out" in words(fin.post(f"/payouts/items/{batch.items[0].public_id}/cancel"))
    assert "Cancelled" in words(fin.post(f"/payouts/{batch.public_id}/cancel"))
    assert batch.state == BatchState.CANCELLED


def test_strangers_find_nothing(session, app, cast, gateway, stripe: Handle, deal):
    with clock.at(FRIDAY):
        batch = a_released_batch(session)
        sending.send_batch(session, gateway, batch.public_id)
    stripe.settle()
    payouts.track_payouts(session, gateway)
    lot = session.scalars(sa.select(Funding)).one()
    deposit = session.scalars(sa.select(ConnectedPayout)).one()
    item = batch.items[0].public_id
    of_finance = [f"/payouts/{batch.public_id}", f"/payouts/items/{item}", "/payouts", "/sweeps"]
    of_client = [f"/fundings/{lot.public_id}", f"/projects/{deal.project.public_id}/funding"]
    of_expert = [f"/pay/deposits/{deposit.public_id}"]
    for who, closed in {
        cast.zed: of_finance + of_client + of_expert,
        cast.ben: of_finance + of_client + of_expert,
        cast.carla: of_finance + of_client + of_expert,
        cast.fin: of_expert,
    }.items():
        visitor = enter(cast, app, who)
        assert [path for path in closed if visitor.get(path).status_code != 404] == [], who.name
