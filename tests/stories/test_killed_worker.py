"""The worker itself is killed in the middle of a payout batch: each expert is sent their pay once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace import clock, jobs, ledger, proofs
from marketplace.actor import Actor
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.models import Contract
from marketplace.demo.stripe_server import hands
from marketplace.ledger import chart
from marketplace.payments import connected_accounts
from marketplace.payments.models import ConnectedAccount, PayoutItem
from marketplace.payments.states import ItemState
from tests.conftest import Committed
from tests.demo.stripe_server.harness import until
from tests.factories.contracts import an_offer, sign
from tests.factories.gigs import a_gig, a_project, an_expert
from tests.factories.payments import SITE, fund_by_card
from tests.stories import acts
from tests.stories.house import House

pytestmark = pytest.mark.committed

EXPERTS = 9
FUNDS = 100_000_00
PATIENCE = 90.0  # seconds, for a machine that has much else to do


def test_a_worker_killed_in_the_middle_of_a_batch_sends_each_item_once(
    house: House, committed: Committed
) -> None:
    batch = a_batch_of_many(house)
    with a_worker(committed) as worker:
        until(lambda: transfers(house).total() >= EXPERTS // 3, PATIENCE)
        worker.send_signal(signal.SIGKILL)
    assert transfers(house).total() < EXPERTS, "it died in the middle"
    some_minutes_later(house)
    with a_worker(committed) as worker:
        until(lambda: states(house) == {ItemState.SENT: EXPERTS}, PATIENCE)
        worker.terminate()
    assert transfers(house) == {str(item): 1 for item in items(house, batch)}
    in_the_books = ledger.balance(house.session, chart.stripe_balance(), "USD")
    assert in_the_books == house.gateway.balance().total("USD")
    assert proofs.failing(house.session) == []


def a_batch_of_many(house: House) -> UUID:
    """Many experts worked an hour each, and are about to be paid for it."""
    project = a_project(house.session, house.carla, house.cast.lumen.public_id)
    fund_by_card(house.session, house.gateway, house.carla, project, FUNDS)
    gig = a_gig(house.session, house.carla, project, headcount=EXPERTS)
    hired = []
    for number in range(EXPERTS):
        expert = an_expert(house.session, f"Expert {chr(ord('A') + number)}")
        hired.append((expert, sign(house.session, expert, an_offer(house.session, house.carla, expert, gig))))
        set_up(house, expert)
    days_later(house, 2)
    for stripe_id in house.session.scalars(sa.select(ConnectedAccount.stripe_id)).all():
        connected_accounts.refresh_account(house.session, house.gateway, stripe_id or "")
    for expert, contract in hired:
        an_approved_hour(house, expert, contract)
    days_later(house, 2)
    return acts.released_batch(house)


def days_later(house: House, days: int) -> None:
    """Stripe has checked the accounts, and what the client paid has become available."""
    clock.advance(timedelta(days=days))
    house.stripe.settle()


def set_up(house: House, expert: Actor) -> None:
    url = connected_accounts.set_up_payouts(
        house.session, house.gateway, expert, return_url=SITE, refresh_url=SITE
    )
    hands.onboard(url, *expert.name.split())


def an_approved_hour(house: House, expert: Actor, contract: Contract) -> None:
    sheet = acts.submitted(house, expert, acts.worked_an_hour(house, expert, contract))
    approve_timesheet(house.session, house.dev, sheet.public_id, sheet.version)


@contextmanager
def a_worker(committed: Committed) -> Iterator[subprocess.Popen[bytes]]:
    """`marketplace worker` as it runs in production, until it was told to end."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "marketplace.cli", "worker"],
        env={
            **os.environ,
            "MARKETPLACE_DATABASE_URL": committed.server.owner_url,
            "MARKETPLACE_APP_DATABASE_URL": committed.url,
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        yield worker
        worker.wait(30)
    finally:
        worker.kill()
        worker.wait()


def some_minutes_later(house: House) -> None:
    """Nobody waits any more for what the dead one was doing, and what runs every few minutes is due."""
    house.minutes(5)
    for name in ("payments.send_waiting", "payments.resolve_unknown"):
        jobs.defer(house.session, name, once=f"{name} woken")
    house.session.commit()


def transfers(house: House) -> Counter[str]:
    """How many transfers Stripe has for each item."""
    found = house.stripe.client().v1.transfers.list({"limit": 100}).data
    return Counter(str(each.metadata["payout_item"]) for each in found)


def items(house: House, batch: UUID) -> list[UUID]:
    return list(
        house.session.scalars(sa.select(PayoutItem.public_id).where(PayoutItem.batch.has(public_id=batch)))
    )


def states(house: House) -> dict[ItemState, int]:
    house.session.rollback()
    query = sa.select(PayoutItem.state, sa.func.count()).group_by(PayoutItem.state)
    return {row[0]: row[1] for row in house.session.execute(query)}
