"""The budget under a crowd: exactly the hours that are funded are granted, and what nobody works returns."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import Actor
from marketplace.contracts.entries import add_entry
from marketplace.contracts.models import Contract, Reservation
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.signing import accept_offer
from marketplace.contracts.states import ReservationState
from marketplace.errors import Refused
from marketplace.gigs.models import Project
from marketplace.ledger import chart
from tests.conftest import Committed
from tests.factories.contracts import FEE_BPS, MONDAY, RATE, an_offer, work
from tests.factories.gigs import a_client, a_gig, a_project, an_expert, fund

pytestmark = pytest.mark.committed
HANDS = 16
# What an hour costs the client, pay and fee.
HOUR = RATE * (10_000 + FEE_BPS) // 10_000
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)


def offered(committed: Committed, people: int, *, hours: int, funded: int) -> list[tuple[Actor, UUID]]:
    """An offer of so many hours a week to each of so many people, on a budget for `funded` hours."""
    with committed.session() as session, clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        fund(session, project.public_id, funded * HOUR)
        gig = a_gig(session, client, project, headcount=people, hours_per_week=hours)
        experts = [an_expert(session, f"Expert {n}") for n in range(people)]
        return [(each, an_offer(session, client, each, gig, hours=hours).public_id) for each in experts]


def signed(committed: Committed, offers: list[tuple[Actor, UUID]]) -> Counter[str]:
    """Everybody signs at once, as many at a time as the site has connections for."""

    def sign(made: tuple[Actor, UUID]) -> str:
        expert, offer = made
        while True:
            with committed.session() as session, clock.at(TUESDAY):
                try:
                    accept_offer(session, expert, offer, expert.name)
                except Refused as refusal:
                    # Whoever waited for their turn longer than the database lets them is told to try again.
                    if refusal.sentence.endswith("then retry."):
                        continue
                    return "refused: " + refusal.sentence.partition(" has ")[0]
                return "signed"

    with ThreadPoolExecutor(HANDS) as pool:
        return Counter(pool.map(sign, offers))


def free(session: Session) -> int:
    project = session.scalars(sa.select(Project)).one()
    return -ledger.balance(session, chart.project_funds(project.public_id), "USD")


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_two_hundred_start_at_once_on_a_budget_for_a_hundred_and_fifty_hours(committed: Committed) -> None:
    """Each needs an hour this week and one in the next; there is money for seventy-five such pairs."""
    found = signed(committed, offered(committed, 200, hours=1, funded=150))
    assert found == {"signed": 75, "refused: The project": 125}
    with committed.session() as session:
        assert free(session) == 0
        granted = session.scalar(sa.select(sa.func.sum(Reservation.minutes)))
        assert granted == 150 * 60
        no_drift(session)


def test_eighty_contracts_of_ten_hours_on_sixteen_hundred_and_a_no_shows_hours_return(
    committed: Committed,
) -> None:
    found = signed(committed, offered(committed, 80, hours=10, funded=1_600))
    assert found == {"signed": 80}
    with committed.session() as session:
        assert free(session) == 0
        contracts = session.scalars(sa.select(Contract).order_by(Contract.id)).all()
        people = [(each.public_id, each.person_id) for each in contracts]
    with committed.session() as session, clock.at(WEDNESDAY):
        for contract, person in people[1:]:
            add_entry(session, Actor(person, "expert"), contract, work(TUESDAY))
    with committed.session() as session, clock.at(MONDAY + timedelta(days=9, hours=1)):
        roll_weeks(session)
        no_show = session.scalars(sa.select(Contract).filter_by(public_id=people[0][0])).one()
        weeks = session.scalars(
            sa.select(Reservation).filter_by(contract_id=no_show.id).order_by(Reservation.week_start_at)
        ).all()
        assert [each.state for each in weeks][:2] == [ReservationState.CLOSED, ReservationState.HELD]
        # The ten hours that came back are set aside again at once, for the week after the next of somebody.
        held = sa.select(sa.func.sum(Reservation.minutes)).filter_by(state=ReservationState.HELD)
        assert session.scalar(held) == 1_600 * 60
        assert free(session) == 0
        no_drift(session)
