"""What the work says of an expert in a match."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.offers import decline_offer, expire_offers
from marketplace.contracts.records import records_of, refresh_records
from marketplace.contracts.timesheets import return_timesheet, submit_timesheet
from marketplace.gigs.projection import Told
from marketplace.matching import ranking
from tests.factories.contracts import MONDAY, a_deal, a_submitted_week, an_offer
from tests.factories.gigs import an_expert

WEEK = timedelta(days=7)


def test_weeks_count_by_how_they_were_decided(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(MONDAY + timedelta(days=1)):
        first = a_submitted_week(session, deal, MONDAY)
        assert records_of(session, [deal.expert.id]) == {deal.expert.id: Told(None, 0)}
        approve_timesheet(session, deal.approver, first.public_id, first.version)
        assert records_of(session, [deal.expert.id])[deal.expert.id].record == 100
    with clock.at(MONDAY + WEEK):
        second = a_submitted_week(session, deal, MONDAY + WEEK - timedelta(hours=2))
        return_timesheet(
            session, deal.approver, second.public_id, second.version, "note_missing", "Which case?"
        )
        assert records_of(session, [deal.expert.id])[deal.expert.id].record == 50
        submit_timesheet(session, deal.expert, second.public_id, second.version)
        approve_timesheet(session, deal.approver, second.public_id, second.version)
        assert records_of(session, [deal.expert.id])[deal.expert.id].record == 50
        assert refresh_records(session) == 1
        assert ranking.experts(session, [deal.expert.id])[deal.expert.id].record == 50
    with clock.at(MONDAY + timedelta(days=400)):
        assert records_of(session, [deal.expert.id]) == {}


def test_an_answer_takes_as_long_as_it_takes_and_none_takes_it_all(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        bea, cee = an_expert(session, "Bea Expert"), an_expert(session, "Cee Expert")
        offer = an_offer(session, deal.client, bea, deal.gig)
        an_offer(session, deal.client, cee, deal.gig)
    with clock.at(MONDAY + timedelta(hours=5, minutes=1)):
        decline_offer(session, bea, offer.public_id)
    with clock.at(MONDAY + timedelta(days=7)):
        expire_offers(session)
        found = records_of(session, [bea.id, cee.id])
    assert found == {bea.id: Told(None, 6), cee.id: Told(None, 168)}
