"""Offers and signatures: what is offered is what is signed, and money stands behind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE
from marketplace.contracts import ending, offers, terms
from marketplace.contracts.models import Contract
from marketplace.contracts.offers import OfferDraft, decline_offer, make_offer, withdraw_offer
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.signing import accept_offer
from marketplace.contracts.states import ContractState, OfferState
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.gigs.drafts import edit_gig
from marketplace.gigs.states import ApplicationState
from marketplace.ledger import chart
from tests.factories.accounts import enter
from tests.factories.contracts import FEE_BPS, MONDAY, RATE, a_deal, an_offer, sign
from tests.factories.gigs import a_client, a_draft, a_gig, a_project, an_application, an_expert, fund, licence
from tests.visitor import Visitor, words

TWO_WEEKS = 2 * 10 * RATE * 120 // 100


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def free(session: Session, contract: Contract) -> int:
    return -ledger.balance(session, chart.project_funds(contract.project.public_id), "USD")


def test_it_works(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        contract = deal.contract
    assert contract.state is ContractState.ACTIVE
    assert contract.terms_sha256 == terms.fingerprint(contract.offer.terms)
    assert contract.time_zone == "America/New_York"
    assert contract.offer.application.state is ApplicationState.HIRED
    assert [r.rate for r in contract.rates] == [RATE]
    assert free(session, contract) == 10_000_00 - TWO_WEEKS
    no_drift(session)


def test_reserving_is_one_entry_a_week(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
    rows = [
        (entry.event, entry.source.rsplit(":", 1)[1], [(p.account.code, p.amount) for p in entry.postings])
        for entry in ledger.entries_for(session, f"reservation:{deal.contract.public_id}")
    ]
    week = 10 * RATE * 120 // 100
    assert rows == [
        ("reserved", "2026-06-01", [("2010", week), ("2020", -week)]),
        ("reserved", "2026-06-08", [("2010", week), ("2020", -week)]),
    ]


def test_what_was_offered_stays_when_the_gig_changes(session: Session) -> None:
    with clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        fund(session, project.public_id, 10_000_00)
        gig, ana = a_gig(session, client, project), an_expert(session)
        offer = an_offer(session, client, ana, gig)
        edit_gig(session, client, gig.public_id, a_draft(used_in="Sold to anyone.", rate_max=120_00))
        contract = sign(session, ana, offer)
    assert "Used by the client only." in contract.offer.terms
    assert contract.offer.rate == RATE
    assert contract.fee_bps == FEE_BPS


def test_the_database_keeps_the_text(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
    deal.contract.offer.terms = "Something else"
    with pytest.raises(DBAPIError, match="permission denied"):
        session.flush()


@pytest.mark.parametrize("typed", ["", "Ana", "Ben Expert"])
def test_another_name_is_no_signature(session: Session, typed: str) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        ben = an_expert(session, "Bea Expert")
        offer = an_offer(session, deal.client, ben, deal.gig)
        with pytest.raises(Invalid) as refusal:
            accept_offer(session, ben, offer.public_id, typed)
    assert refusal.value.field == "signed_name"


def test_a_name_is_the_same_in_other_case_and_spaces(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        bea = an_expert(session, "Bea Expert")
        offer = an_offer(session, deal.client, bea, deal.gig)
        assert accept_offer(session, bea, offer.public_id, "  bea   EXPERT ").signed_name == "Bea Expert"


def test_funds_that_do_not_cover_two_weeks_are_told(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session, funds=TWO_WEEKS + 500_00)
        bea = an_expert(session, "Bea Expert")
        fund(session, deal.project.public_id, 1_500_00)
        offer = an_offer(session, deal.client, bea, deal.gig)
        with pytest.raises(Refused) as refusal:
            sign(session, bea, offer)
        assert "$2,000.00 free" in refusal.value.sentence
        assert "$3,600.00" in refusal.value.sentence
        session.refresh(offer)
        assert offer.state is OfferState.MADE
        fund(session, deal.project.public_id, 1_600_00)
        assert sign(session, bea, offer).state is ContractState.ACTIVE
    no_drift(session)


def test_the_last_place_is_given_once(session: Session) -> None:
    with clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        fund(session, project.public_id, 20_000_00)
        gig = a_gig(session, client, project, headcount=1)
        ana, bea = an_expert(session), an_expert(session, "Bea Expert")
        first, second = an_offer(session, client, ana, gig), an_offer(session, client, bea, gig)
        sign(session, ana, first)
        with pytest.raises(Refused, match="All places"):
            sign(session, bea, second)


def test_a_missing_credential_stops_the_signature(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        bea = an_expert(session, "Bea Expert")
        offer = an_offer(session, deal.client, bea, deal.gig)
        edit_gig(session, deal.client, deal.gig.public_id, a_draft(requirements=(licence(),)))
        with pytest.raises(Refused, match="California"):
            sign(session, bea, offer)


@pytest.mark.parametrize("rate", [99_99, 200_01])
def test_a_rate_outside_the_band_is_not_offered(session: Session, rate: int) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        bea = an_expert(session, "Bea Expert")
        with pytest.raises(Invalid) as refusal:
            an_offer(session, deal.client, bea, deal.gig, rate=rate)
    assert refusal.value.field == "rate"


def test_an_expert_is_not_offered_less_than_the_least_they_work_for(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        bea = an_expert(session, "Bea Expert", min_rate=120_00)
        with pytest.raises(Invalid, match=r"works for \$120.00 an hour or more") as refusal:
            an_offer(session, deal.client, bea, deal.gig, rate=119_99)
        cee = an_expert(session, "Cee Expert", min_rate=120_00)
        assert an_offer(session, deal.client, cee, deal.gig, rate=120_00).rate == 120_00
    assert refusal.value.field == "rate"


def test_declining_withdrawing_and_expiring(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        bea, cee, dea = (an_expert(session, f"{name} Expert") for name in ("Bea", "Cee", "Dea"))
        declined = an_offer(session, deal.client, bea, deal.gig)
        withdrawn = an_offer(session, deal.client, cee, deal.gig)
        expired = an_offer(session, deal.client, dea, deal.gig)
        decline_offer(session, bea, declined.public_id)
        withdraw_offer(session, deal.client, withdrawn.public_id)
        assert declined.application.state is ApplicationState.WITHDRAWN
        assert withdrawn.application.state is ApplicationState.SHORTLISTED
        with pytest.raises(Refused):
            sign(session, cee, withdrawn)
    with clock.at(MONDAY + timedelta(days=7)):
        with pytest.raises(Refused, match="ran out"):
            sign(session, dea, expired)
        assert offers.expire_offers(session) == 1
        assert offers.expire_offers(session) == 0
    session.refresh(expired)
    assert expired.state is OfferState.EXPIRED


def test_only_the_one_it_was_made_to_signs(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        bea, cee = an_expert(session, "Bea Expert"), an_expert(session, "Cee Expert")
        offer = an_offer(session, deal.client, bea, deal.gig)
        for other in (cee, deal.client, replace(deal.approver, name="Bea Expert")):
            with pytest.raises(NotFound):
                accept_offer(session, other, offer.public_id, "Bea Expert")


def test_an_offer_needs_an_open_gig_and_an_admin(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        bea = an_expert(session, "Bea Expert")
        application = an_application(session, bea, deal.gig)
        draft = OfferDraft(RATE, 10, clock.today("America/New_York"))
        rival, _organization = a_client(session, "Rival AI")
        with pytest.raises(NotFound):
            make_offer(session, rival, application.public_id, draft, fee_bps=FEE_BPS)


def test_ending_gives_back_what_was_reserved_ahead(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        ending.end_contract(session, deal.expert, deal.contract.public_id)
    assert deal.contract.state is ContractState.ENDED
    assert free(session, deal.contract) == 10_000_00
    assert deal.contract.offer.application.state is ApplicationState.ENDED
    no_drift(session)


def test_whoever_ended_finds_the_way_to_enter_what_is_missing(app: Flask, session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
    path = f"/contracts/{deal.contract.public_id}"
    with clock.at(MONDAY + timedelta(days=1)):
        ending.end_contract(session, deal.expert, deal.contract.public_id)
        expert = Visitor(enter(app.test_client(), session, deal.expert))
        assert "Hours of before the end can be entered until" in words(expert.get(path))
        typed = {"day": "2026-06-01", "begins": "13:00", "ends": "14:00", "task_kind": "rank", "kind": "paid"}
        expert.get(f"/work/{deal.contract.public_id}")
        answer = expert.post(f"/work/{deal.contract.public_id}/entries", **typed, note="Read the first ten.")
        assert "Worked 1 h 00 min" in words(answer)
    with clock.at(MONDAY + timedelta(days=3)):
        assert "Hours of before the end" not in words(expert.get(path))


def test_a_client_ends_with_a_reason(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        with pytest.raises(Invalid):
            ending.end_contract(session, deal.client, deal.contract.public_id)
        session.refresh(deal.contract)
        assert deal.contract.state is ContractState.ACTIVE
        ending.end_contract(
            session, deal.client, deal.contract.public_id, "work_finished", "All reports are reviewed."
        )
    assert deal.contract.state is ContractState.ENDED


def test_the_site_signs_nothing(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        bea = an_expert(session, "Bea Expert")
        offer = an_offer(session, deal.client, bea, deal.gig)
        with pytest.raises(NotFound):
            accept_offer(session, SITE, offer.public_id, "Bea Expert")
