"""What a client is told of the fee before anything is reserved: in offers, caps, tests, and by notices."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.budgets.caps import OverCap, set_cap
from marketplace.contracts.fees.models import FeeChange
from marketplace.contracts.fees.setting import FeeDraft, accept_fee, propose_fee
from marketplace.contracts.models import Contract, Offer
from marketplace.contracts.offers import OfferDraft, make_offer
from marketplace.contracts.sittings.asking import ask, price_of
from marketplace.contracts.sittings.taking import begin
from marketplace.gigs.models import Application
from marketplace.gigs.states import ProjectState
from marketplace.notifications.models import Notification
from tests.factories.accounts import enter
from tests.factories.contracts import FEE_BPS, MONDAY, RATE, sign
from tests.factories.gigs import a_client, a_gig, a_project, an_application, an_expert, fund
from tests.factories.payments import Finance, finance
from tests.factories.sittings import Trial
from tests.visitor import Visitor, words

DAY = timedelta(days=1)
# The second Wednesday.
CHANGE = date(2026, 6, 10)


class Desk:
    """A client with a project, an applicant, and finance; no contract yet."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.finance: Finance = finance(session)
        self.client, organization = a_client(session)
        self.project = a_project(session, self.client, organization)
        fund(session, self.project.public_id, 10_000_00)
        gig = a_gig(session, self.client, self.project)
        self.expert: Actor = an_expert(session, "Ana Silva")
        self.application: Application = an_application(session, self.expert, gig)

    def offer(self, starts_on: date, at: datetime = MONDAY) -> Offer:
        with clock.at(at):
            draft = OfferDraft(rate=RATE, hours_per_week=10, starts_on=starts_on)
            return make_offer(self.session, self.client, self.application.public_id, draft, fee_bps=FEE_BPS)

    def sign(self, offer: Offer, at: datetime) -> Contract:
        with clock.at(at):
            return sign(self.session, self.expert, offer)

    def told(self) -> list[str]:
        """The titles that the client's administrator was sent about fees."""
        query = sa.select(Notification.title).filter_by(kind="fee.changed", person_id=self.client.id)
        return list(self.session.scalars(query.order_by(Notification.id)))


def a_fee(session: Session, finance: Finance, fee_bps: int, on: date, at: datetime = MONDAY) -> FeeChange:
    with clock.at(at):
        made = propose_fee(session, finance.fin, FeeDraft(on, fee_bps, "A new list of prices."))
        gil = replace(finance.gil, second_factor_at=clock.now())
        return accept_fee(session, gil, made.public_id)


@pytest.fixture
def desk(session: Session) -> Desk:
    with clock.at(MONDAY):
        return Desk(session)


def page(app: Flask, session: Session, who: Actor, path: str, at: datetime = MONDAY) -> str:
    with clock.at(at):
        return words(Visitor(enter(app.test_client(), session, who)).get(path))


def test_an_offer_is_made_with_the_fee_of_its_first_day(app: Flask, session: Session, desk: Desk) -> None:
    a_fee(session, desk.finance, 3_000, CHANGE)
    path = f"/applications/{desk.application.public_id}/offer"
    said = page(app, session, desk.client, path)
    assert "Our fee is 20 % of the pay. For work from Wed 10 Jun 2026 on it is 30 %." in said
    offer = desk.offer(CHANGE)
    assert offer.fee_bps == 3_000
    assert desk.sign(offer, MONDAY).fee_on(CHANGE) == 3_000
    assert desk.told() == ["Our fee becomes 30 % of the pay"]


def test_an_offer_names_what_is_accepted_for_later(app: Flask, session: Session, desk: Desk) -> None:
    a_fee(session, desk.finance, 3_000, CHANGE)
    offer = desk.offer(MONDAY.date())
    assert offer.fee_bps == FEE_BPS
    said = page(app, session, desk.client, f"/offers/{offer.public_id}")
    assert "20 % of the pay, on top of it. For work from Wed 10 Jun 2026 on it is 30 %." in said


