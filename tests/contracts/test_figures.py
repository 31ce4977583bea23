"""What an hour on a gig really brought: of all time, to the cent, and of five people at least."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts import figures
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.entries import Work, add_entry, remove_entry
from marketplace.contracts.models import ApprovedLine, Contract, TimeEntry, Timesheet
from marketplace.contracts.states import TimeKind
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.gigs.models import Gig
from marketplace.gigs.rates import Earned, an_hour, is_below, rates_of, wages_of
from marketplace.money import Money
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, an_offer, sign
from tests.factories.gigs import RADIOLOGY, a_client, a_gig, a_project, an_expert, fund
from tests.visitor import Visitor, words

LATER = MONDAY + timedelta(hours=8)


@dataclass(frozen=True)
class Crew:
    """A gig on which six people have handed in a week, each a little longer and dearer."""

    client: Actor
    gig: Gig

    def approve(self, session: Session, number: int) -> None:
        """The weeks of so many of them."""
        query = sa.select(Timesheet).join(Timesheet.contract).where(Contract.gig_id == self.gig.id)
        with clock.at(LATER):
            for sheet in session.scalars(query.order_by(Timesheet.id).limit(number)).all():
                approve_timesheet(session, self.client, sheet.public_id, sheet.version)


@pytest.fixture
def crew(app: Flask, session: Session) -> Crew:
    with clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        fund(session, project.public_id, 900_000_00)
        gig = a_gig(session, client, project, headcount=9)
        signed = []
        for n in range(6):
            expert = an_expert(session, f"Expert {n}")
            offer = an_offer(session, client, expert, gig, rate=130_00 + 7_33 * n)
            signed.append((expert, sign(session, expert, offer)))
    with clock.at(LATER):
        for n, (expert, contract) in enumerate(signed):
            _a_week(session, expert, contract, n)
    return Crew(client, gig)


def _a_week(session: Session, expert: Actor, contract: Contract, n: int) -> None:
    waiting = MONDAY + timedelta(hours=5)
    paid = Work(MONDAY, MONDAY + timedelta(minutes=61 + 17 * n), "review")
    unpaid = Work(waiting, waiting + timedelta(minutes=7 + n), "review", kind=TimeKind.UNPAID)
    sheet = add_entry(session, expert, contract.public_id, paid).timesheet
    add_entry(session, expert, contract.public_id, unpaid)
    # Entered by mistake and taken out again: it is kept, and counts for nothing.
    mistaken = Work(waiting + timedelta(hours=1), waiting + timedelta(hours=2), "review")
    entry = add_entry(session, expert, contract.public_id, mistaken)
    remove_entry(session, expert, entry.public_id, entry.version)
    session.refresh(sheet)
    submit_timesheet(session, expert, sheet.public_id, sheet.version)


def by_hand(session: Session, gig: Gig) -> Money:
    """From the raw rows, by decimals."""
    lines = session.scalars(
        sa.select(ApprovedLine)
        .join(ApprovedLine.entry)
        .join(TimeEntry.contract)
        .where(Contract.gig_id == gig.id)
    ).all()
    sheets = {line.entry.timesheet_id for line in lines}
    entries = session.scalars(sa.select(TimeEntry).where(TimeEntry.timesheet_id.in_(sheets))).all()
    minutes = sum(entry.minutes for entry in entries if entry.removed_at is None)
    hour = Decimal(sum(line.expert_amount for line in lines)) * 60 / minutes
    return Money(int(hour.quantize(Decimal(1), ROUND_HALF_UP)), "USD")


def test_what_the_page_shows_is_what_the_raw_rows_say(app: Flask, session: Session, crew: Crew) -> None:
    crew.approve(session, 5)
    expected = by_hand(session, crew.gig)
    assert rates_of(session, crew.gig).effective == expected
    assert expected.amount < 130_00 + 7_33 * 2, "unpaid time makes an hour bring less than the rate"
    ana = Visitor(enter(app.test_client(), session, an_expert(session, "Ana Expert")))
    assert f"Really earned, an hour {expected}" in words(ana.get(f"/gigs/{crew.gig.public_id}"))


def test_of_four_nothing_is_said(app: Flask, session: Session, crew: Crew) -> None:
    crew.approve(session, 4)
    assert rates_of(session, crew.gig).effective is None
    carla = Visitor(enter(app.test_client(), session, crew.client))
    page = words(carla.get(f"/gigs/{crew.gig.public_id}/overview"))
    assert "Really earned, an hour not enough data yet" in page


def test_a_week_that_is_not_approved_counts_for_nothing(session: Session, crew: Crew) -> None:
    assert figures.earned(session, [crew.gig.id]) == {}
    crew.approve(session, 1)
    assert figures.earned(session, [crew.gig.id]) == {crew.gig.id: Earned(1, 132_17, 68)}


def test_only_the_gigs_that_are_asked_for(session: Session, crew: Crew) -> None:
    crew.approve(session, 5)
    assert figures.earned(session, [crew.gig.id + 1]) == {}


@pytest.mark.parametrize(
    ("paid", "minutes", "hour"),
    [(100_00, 60, 100_00), (1, 120, 1), (1, 121, 0), (100_00, 90, 66_67), (0, 5, 0)],
)
def test_it_is_rounded_once_half_up(paid: int, minutes: int, hour: int) -> None:
    assert an_hour(Earned(5, paid, minutes)) == hour


def test_a_client_below_public_wages_is_told_and_not_kept_from_anything(app: Flask, session: Session) -> None:
    wages = wages_of(RADIOLOGY)
    assert wages is not None
    low = wages.low.amount
    assert is_below(RADIOLOGY, low - 1, "USD")
    assert not is_below(RADIOLOGY, low, "USD")
    assert not is_below(RADIOLOGY, low - 1, "EUR")
    assert not is_below(None, 1_00, "USD")
    assert not is_below("medicine", 1_00, "USD")
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    gig = a_gig(session, client, project, rate_min=low - 9_00, rate_max=low - 1)
    session.commit()
    carla = Visitor(enter(app.test_client(), session, client))
    page = words(carla.get(f"/gigs/{gig.public_id}/overview"))
    assert "below what three quarters of employees in this occupation earn" in page
    assert f"{wages.low} – {wages.high}" in page
    assert "U.S. Bureau of Labor Statistics, OEWS, May 2025" in page
    form = words(carla.get(f"/gigs/{gig.public_id}/edit"))
    assert "below what three quarters of them earn" in form
