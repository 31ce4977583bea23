"""The demo's history in small: played through the use cases, taken up where it broke off, and proven."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from marketplace import settings, tasks
from marketplace.accounts.models import Person
from marketplace.app import create_app
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.consents.models import Consent, ConsentState
from marketplace.contracts.models import Approval, Contract, TimeEntry, Timesheet
from marketplace.contracts.rates.models import RateProposal
from marketplace.contracts.sittings.models import Sitting
from marketplace.contracts.states import OfferState, SittingState, TimesheetState
from marketplace.contracts.usage.models import UsageImport
from marketplace.demo import world
from marketplace.demo.history.__main__ import steps
from marketplace.demo.history.stage import SEED, Stage, first_monday
from marketplace.demo.seed import raise_curtain
from marketplace.demo.walk import steps as walk
from marketplace.gigs.models import Application, Gig, Project
from marketplace.gigs.states import ApplicationState
from marketplace.payments.gateway import connect
from marketplace.payments.models import Funding, PayoutItem, PayoutItemApproval
from marketplace.payments.states import ItemState
from tests.conftest import Committed
from tests.demo.stripe_server.harness import Handle, stripe_of_the_settings

pytestmark = pytest.mark.committed

REPEATED = 7  # one step in so many is played twice, as after a crash just before it was noted as done
LUMENS = Project.name == world.LUMEN_PROJECT
EVERYTHING = (Person, Project, Gig, Application, Contract, Sitting, TimeEntry, Funding, PayoutItem)


@pytest.fixture
def stripe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handle]:
    # As in the demo: nobody begins an hour in a country that is not paid to.
    monkeypatch.setenv("MARKETPLACE_PAYOUT_COUNTRIES", "AU,IN")
    yield from stripe_of_the_settings(tmp_path, monkeypatch)


def test_a_small_history(committed: Committed, stripe: Handle) -> None:
    tasks.register()
    with committed.session() as session:
        raise_curtain(session, "Marginalia")
        stage = Stage(
            session=session,
            database_url=committed.url,
            gateway=connect(settings.current()),
            world=world.draw(SEED, experts=72, projects=2, gigs=5),
            monday=first_monday(),
            base_url="http://localhost:8000",
            stripe_url=stripe.url,
            fee_bps=settings.current().fee_bps,
        )
        # The last step raises when any proof does not hold.
        for number, (_name, act) in enumerate(steps(stage)):
            act()
            if number % REPEATED == 0:
                before = how_much(stage)
                act()
                assert how_much(stage) == before
            session.rollback()
        assert ben_was_paid_until_his_licence_ran_out(stage)
        assert dev_has_hours_to_approve(stage)
        assert carla_has_somebody_to_answer(stage)
        assert nothing_is_walked(stage)
        assert a_test_was_taken(stage)
        assert the_test_was_paid_in_a_batch(stage)
        assert terms_changed(stage)


def how_much(stage: Stage) -> list[int | None]:
    stage.session.rollback()
    return [stage.session.scalar(sa.select(sa.func.count()).select_from(kind)) for kind in EVERYTHING]


def ben_was_paid_until_his_licence_ran_out(stage: Stage) -> bool:
    ben = stage.by_email(world.BEN).id
    settled = sa.select(sa.func.count()).select_from(PayoutItem).filter_by(
        person_id=ben, state=ItemState.SETTLED
    )  # fmt: skip
    last = stage.session.scalar(sa.select(sa.func.max(TimeEntry.ended_at)).filter_by(person_id=ben))
    return (stage.session.scalar(settled) or 0) > 1 and last is not None and last < stage.when(10)


def dev_has_hours_to_approve(stage: Stage) -> bool:
    submitted = sa.select(Timesheet.id).join(Timesheet.contract).join(Contract.project)
    waiting = submitted.where(LUMENS, Timesheet.state == TimesheetState.SUBMITTED)
    return stage.session.scalars(waiting).first() is not None


def carla_has_somebody_to_answer(stage: Stage) -> bool:
    applied = sa.select(Application.id).join(Application.gig).join(Gig.project)
    waiting = applied.where(LUMENS, Application.state == ApplicationState.APPLIED)
    return stage.session.scalars(waiting).first() is not None


def a_test_was_taken(stage: Stage) -> bool:
    states = set(stage.session.scalars(sa.select(Sitting.state)))
    return {SittingState.PASSED, SittingState.HANDED_IN} == states


def the_test_was_paid_in_a_batch(stage: Stage) -> bool:
    """Every sitting, as nothing more is paid until a visitor prepares a batch."""
    paid = (
        sa.select(Timesheet.contract_id)
        .join(Approval)
        .join(PayoutItemApproval, PayoutItemApproval.approval_id == Approval.id)
        .join(PayoutItem)
        .where(PayoutItem.state.in_((ItemState.SENT, ItemState.PAID, ItemState.SETTLED)))
    )
    sat = set(stage.session.scalars(sa.select(Sitting.contract_id)))
    return bool(sat) and sat <= set(stage.session.scalars(paid))


def terms_changed(stage: Stage) -> bool:
    """A raise holds, a lower rate waits; one agreed to another use, others are asked; a tool counted."""
    rates = set(stage.session.scalars(sa.select(RateProposal.state)))
    consents = set(stage.session.scalars(sa.select(Consent.state)))
    counted = stage.session.scalar(sa.select(UsageImport.new_rows)) or 0
    return (
        rates == {OfferState.ACCEPTED, OfferState.MADE}
        and consents == {ConsentState.GIVEN, ConsentState.WAITING}
        and counted > 1
        and stage.session.scalar(sa.select(sa.func.count()).select_from(Adjustment)) == 1
    )


def nothing_is_walked(stage: Stage) -> bool:
    """What Lumen Labs did before does not count as the walk that a visitor is about to take."""
    app = create_app(settings.current(), new_session=lambda: stage.session, end_session=lambda _: None)
    with app.test_request_context():
        return {step["state"] for step in walk(stage.session)} == {"current", "todo"}