@pytest.mark.parametrize("days", [2, 6])
def test_a_fee_that_comes_after_the_offer_is_told_and_shown(
    app: Flask, session: Session, desk: Desk, days: int
) -> None:
    offer = desk.offer(MONDAY.date() + 2 * DAY)
    change = MONDAY.date() + 2 * DAY
    a_fee(session, desk.finance, 3_000, change)
    # Nothing is signed yet, and the client knows already.
    assert desk.told() == ["Our fee becomes 30 % of the pay"]
    for who in (desk.client, desk.expert):
        said = page(app, session, who, f"/offers/{offer.public_id}")
        assert "30 % of the pay, on top of it. When the offer was made it was 20 %." in said
    contract = desk.sign(offer, MONDAY + days * DAY)
    assert contract.fee_at(clock.now()) == 3_000
    assert desk.told()[1:] == ["Our fee is 30 % of the pay for a contract that is signed now"]


def test_who_signs_late_is_charged_the_fee_of_the_first_day(session: Session, desk: Desk) -> None:
    """The offer said what its first day costs, which nobody can work any more."""
    a_fee(session, desk.finance, 3_000, MONDAY.date() + 3 * DAY)
    offer = desk.offer(MONDAY.date())
    assert offer.fee_bps == FEE_BPS
    desk.sign(offer, MONDAY + 4 * DAY)
    [title, body] = session.execute(
        sa.select(Notification.title, Notification.body)
        .filter_by(kind="fee.changed", person_id=desk.client.id)
        .order_by(Notification.id.desc())
    ).first() or ("", "")
    assert title == "Our fee is 30 % of the pay for a contract that is signed now"
    assert "The offer said 20 %; the fee of Fri 5 Jun 2026, its first day, applies." in body


def test_who_signs_as_it_was_offered_is_told_nothing_more(session: Session, desk: Desk) -> None:
    a_fee(session, desk.finance, 3_000, CHANGE)
    desk.sign(desk.offer(MONDAY.date()), MONDAY)
    assert len(desk.told()) == 1


def test_a_client_whose_projects_are_over_is_told_nothing(session: Session, desk: Desk) -> None:
    session.execute(sa.update(type(desk.project)).values(state=ProjectState.CLOSED))
    session.commit()
    a_fee(session, desk.finance, 3_000, CHANGE)
    assert desk.told() == []


def test_a_cap_is_asked_with_the_fee_of_its_weeks(session: Session, desk: Desk) -> None:
    with clock.at(MONDAY - 7 * DAY):
        set_cap(session, desk.client, desk.project.public_id, 10 * RATE * 12 // 10, None)
    a_fee(session, desk.finance, 3_000, CHANGE)
    # The first week is at 20 % and fits; the second has days at 30 %.
    with pytest.raises(OverCap):
        desk.offer(MONDAY.date())


def test_a_test_costs_the_fee_of_the_days_on_which_it_can_be_taken(
    app: Flask, session: Session, trial: Trial
) -> None:
    asked, change = MONDAY + 9 * DAY, MONDAY + 14 * DAY
    with clock.at(asked):
        before = price_of(session, trial.application, trial.test, FEE_BPS).most.amount
        a_fee(session, finance(session), 10_000, change.date(), asked)
        assert price_of(session, trial.application, trial.test, FEE_BPS).most.amount == before * 20 // 12
        offer = ask(session, trial.deal.client, trial.application.public_id, fee_bps=FEE_BPS)
    assert offer.fee_bps == FEE_BPS
    said = page(app, session, trial.deal.client, f"/offers/{offer.public_id}", asked)
    assert "20 % of the pay, on top of it. For work from Mon 15 Jun 2026 on it is 100 %." in said
    with clock.at(change):
        begin(session, trial.ana, offer.public_id, trial.ana.name)
    told = session.scalars(sa.select(Notification.title).filter_by(kind="fee.changed")).all()
    assert "Our fee is 100 % of the pay for a contract that is signed now" in told
