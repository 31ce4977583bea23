"""Weekly caps: what a project's contracts take in a week together never exceeds them, in any crowd."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.contracts.budgets import caps
from marketplace.contracts.budgets.caps import OverCap, Share, set_cap
from marketplace.contracts.ending import end_contract
from marketplace.contracts.models import Reservation
from marketplace.contracts.offers import OfferDraft, make_offer
from marketplace.contracts.rates.proposing import RateDraft, propose_rate
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.signing import accept_offer
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.notifications.models import Notification
from tests.conftest import Committed
from tests.contracts.test_budget import HOUR, free, no_drift, offered, signed
from tests.factories.accounts import an_actor, enter
from tests.factories.contracts import FEE_BPS, MONDAY, RATE, Deal, a_deal, an_entry, an_offer, sign
from tests.factories.gigs import an_application, an_expert
from tests.visitor import Visitor, words

THIS, NEXT, THIRD = date(2026, 6, 1), date(2026, 6, 8), date(2026, 6, 15)
NEXT_MONDAY = MONDAY + timedelta(days=7)


@pytest.fixture
def deal(session: Session) -> Deal:
    """Ten hours a week, of which this week and the next are reserved."""
    with clock.at(MONDAY):
        return a_deal(session, funds=50_000_00)


def weeks(session: Session, deal: Deal) -> list[date]:
    query = sa.select(Reservation.week_start_at).filter_by(contract_id=deal.contract.id)
    return [each.astimezone(deal.contract.zone).date() for each in session.scalars(query.order_by("id"))]


def test_what_is_reserved_stays_and_the_week_after_is_not_reserved(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        cap = set_cap(session, deal.client, deal.project.public_id, None, 9)
        assert cap.from_on == NEXT
        assert caps.taken(session, deal.project.id, NEXT) == Share(10 * HOUR, 600)
    with clock.at(NEXT_MONDAY):
        assert roll_weeks(session) == 0
        assert roll_weeks(session) == 0
    assert weeks(session, deal) == [THIS, NEXT]
    told = session.scalars(sa.select(Notification).filter_by(kind="reservation.short")).all()
    assert {each.person_id: each.path for each in told} == {
        deal.expert.id: f"/contracts/{deal.contract.public_id}",
        deal.client.id: f"/projects/{deal.project.public_id}/cap",
    }
    assert "take 9 hours in the week from Mon 15 Jun 2026; 0 are taken, and this needs 10." in told[0].body


def test_a_cap_in_money_holds_to_the_cent(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        set_cap(session, deal.client, deal.project.public_id, 10 * HOUR, None)
    with clock.at(NEXT_MONDAY):
        assert roll_weeks(session) == 1
        set_cap(session, deal.client, deal.project.public_id, 10 * HOUR - 1, None)
    with clock.at(NEXT_MONDAY + timedelta(days=7)):
        # What comes back of the first week is money, and no room in the fourth.
        roll_weeks(session)
    assert weeks(session, deal) == [THIS, NEXT, THIRD]


def test_a_cap_is_lifted_by_leaving_it_empty(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        set_cap(session, deal.client, deal.project.public_id, None, 1)
        set_cap(session, deal.client, deal.project.public_id, None, None)
        assert caps.in_force(session, deal.project.id, NEXT) is None
    with clock.at(NEXT_MONDAY):
        assert roll_weeks(session) == 1


def test_an_offer_that_does_not_fit_is_refused_with_the_numbers(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        set_cap(session, deal.client, deal.project.public_id, None, 15)
        application = an_application(session, an_expert(session, "Bo"), deal.gig)
        draft = OfferDraft(RATE, 6, THIS)
        with pytest.raises(OverCap, match=r"15 hours .* 10 are taken, and this needs 6"):
            make_offer(session, deal.client, application.public_id, draft, fee_bps=FEE_BPS)
        make_offer(session, deal.client, application.public_id, OfferDraft(RATE, 5, THIS), fee_bps=FEE_BPS)


def test_an_offer_that_does_not_fit_any_more_is_not_signed(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        bo = an_expert(session, "Bo")
        offer = an_offer(session, deal.client, bo, deal.gig, hours=10)
        set_cap(session, deal.client, deal.project.public_id, None, 19)
        with pytest.raises(OverCap, match="19 hours"):
            accept_offer(session, bo, offer.public_id, bo.name)


def test_what_another_gave_back_is_free_for_somebody_else(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        set_cap(session, deal.client, deal.project.public_id, None, 10)
        end_contract(session, deal.expert, deal.contract.public_id)
        assert caps.taken(session, deal.project.id, NEXT) == Share()
        bo = an_expert(session, "Bo")
        sign(session, bo, an_offer(session, deal.client, bo, deal.gig, hours=10))
        assert caps.taken(session, deal.project.id, NEXT) == Share(10 * HOUR, 600)


def test_what_was_worked_of_a_closed_week_counts(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + timedelta(hours=2)):
        an_entry(session, deal, MONDAY, 90)
        session.execute(sa.update(Reservation).values(state="closed"))
        assert caps.taken(session, deal.project.id, THIS) == Share(90 * HOUR // 60, 90)
        assert caps.taken(session, deal.project.id, NEXT) == Share()


def test_a_raise_that_would_exceed_it_is_refused(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        set_cap(session, deal.client, deal.project.public_id, 10 * HOUR, None)
        with pytest.raises(Refused, match="this needs"):
            propose_rate(session, deal.client, deal.contract.public_id, RateDraft(RATE + 10_00, NEXT))


def test_only_an_admin_sets_it_and_not_to_nothing(session: Session, deal: Deal) -> None:
    with pytest.raises(NotAllowed):
        set_cap(session, deal.approver, deal.project.public_id, None, 5)
    for amount, hours in ((0, None), (None, 0), (-1, 4)):
        with pytest.raises(Invalid):
            set_cap(session, deal.client, deal.project.public_id, amount, hours)


def test_the_page_sets_it_and_says_what_is_taken(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        carla = Visitor(enter(app.test_client(), session, deal.client))
        path = f"/projects/{deal.project.public_id}/cap"
        carla.get(path)
        page = words(carla.post(path, amount="2,000", hours=""))
        assert "It holds from Mon 8 Jun 2026 on" in page
        assert "Mon 8 Jun 2026 $1,800.00 $2,000.00" in page
        assert 'value="2,000.00"' in carla.get(path).text


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 30)), min_size=1, max_size=4))
def test_no_week_is_ever_over_its_cap(session: Session, steps: list[tuple[int, int]]) -> None:
    """People sign for so many hours while the cap is set to so many."""
    with clock.at(MONDAY):
        found = a_deal(session, hours=10, funds=90_000_00)
        found.gig.headcount = 9
        session.commit()
        for hours, most in steps:
            set_cap(session, found.client, found.project.public_id, None, most)
            before = caps.taken(session, found.project.id, NEXT).minutes
            signs(session, found, hours, fits=before + hours * 60 <= most * 60)
            after = caps.taken(session, found.project.id, NEXT).minutes
            assert after == before or after <= most * 60


def signs(session: Session, deal: Deal, hours: int, *, fits: bool) -> None:
    expert = an_expert(session, f"Expert {uuid4()}")
    application = an_application(session, expert, deal.gig)
    draft = OfferDraft(RATE, hours, THIS)
    if not fits:
        with pytest.raises(OverCap):
            make_offer(session, deal.client, application.public_id, draft, fee_bps=FEE_BPS)
        return
    sign(session, expert, make_offer(session, deal.client, application.public_id, draft, fee_bps=FEE_BPS))


@pytest.mark.committed
def test_forty_sign_at_once_and_thirty_hours_a_week_are_taken(committed: Committed) -> None:
    """There is money for all; the next week has room for three of ten hours."""
    offers = offered(committed, 40, hours=10, funded=2_000)
    with committed.session() as session, clock.at(MONDAY):
        carla = session.scalars(sa.select(Person).filter_by(full_name="Carla Client")).one()
        project = session.scalars(sa.text("SELECT public_id FROM projects")).one()
        set_cap(session, an_actor(session, carla), project, None, 30)
    found = signed(committed, offers)
    assert found["signed"] == 3
    assert sum(found.values()) == 40
    with committed.session() as session:
        assert free(session) == (2_000 - 60) * HOUR
        no_drift(session)
