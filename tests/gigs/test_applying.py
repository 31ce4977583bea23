"""Applying, and what the client makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.grants import end_role, give
from marketplace.accounts.models import Person
from marketplace.actor import SITE, Actor, Role
from marketplace.credentials.claims import submit_credential
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs.applications import (
    apply,
    decline_application,
    mark_hired,
    mark_offered,
    reopen,
    shortlist,
    withdraw_application,
)
from marketplace.gigs.drafts import draft_of, edit_gig
from marketplace.gigs.invitations import invite
from marketplace.gigs.models import ExpertProfile, Gig
from marketplace.gigs.projection import rebuild_projections
from marketplace.gigs.states import ApplicationState, InvitationState
from marketplace.matching import ranking
from marketplace.reasons.models import Statement
from tests.factories.accounts import enter
from tests.factories.gigs import a_client, a_gig, a_project, an_application, an_expert, fund, licence
from tests.visitor import Visitor, words


def a_funded_gig(session: Session, **changes: object) -> tuple[Actor, Gig]:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 10_000_00)
    return client, a_gig(session, client, project, **changes)


def test_it_works(session: Session) -> None:
    client, gig = a_funded_gig(session)
    ana = an_expert(session)
    application = an_application(session, ana, gig)
    assert application.state is ApplicationState.APPLIED
    assert application.score == sum(each["points"] for each in application.explanation)
    shortlist(session, client, application.public_id)
    assert application.state is ApplicationState.SHORTLISTED


def test_a_missing_credential_refuses_and_a_pending_one_does_not(session: Session) -> None:
    _client, gig = a_funded_gig(session, requirements=(licence("US-CA"),))
    ana = an_expert(session)
    with pytest.raises(Refused) as refusal:
        an_application(session, ana, gig)
    assert "California" in refusal.value.sentence
    submit_credential(session, ana, "us_medical_license", "US-CA", "A 123456", "Ana Expert", date(2030, 1, 1))
    assert an_application(session, ana, gig).state is ApplicationState.APPLIED


def test_a_misfit_hears_the_smallest_change(session: Session) -> None:
    _client, gig = a_funded_gig(session)
    dear = an_expert(session, "Dear Expert", min_rate=250_00)
    with pytest.raises(Refused) as refusal:
        an_application(session, dear, gig)
    assert "$200.00" in refusal.value.sentence


def test_twice_is_refused_and_after_withdrawing_allowed(session: Session) -> None:
    _client, gig = a_funded_gig(session)
    ana = an_expert(session)
    first = an_application(session, ana, gig)
    with pytest.raises(Refused):
        an_application(session, ana, gig)
    withdraw_application(session, ana, first.public_id)
    assert an_application(session, ana, gig).state is ApplicationState.APPLIED


def test_declining_states_its_reasons_and_an_upheld_appeal_opens_it_again(session: Session) -> None:
    client, gig = a_funded_gig(session)
    ana = an_expert(session)
    application = an_application(session, ana, gig)
    decline_application(
        session, client, application.public_id, "hours_differ", "We need thirty hours a week."
    )
    statement = session.scalars(sa.select(Statement).filter_by(subject_id=application.public_id)).one()
    assert statement.person_id == ana.id
    with pytest.raises(Refused):
        an_application(session, ana, gig)
    reopen(session, SITE, application.public_id)
    assert application.state is ApplicationState.APPLIED


def test_declining_without_words_changes_nothing(session: Session) -> None:
    client, gig = a_funded_gig(session)
    application = an_application(session, an_expert(session), gig)
    with pytest.raises(Invalid):
        decline_application(session, client, application.public_id, "hours_differ", "")
    session.refresh(application)
    assert application.state is ApplicationState.APPLIED


def test_others_do_not_decide(session: Session) -> None:
    _client, gig = a_funded_gig(session)
    rival, _organization = a_client(session, "Rival AI")
    ana, ben = an_expert(session), an_expert(session, "Ben Expert")
    application = an_application(session, ana, gig)
    with pytest.raises(NotFound):
        shortlist(session, rival, application.public_id)
    with pytest.raises(NotFound):
        withdraw_application(session, ben, application.public_id)
    with pytest.raises(NotAllowed):
        shortlist(session, ana, application.public_id)


def test_who_was_invited_accepts_by_applying(session: Session) -> None:
    client, gig = a_funded_gig(session)
    ana = an_expert(session)
    profile = session.get_one(ExpertProfile, ana.id)
    invitation = invite(session, client, gig.public_id, profile.public_id, "We liked your profile.")
    assert invite(session, client, gig.public_id, profile.public_id, "Again") is invitation
    an_application(session, ana, gig)
    assert invitation.state is InvitationState.ACCEPTED


def test_a_filled_gig_matches_nobody(session: Session) -> None:
    _client, gig = a_funded_gig(session, headcount=1)
    ana, ben = an_expert(session), an_expert(session, "Ben Expert")
    application = an_application(session, ana, gig)
    mark_offered(session, SITE, application)
    mark_hired(session, SITE, application)
    session.commit()
    assert ranking.best_gigs(session, ben.id) == []
    with pytest.raises(Refused):
        an_application(session, ben, gig)


def test_rebuilding_finds_what_was_pushed(session: Session) -> None:
    _client, gig = a_funded_gig(session)
    ana = an_expert(session)
    with clock.at(clock.now()):
        before = ranking.experts(session, [ana.id]), ranking.match_of(session, gig.id, ana.id)
        found = ranking.best_experts(session, gig.id)
        rebuild_projections(session)
        assert (ranking.experts(session, [ana.id]), ranking.match_of(session, gig.id, ana.id)) == before
        assert ranking.best_experts(session, gig.id) == found
    assert [person_id for person_id, _match in found] == [ana.id]


def test_who_acts_for_a_client_is_never_found_for_it(session: Session) -> None:
    client, gig = a_funded_gig(session)
    ana = an_expert(session)
    assert [person_id for person_id, _match in ranking.best_experts(session, gig.id)] == [ana.id]
    person = session.get_one(Person, ana.id)
    role = give(session, client, person, Role.CLIENT_APPROVER, gig.project.organization)
    session.commit()
    assert ranking.best_experts(session, gig.id) == []
    assert ranking.best_gigs(session, ana.id) == []
    end_role(session, client, role.public_id)
    assert len(ranking.best_experts(session, gig.id)) == 1


def test_each_question_is_answered_and_kept_as_it_was_asked(session: Session) -> None:
    asked = ("How many CTs did you read last year?", "Which systems do you know?")
    client, gig = a_funded_gig(session, questions=(*asked, " ", asked[0]))
    assert gig.questions == list(asked)
    ana = an_expert(session)
    with pytest.raises(Invalid) as refusal:
        apply(session, ana, gig.public_id, "", {asked[0]: "400", asked[1]: "  "})
    assert refusal.value.field == "answers"
    made = apply(session, ana, gig.public_id, "", {asked[0]: "400", asked[1]: "Two."})
    edit_gig(session, client, gig.public_id, replace(draft_of(gig), questions=("Why?",)))
    assert made.answers == [
        {"question": asked[0], "answer": "400"},
        {"question": asked[1], "answer": "Two."},
    ]


def test_questions_are_few_and_short(session: Session) -> None:
    client, gig = a_funded_gig(session)
    for questions in (tuple(f"Question {n}?" for n in range(6)), ("Why? " * 50,)):
        with pytest.raises(Invalid):
            edit_gig(session, client, gig.public_id, replace(draft_of(gig), questions=questions))


def test_questions_on_the_pages(app: Flask, session: Session) -> None:
    client, gig = a_funded_gig(session, questions=("Why you?", "When?"))
    ana = an_expert(session)
    session.commit()
    visitor, path = Visitor(enter(app.test_client(), session, ana)), f"/gigs/{gig.public_id}"
    assert "Why you?" in words(visitor.get(path))
    sent = {"answers-0-question": "Why you?", "answers-0-answer": "Twelve years of it."}
    # One is empty, and a question that nobody asked is not kept.
    page = visitor.post(
        f"{path}/applications", **sent, **{"answers-1-question": "Old?", "answers-1-answer": "x"}
    )
    assert "Answer each question" in words(page)
    assert "Twelve years of it." in page.text
    visitor.post(
        f"{path}/applications", **sent, **{"answers-1-question": "When?", "answers-1-answer": "Now."}
    )
    carla = Visitor(enter(app.test_client(), session, client))
    assert "When? Now." in words(carla.get(f"{path}/applications"))


def test_before_a_contract_an_application_says_neither_name_nor_address(app: Flask, session: Session) -> None:
    client, gig = a_funded_gig(session, questions=("Why you?",))
    ana, ben = an_expert(session, "Ana Expert"), an_expert(session, "Ben Doctor")
    telling = "I am Ana Expert: write to ana@example.org or call +1 212 555 0143."
    made = apply(session, ana, gig.public_id, f"Note. {telling}", {"Why you?": f"Answer. {telling}"})
    apply(session, ben, gig.public_id, "I read CTs since 2014.", {"Why you?": "Twelve years of it."})
    profile = session.scalars(sa.select(ExpertProfile).filter_by(person_id=ana.id)).one()
    profile.headline = "Ana, radiologist"
    session.commit()
    carla, hidden = Visitor(enter(app.test_client(), session, client)), "Names and addresses are hidden"
    page = words(carla.get(f"/gigs/{gig.public_id}/applications"))
    assert "Note. I am … …: write to … or call …." in page
    assert "Answer. I am … …: write to … or call …." in page
    assert "…, radiologist" in page
    assert not [word for word in ("Ana", "example.org", "0143") if word in page]
    assert "I read CTs since 2014. Why you? Twelve years of it." in page
    assert page.count(hidden) == 1
    own = words(Visitor(enter(app.test_client(), session, ana)).get(f"/gigs/{gig.public_id}"))
    assert f"Note. {telling}" in own
    assert f"Answer. {telling}" in own
    assert hidden not in own
    mark_offered(session, client, made)
    mark_hired(session, client, made)
    session.commit()
    page = words(carla.get(f"/gigs/{gig.public_id}/applications"))
    assert f"Note. {telling}" in page
    assert f"Answer. {telling}" in page
    assert hidden not in page
