"""The end of a project: what follows is told first, all of it happens or nothing, what was worked is paid."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.budgets.ending import end_project, is_settled, outlook, unpaid
from marketplace.contracts.models import Contract, Offer, Reservation
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.queries import burn_down
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.signing import accept_offer
from marketplace.contracts.states import ContractState, OfferState, ReservationState
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.gigs.models import Project
from marketplace.gigs.publishing import publish_gig
from marketplace.gigs.states import GigState, ProjectState
from marketplace.money import Money
from marketplace.notifications.models import Notification
from marketplace.reasons.models import Statement
from tests.conftest import Committed
from tests.contracts.test_budget import free, offered
from tests.factories.accounts import an_actor
from tests.factories.contracts import MONDAY, Deal, a_deal, an_entry, an_offer
from tests.factories.gigs import an_expert

WEEK = 1_800_00
WHY = "We have all the answers that we need from this project."
TUESDAY = MONDAY + timedelta(days=1)


@pytest.fixture
def deal(session: Session) -> Deal:
    """Two weeks of $1,800 are reserved of $10,000, and two hours were worked in the first."""
    with clock.at(MONDAY):
        found = a_deal(session)
    with clock.at(TUESDAY):
        an_entry(session, found, MONDAY, 120)
    return found


def end(session: Session, deal: Deal) -> None:
    end_project(session, deal.client, deal.project.public_id, "work_finished", WHY)


def usd(amount: int) -> Money:
    return Money(amount, "USD")


def test_what_follows_is_told_before(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        found = outlook(session, deal.project)
        assert [each.id for each in found.contracts] == [deal.contract.id]
        assert [each.id for each in found.gigs] == [deal.gig.id]
        assert len(found.sheets) == 1
        assert (found.free, found.freed, found.worked) == (usd(10_000_00 - 2 * WEEK), usd(WEEK), usd(WEEK))
        end(session, deal)
        burn = burn_down(session, deal.project)
    assert (burn.free, burn.reserved) == (found.free + found.freed, found.worked)


def test_everything_of_it_ends_and_the_expert_is_told_why(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        bo = an_expert(session, "Bo")
        offer = an_offer(session, deal.client, bo, deal.gig)
        end(session, deal)
    assert deal.project.state is ProjectState.CLOSED
    assert deal.gig.state is GigState.CLOSED
    assert deal.contract.state is ContractState.ENDED
    assert offer.state is OfferState.WITHDRAWN
    statement = session.scalars(sa.select(Statement)).one()
    assert (statement.person_id, statement.reason_code) == (deal.expert.id, "work_finished")
    kinds = set(session.scalars(sa.select(Notification.kind).filter_by(person_id=bo.id)))
    assert "offer.withdrawn" in kinds


def test_what_was_worked_is_still_submitted_and_paid_and_only_then_is_it_settled(
    session: Session, deal: Deal
) -> None:
    with clock.at(TUESDAY):
        end(session, deal)
        assert not is_settled(session, deal.project)
        (sheet,) = unpaid(session, deal.project)
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        assert not is_settled(session, deal.project)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
        assert is_settled(session, deal.project)
    burn = burn_down(session, deal.project)
    assert (burn.spent, burn.reserved, burn.free) == (usd(360_00), usd(0), usd(10_000_00 - 360_00))
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_hours_of_before_the_end_are_entered_for_two_days_more(session: Session) -> None:
    """Entered by hand afterwards, as after any day; only then is the money of an empty week free."""
    with clock.at(MONDAY):
        late, empty = a_deal(session), a_deal(session)
    with clock.at(TUESDAY):
        for each in (late, empty):
            found = outlook(session, each.project)
            assert (found.free, found.freed) == (usd(10_000_00 - 2 * WEEK), usd(WEEK))
            end(session, each)
            assert burn_down(session, each.project).reserved == found.worked == usd(WEEK)
    with clock.at(TUESDAY + timedelta(days=2) - timedelta(minutes=1)):
        roll_weeks(session)
        assert not is_settled(session, empty.project)
        an_entry(session, late, MONDAY, 120)
        with pytest.raises(Refused, match="later time cannot be entered"):
            an_entry(session, late, TUESDAY, 60)
    with clock.at(TUESDAY + timedelta(days=2)):
        assert roll_weeks(session) == 1
        assert roll_weeks(session) == 0
        assert is_settled(session, empty.project)
        assert burn_down(session, empty.project).free == usd(10_000_00)
        assert len(unpaid(session, late.project)) == 1
        assert burn_down(session, late.project).reserved == usd(WEEK)
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_nothing_begins_after_the_end(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        end(session, deal)
        with pytest.raises(Refused):
            end(session, deal)
        with pytest.raises(Refused):
            publish_gig(session, deal.client, deal.gig.public_id)
    with clock.at(MONDAY + timedelta(days=14)):
        roll_weeks(session)
    held = sa.select(sa.func.count()).select_from(Reservation).filter_by(state=ReservationState.HELD)
    assert session.scalar(held) == 1


def test_an_offer_that_was_left_over_is_not_signed(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        bo = an_expert(session, "Bo")
        offer = an_offer(session, deal.client, bo, deal.gig)
        end(session, deal)
        session.execute(sa.update(Offer).where(Offer.id == offer.id).values(state="made", decided_at=None))
        session.execute(
            sa.text("UPDATE applications SET state = 'offered' WHERE person_id = :id"), {"id": bo.id}
        )
        session.commit()
        with pytest.raises(Refused, match="has ended"):
            accept_offer(session, bo, offer.public_id, bo.name)


def test_without_a_reason_nothing_is_ended(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY), pytest.raises(Invalid):
        end_project(session, deal.client, deal.project.public_id, "", "")
    session.refresh(deal.project)
    assert deal.project.state is ProjectState.OPEN
    assert deal.contract.state is ContractState.ACTIVE


def test_only_an_admin_ends_it(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY), pytest.raises(NotAllowed):
        end_project(session, deal.approver, deal.project.public_id, "work_finished", WHY)


@pytest.mark.committed
def test_who_signs_while_it_ends_has_a_contract_that_ended_or_none(committed: Committed) -> None:
    offers = offered(committed, 12, hours=1, funded=100)
    with committed.session() as session:
        carla = an_actor(
            session, session.scalars(sa.select(Person).filter_by(full_name="Carla Client")).one()
        )
        project = session.scalars(sa.select(Project.public_id)).one()

    def do(step: int) -> None:
        with committed.session() as session, clock.at(TUESDAY):
            try:
                if step == 4:
                    end_project(session, carla, project, "work_finished", WHY)
                else:
                    expert, offer = offers[step]
                    accept_offer(session, expert, offer, expert.name)
            except Refused:
                pass

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(do, range(12)))
    with committed.session() as session, clock.at(TUESDAY):
        found = session.scalars(sa.select(Project)).one()
        if found.state is not ProjectState.CLOSED:
            do(4)
            session.expire_all()
        assert found.state is ProjectState.CLOSED
        assert set(session.scalars(sa.select(Contract.state))) <= {ContractState.ENDED}
        assert set(session.scalars(sa.select(Offer.state))) <= {OfferState.ACCEPTED, OfferState.WITHDRAWN}
        assert is_settled(session, found)
        assert free(session) == burn_down(session, found).funded.amount
