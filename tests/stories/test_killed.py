"""Power cuts: a process killed at any point of the path leaves nothing that a restart does not finish."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from marketplace import proofs
from marketplace.demo.stripe_server import hands
from marketplace.payments import batches, events, facts, fundings, sweeps
from marketplace.payments.models import ConnectedAccount, Funding, PayoutItem, Sweep, WebhookEvent
from marketplace.payments.states import FundingState, ItemState, Rail, SweepState
from tests.conftest import Committed
from tests.factories.payments import a_funding, set_up
from tests.stories import acts
from tests.stories.books import APPROVED, PAID_OUT, SIGNED
from tests.stories.house import House

pytestmark = pytest.mark.committed

GATEWAY = "marketplace.payments.gateway:Gateway"


@dataclass
class Reaper:
    """Runs an act in a process of its own, which is killed at a point of it."""

    house: House
    url: str

    def kill(self, act: str, *arguments: object, before: str = "", after: str = "") -> None:
        point = [before, "before"] if before else [after, "after"]
        self.house.session.rollback()
        ended = subprocess.run(
            [sys.executable, "-m", "tests.stories.mortal", self.url, act, json.dumps(arguments), *point],
            env=os.environ,
            check=False,
            capture_output=True,
            timeout=120,
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


@pytest.fixture
def reaper(house: House, committed: Committed) -> Reaper:
    return Reaper(house, committed.url)


def test_every_step_of_the_path_is_cut_and_done_again(house: House, reaper: Reaper) -> None:
    session, ana = house.session, house.ana
    stripe = house.stripe.client()
    acts.profile(house, ana)
    acts.licensed(house, ana)
    project = acts.project(house)

    # The payment page was made at Stripe, and we died before we wrote down which it is.
    lot = fundings.prepare_funding(session, house.carla, project.public_id, acts.FUNDS, Rail.CARD).public_id
    reaper.kill("open_checkout", house.carla.id, str(lot), after=f"{GATEWAY}.open_checkout")
    found, url = a_funding(session, house.gateway, house.carla, project, acts.FUNDS)
    assert found.public_id == lot
    assert len(stripe.v1.checkout.sessions.list().data) == 1

    # The money was there: we died after we had heard of it, and again in the middle of booking it.
    hands.pay(url)
    reaper.kill("settle", found.session_id, after=f"{GATEWAY}.checkout")
    reaper.kill("settle", found.session_id, before="marketplace.payments.fundings:_tell")
    session.refresh(found)
    assert found.state is FundingState.OPEN
    fundings.settle_funding(session, house.gateway, found.session_id or "")

    offer = acts.offered(house, ana, acts.published(house, project))
    reaper.kill("sign", ana.id, str(offer.public_id), after="marketplace.contracts.reservations:reserve")
    contract = acts.signed(house, ana, offer)
    assert house.journal(project) == SIGNED

    # The account was made at Stripe, and we died before we wrote down which it is.
    reaper.kill("set_up", ana.id, after=f"{GATEWAY}.make_account")
    set_up(session, house.gateway, ana)
    (account,) = session.scalars(sa.select(ConnectedAccount))
    assert [each.id for each in stripe.v2.core.accounts.list().data] == [account.stripe_id]

    house.until(day=2)
    sheet = acts.submitted(house, ana, acts.worked_an_hour(house, ana, contract))
    house.until(day=4)
    seen = [house.dev.id, str(sheet.public_id), sheet.version]
    reaper.kill("approve", *seen, after="marketplace.contracts.approvals:_post")
    assert house.journal(project) == SIGNED
    acts.approved(house, sheet)
    assert house.journal(project) == SIGNED + APPROVED

    batch = acts.prepared_batch(house).public_id
    reaper.kill("release", house.gil.id, str(batch), after="marketplace.payments.releasing:_fly")
    batches.release_batch(session, house.gil, batch)

    # Cut before the call, then after the call was made again, then while its outcome was booked. Until it
    # is, whether the call counted is not known.
    reaper.kill("works", before=f"{GATEWAY}.send_transfer")
    assert stripe.v1.transfers.list().data == []
    house.minutes(3)
    reaper.kill("works", after=f"{GATEWAY}.send_transfer")
    house.minutes(3)
    reaper.kill("works", before="marketplace.payments.transfers:audit.record")
    assert session.scalars(sa.select(PayoutItem)).one().state is ItemState.UNKNOWN
    house.minutes(3)
    house.works()
    assert session.scalars(sa.select(PayoutItem)).one().state is ItemState.SENT
    assert len(stripe.v1.transfers.list().data) == 1

    # The payout of our fees was made at Stripe, and we died before we knew.
    sweep = sweeps.prepare_sweep(session, house.fin).public_id
    sweeps.release_sweep(session, house.gil, sweep)
    reaper.kill("works", after=f"{GATEWAY}.send_payout")
    house.minutes(3)
    house.works()
    assert session.scalars(sa.select(Sweep)).one().state is SweepState.SENT
    assert len(stripe.v1.payouts.list().data) == 1

    assert house.journal(project) == SIGNED + APPROVED + PAID_OUT
    assert proofs.failing(session) == []


def test_an_event_that_was_applied_and_not_ticked_off_is_applied_once(house: House, reaper: Reaper) -> None:
    session = house.session
    project = acts.project(house)
    _lot, url = a_funding(session, house.gateway, house.carla, project, acts.FUNDS)
    hands.pay(url)
    told = house.stripe.client().v1.events.list({"type": "checkout.session.completed"}).data
    for event in told:
        events.store_event(session, events.Source.PLATFORM, facts.of_event(json.loads(str(event))))
    reaper.kill("works", before="marketplace.payments.events:_applied")
    assert session.scalars(sa.select(Funding)).one().state is FundingState.PAID

    house.works()
    assert session.scalars(sa.select(WebhookEvent).filter_by(applied_at=None)).all() == []
    assert house.journal(project) == SIGNED[:1]
    assert proofs.failing(session) == []
