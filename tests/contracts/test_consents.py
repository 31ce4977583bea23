"""The use of the work: what is stated is signed, and another use counts once it was agreed to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
import sqlalchemy as sa
from flask import Flask
from pypdf import PdfReader
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.contracts import limits
from marketplace.contracts.consents import queries
from marketplace.contracts.consents.answering import agree, stop
from marketplace.contracts.consents.models import Consent, ConsentState
from marketplace.contracts.consents.proofs import silence_is_no_consent
from marketplace.contracts.ending import end_contract
from marketplace.contracts.entries import add_entry
from marketplace.contracts.models import TimeEntry
from marketplace.contracts.offers import OfferDraft, make_offer
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.states import ContractState, Source
from marketplace.contracts.timer import start_timer, stop_spent_timers, stop_timer
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs.drafts import draft_of, edit_gig
from marketplace.gigs.models import DataUse, Gig
from marketplace.gigs.states import Kept, Owner
from marketplace.matching.uses import Use
from marketplace.notifications.models import Notification
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import FEE_BPS, MONDAY, RATE, Deal, a_deal, an_entry, sign, work
from tests.factories.gigs import an_application, an_expert
from tests.visitor import Visitor, words

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WEEK = 7 * DAY


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def change(session: Session, client: Actor, gig: Gig, **changes: object) -> None:
    edit_gig(session, client, gig.public_id, replace(draft_of(gig), **changes))  # type: ignore[arg-type]


def asked_of(session: Session, deal: Deal) -> list[Consent]:
    return list(
        session.scalars(sa.select(Consent).filter_by(contract_id=deal.contract.id).order_by(Consent.id))
    )


def sold(session: Session, deal: Deal) -> Consent:
    """The client says that the work is to be sold; the question that follows."""
    change(session, deal.client, deal.gig, uses=(Use.RESALE,), used_in="Sold to anyone.")
    return asked_of(session, deal)[-1]


def told(session: Session, actor: Actor) -> list[str]:
    kinds = sa.select(Notification.kind).filter_by(person_id=actor.id).order_by(Notification.id)
    return [kind for kind in session.scalars(kinds) if kind.startswith("data_use.")]


def test_the_whole_statement_is_signed(session: Session, deal: Deal) -> None:
    text = deal.contract.offer.terms
    for said in (
        "5.1 What it trains: A model that drafts reports.",
        "5.2 What it may be used in: Used by the client only.",
        "Who owns it: The client, once it is paid.",
        "5.4 Automating this profession: It is not used to automate this very profession.",
        "For three years after it was handed in, then it is deleted.",
        "Use of the work, as the client states it (version 1).",
    ):
        assert said in text
    assert "stay secret" not in text
    [agreed] = queries.agreed(session, deal.contract)
    assert (agreed.statement.version, agreed.signed_name) == (1, deal.expert.name)


def test_what_is_secret_becomes_a_clause_with_what_it_cannot_forbid(session: Session) -> None:
    with clock.at(MONDAY):
        deal = a_deal(session)
        change(session, deal.client, deal.gig, secrecy="The name of the model, until it is released.")
        application = an_application(session, an_expert(session), deal.gig)
        draft = OfferDraft(RATE, 10, clock.today("UTC"))
        text = make_offer(session, deal.client, application.public_id, draft, fee_bps=FEE_BPS).terms
    assert "6. What has to stay secret. The name of the model, until it is released." in text
    assert "speaking to an authority" in text
    assert "7. Ending." in text
    # Secrecy is no use of the work: whoever works keeps the text that they signed, and is not asked.
    assert asked_of(session, deal) == []


def test_another_use_is_asked_and_counts_from_the_answer_on(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + HOUR):
        asked = sold(session, deal)
    assert (asked.state, asked.answer_by) == (ConsentState.WAITING, MONDAY + HOUR + WEEK)
    assert told(session, deal.expert) == ["data_use.asked"]
    with clock.at(MONDAY + DAY):
        an_entry(session, deal, MONDAY + 2 * HOUR)
        assert [each.statement.version for each in queries.agreed(session, deal.contract)] == [1]
        with pytest.raises(Invalid):
            agree(session, deal.expert, asked.public_id, "Somebody Else")
        agree(session, deal.expert, asked.public_id, deal.expert.name)
    first, second = queries.agreed(session, deal.contract)
    assert (second.statement.version, second.from_at, second.signed_name) == (
        2,
        MONDAY + DAY,
        deal.expert.name,
    )
    assert first.from_at == MONDAY
    assert told(session, deal.client) == ["data_use.given"]
    with pytest.raises(Refused):
        agree(session, deal.expert, asked.public_id, deal.expert.name)


def test_what_changes_is_shown_in_words(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        asked = sold(session, deal)
    found = {
        each.label: (each.was, each.is_now)
        for each in queries.changed(deal.contract.offer.data_use, asked.data_use)
    }
    assert found == {
        "What it may be used in": ("Used by the client only.", "Sold to anyone."),
        "Other uses that experts can refuse": (
            "It is for none of them.",
            "It is also for: selling the work itself to others.",
        ),
    }
    assert queries.refused(asked.data_use, ["resale", "weapons"]) == [Use.RESALE]


def test_no_answer_is_no_yes(session: Session, deal: Deal) -> None:
    """For seven days work goes on by what was signed; then no new time counts, and nothing is lost."""
    with clock.at(MONDAY + HOUR):
        asked = sold(session, deal)
    late = asked.answer_by
    with clock.at(late - HOUR):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    with clock.at(late + 2 * HOUR):
        assert stop_spent_timers(session) == 1
        entry = session.scalars(sa.select(TimeEntry).filter_by(contract_id=deal.contract.id)).one()
        assert entry.ended_at == late
        with pytest.raises(Refused, match="until"):
            start_timer(session, deal.expert, deal.contract.public_id, "review")
        with pytest.raises(Refused, match="before that moment"):
            add_entry(session, deal.expert, deal.contract.public_id, work(late, 30))
        add_entry(session, deal.expert, deal.contract.public_id, work(late - 3 * HOUR, 60))
        agree(session, deal.expert, asked.public_id, deal.expert.name)
        add_entry(session, deal.expert, deal.contract.public_id, work(late, 30))
        assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_the_proof_finds_time_of_those_who_did_not_answer(
    session: Session, deal: Deal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock.at(MONDAY + HOUR):
        late = sold(session, deal).answer_by
    monkeypatch.setattr(limits.consents, "unanswered", lambda *_about: None)
    with clock.at(late + DAY):
        entry = an_entry(session, deal, late - HOUR / 2)
    [drift] = silence_is_no_consent(session)
    assert str(entry.public_id) in drift.subject


def test_days_without_an_answer_count_only_when_a_yes_follows(session: Session, deal: Deal) -> None:
    """Neither stopping, nor the end of the contract, nor another change opens what was closed by then."""
    with clock.at(MONDAY + HOUR):
        asked = sold(session, deal)
        late = asked.answer_by
    with clock.at(late - 3 * HOUR):
        an_entry(session, deal, late - 4 * HOUR)
    with clock.at(late - HOUR):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    with clock.at(late + 5 * HOUR):
        # No job has cut the timer yet, and the statement is changed once more.
        change(session, deal.client, deal.gig, kept_for=Kept.YEARS_10)
        stop_timer(session, deal.expert)
        [entry] = session.scalars(sa.select(TimeEntry).filter_by(source=Source.TIMER))
        assert entry.ended_at == late
        with pytest.raises(Refused, match="before that moment"):
            add_entry(session, deal.expert, deal.contract.public_id, work(late + HOUR, 30))
        stop(session, deal.expert, asked_of(session, deal)[-1].public_id)
        with pytest.raises(Refused, match="before that moment"):
            add_entry(session, deal.expert, deal.contract.public_id, work(late + HOUR, 30))
        assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_whoever_does_not_agree_stops_and_is_paid(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + HOUR):
        asked = sold(session, deal)
    with clock.at(MONDAY + DAY):
        sheet = an_entry(session, deal, MONDAY + 2 * HOUR).timesheet
        start_timer(session, deal.expert, deal.contract.public_id, "review")
    with clock.at(MONDAY + DAY + HOUR):
        stop(session, deal.expert, asked.public_id)
        assert (asked.state, deal.contract.state) == (ConsentState.STOPPED, ContractState.ENDED)
        assert sheet.paid_minutes == 120
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_a_change_that_is_taken_back_asks_nobody_any_more(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        before = draft_of(deal.gig)
        first = sold(session, deal)
        change(session, deal.client, deal.gig, kept_for=Kept.YEARS_10)
        assert (first.state, len(asked_of(session, deal))) == (ConsentState.VOID, 2)
        edit_gig(session, deal.client, deal.gig.public_id, before)
    assert [each.state for each in asked_of(session, deal)] == [ConsentState.VOID, ConsentState.VOID]
    versions = session.scalars(
        sa.select(DataUse.version).filter_by(gig_id=deal.gig.id).order_by(DataUse.version)
    )
    assert versions.all() == [1, 2, 3, 4]


def test_an_offer_says_what_changed_since_its_expert_applied(
    app: Flask, session: Session, deal: Deal
) -> None:
    with clock.at(MONDAY):
        ben = an_expert(session, "Ben Later")
        application = an_application(session, ben, deal.gig)
    with clock.at(MONDAY + HOUR):
        change(session, deal.client, deal.gig, kept_for=Kept.YEARS_10)
        draft = OfferDraft(RATE, 10, clock.today("UTC"))
        offer = make_offer(session, deal.client, application.public_id, draft, fee_bps=FEE_BPS)
        session.commit()
        page = words(Visitor(enter(app.test_client(), session, ben)).get(f"/offers/{offer.public_id}"))
    assert "Changed since you applied" in page
    assert "For three years" in page
    assert queries.changed_since_applying(session, deal.contract.offer) == []


def test_a_change_of_something_else_asks_nobody(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        change(session, deal.client, deal.gig, guidelines="Mark twice.", rate_max=210_00)
    assert asked_of(session, deal) == []
    assert session.scalars(sa.select(DataUse.version).filter_by(gig_id=deal.gig.id)).all() == [1]


def test_whoever_signs_an_offer_of_before_is_asked(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        ben = an_expert(session, "Ben Later")
        application = an_application(session, ben, deal.gig)
        draft = OfferDraft(RATE, 10, clock.today("UTC"))
        offer = make_offer(session, deal.client, application.public_id, draft, fee_bps=FEE_BPS)
        change(session, deal.client, deal.gig, owned_by=Owner.CUSTOMER)
        contract = sign(session, ben, offer)
    assert "The client, once it is paid." in contract.offer.terms
    asked = queries.waiting(session, contract)
    assert asked is not None
    assert asked.data_use.owned_by is Owner.CUSTOMER


def test_the_end_of_a_contract_leaves_nothing_to_answer(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        asked = sold(session, deal)
        end_contract(session, deal.expert, deal.contract.public_id)
        assert asked.state is ConsentState.VOID
        with pytest.raises(Refused):
            agree(session, deal.expert, asked.public_id, deal.expert.name)


def test_only_its_expert_answers_and_strangers_see_nothing(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        asked = sold(session, deal)
        for act in (
            lambda who: agree(session, who, asked.public_id, who.name),
            lambda who: stop(session, who, asked.public_id),
        ):
            with pytest.raises(NotAllowed):
                act(deal.client)
            with pytest.raises(NotFound):
                act(an_actor(session, a_person(session, "Zed Stranger", Role.EXPERT)))
    assert asked.state is ConsentState.WAITING


def test_the_database_keeps_statements_and_answers(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        asked = sold(session, deal)
        agree(session, deal.expert, asked.public_id, deal.expert.name)
    for change_of in (
        "UPDATE data_uses SET trains = 'Everything'",
        "UPDATE data_use_consents SET state = 'void', signed_name = NULL",
        "DELETE FROM data_use_consents",
        "UPDATE data_use_consents SET asked_at = now()",
    ):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(sa.text(change_of))


def test_how_long_it_is_kept_is_said_once(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        with pytest.raises(Invalid):
            change(session, deal.client, deal.gig, kept_for=Kept.NO_END)
        with pytest.raises(Invalid):
            change(session, deal.client, deal.gig, uses=(Use.UNLIMITED,))
        change(session, deal.client, deal.gig, kept_for=Kept.NO_END, uses=(Use.UNLIMITED,))
    assert len(asked_of(session, deal)) == 1


def test_in_the_browser(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + HOUR):
        asked = sold(session, deal)
        session.commit()
        ana = Visitor(enter(app.test_client(), session, deal.expert))
        page = ana.get(f"/contracts/{deal.contract.public_id}")
        assert "wants to use your work in another way" in words(page)
        path = f"/consents/{asked.public_id}"
        assert "Sold to anyone." in words(ana.get(path))
        wrong = ana.post(f"{path}/agreement", signed_name="X")
        assert "Type your name" in words(wrong)
        done = ana.post(f"{path}/agreement", signed_name=deal.expert.name)
        assert "You agreed." in words(done)
        assert "Version 2, agreed to by" in words(done)
        carla = Visitor(enter(app.test_client(), session, deal.client))
        assert "Signed by" in words(carla.get(path))


def test_both_sides_keep_the_same_copy_with_what_was_agreed_since(
    app: Flask, session: Session, deal: Deal
) -> None:
    with clock.at(MONDAY + HOUR):
        agree(session, deal.expert, sold(session, deal).public_id, deal.expert.name)
        session.commit()
        path = f"/contracts/{deal.contract.public_id}/agreement.pdf"
        both = [enter(app.test_client(), session, who).get(path) for who in (deal.expert, deal.client)]
        stranger = an_actor(session, a_person(session, "Zed Stranger", Role.EXPERT))
        assert enter(app.test_client(), session, stranger).get(path).status_code == 404
    assert both[0].data == both[1].data
    text = " ".join("".join(page.extract_text() for page in PdfReader(BytesIO(both[0].data)).pages).split())
    assert deal.contract.terms_sha256.hex() in text.replace(" ", "")
    for said in (
        "Agreement for services",
        "What it trains: A model that drafts reports.",
        "Sold to anyone.",
        deal.expert.name,
    ):
        assert said in text
