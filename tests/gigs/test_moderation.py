"""An operator takes a gig down: with reasons, at once, and so that it can be undone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization, RoleGrant
from marketplace.actor import Actor, Role
from marketplace.contracts.signing import accept_offer
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs import find, moderation
from marketplace.gigs.applications import apply, mark_hired, mark_offered
from marketplace.gigs.drafts import edit_gig
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.moderation import Reasons, put_back, take_down
from marketplace.gigs.publishing import close_gig, pause_gig, publish_gig
from marketplace.gigs.states import GigState
from marketplace.matching import ranking
from marketplace.notifications.models import Notification
from marketplace.reasons.appeals import appeal, decide
from marketplace.reasons.models import Outcome, Statement
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import an_offer
from tests.factories.gigs import a_draft, a_gig, an_application, an_expert, an_open_gig
from tests.visitor import Visitor, words

WHY = Reasons(
    "asks_for_personal_data", "It asks experts for their home address.", "Third sentence of the text"
)


@dataclass(frozen=True)
class Scene:
    client: Actor
    opa: Actor
    project: Project
    gig: Gig


@pytest.fixture
def scene(app: Flask, session: Session) -> Scene:
    client, gig = an_open_gig(session)
    opa = an_actor(session, a_person(session, "Opa Okafor", Role.OPERATOR))
    session.commit()
    return Scene(client, opa, gig.project, gig)


def test_it_goes_with_a_statement_that_its_client_can_appeal(session: Session, scene: Scene) -> None:
    statement = take_down(session, scene.opa, scene.gig.public_id, WHY)
    assert scene.gig.state is GigState.REMOVED
    assert scene.gig.left_at is not None
    assert (statement.person_id, statement.decided_by) == (scene.client.id, scene.opa.id)
    assert (statement.subject_kind, statement.reason_code) == ("gig", "asks_for_personal_data")
    assert statement.evidence["What was seen"] == "Third sentence of the text"
    assert (
        appeal(session, scene.client, statement.public_id, "No address is asked for anywhere.").outcome
        is None
    )


def test_it_vanishes_from_every_list_at_once(app: Flask, session: Session, scene: Scene) -> None:
    ana = an_expert(session)
    session.commit()
    browser = Visitor(enter(app.test_client(), session, ana))
    assert scene.gig.title in words(browser.get("/gigs"))
    take_down(session, scene.opa, scene.gig.public_id, WHY)
    assert ranking.best_gigs(session, ana.id) == []
    for path in ("/gigs", "/gigs?sort=newest", "/gigs?text=radiology"):
        assert scene.gig.title not in words(browser.get(path))
    assert browser.get(f"/gigs/{scene.gig.public_id}").status_code == 404
    with pytest.raises(NotFound):
        apply(session, ana, scene.gig.public_id, "")


def test_who_only_applied_sees_it_no_more_and_is_told(app: Flask, session: Session, scene: Scene) -> None:
    ana = an_expert(session)
    application = an_application(session, ana, scene.gig)
    take_down(session, scene.opa, scene.gig.public_id, WHY)
    with pytest.raises(NotFound):
        find.gig(session, ana, scene.gig.public_id)
    notice = session.scalars(sa.select(Notification).filter_by(person_id=ana.id, kind="gig.removed")).one()
    assert "nothing to do with you" in notice.body
    browser = Visitor(enter(app.test_client(), session, ana))
    assert scene.gig.title in words(browser.get("/applications"))
    assert f"/gigs/{scene.gig.public_id}" not in browser.get("/applications").text
    done = browser.post(f"/applications/{application.public_id}/withdrawal")
    assert done.status_code == 200
    assert "Your application is withdrawn" in words(done)


def test_contracts_go_on_and_no_new_one_begins(session: Session, scene: Scene) -> None:
    works, offered = an_expert(session, "Works"), an_expert(session, "Offered")
    application = an_application(session, works, scene.gig)
    mark_offered(session, scene.client, application)
    mark_hired(session, scene.client, application)
    session.commit()
    offer = an_offer(session, scene.client, offered, scene.gig)
    take_down(session, scene.opa, scene.gig.public_id, WHY)
    assert find.gig(session, works, scene.gig.public_id) is scene.gig
    with pytest.raises(Refused, match="The gig was taken down"):
        accept_offer(session, offered, offer.public_id, "Offered")
    with pytest.raises(NotFound):
        an_offer(session, scene.client, an_expert(session, "New"), scene.gig)


def test_its_client_cannot_bring_it_back_alone(session: Session, scene: Scene) -> None:
    take_down(session, scene.opa, scene.gig.public_id, WHY)
    for act in (publish_gig, pause_gig):
        with pytest.raises(Refused):
            act(session, scene.client, scene.gig.public_id)
    with pytest.raises(Refused, match="This gig was taken down"):
        edit_gig(session, scene.client, scene.gig.public_id, a_draft())
    assert close_gig(session, scene.client, scene.gig.public_id).state is GigState.CLOSED


def test_an_upheld_appeal_puts_it_back_paused(session: Session, scene: Scene) -> None:
    statement = take_down(session, scene.opa, scene.gig.public_id, WHY)
    opened = appeal(session, scene.client, statement.public_id, "No address is asked for anywhere.")
    other = an_actor(session, a_person(session, "Otto Other", Role.OPERATOR))
    with pytest.raises(Refused, match="Somebody else has to decide"):
        decide(session, scene.opa, opened.public_id, Outcome.UPHELD, "I looked at it once more.")
    decide(session, other, opened.public_id, Outcome.UPHELD, "There is no such sentence in it.")
    assert scene.gig.state is GigState.PAUSED
    publish_gig(session, scene.client, scene.gig.public_id)
    take_down(session, scene.opa, scene.gig.public_id, WHY)
    assert scene.gig.state is GigState.REMOVED


def test_what_moved_on_is_left_alone(session: Session, scene: Scene) -> None:
    put_back(session, scene.opa, scene.gig.public_id)
    assert scene.gig.state is GigState.PUBLISHED


def test_the_database_takes_nothing_down_without_a_statement(session: Session, scene: Scene) -> None:
    removed = sa.update(Gig).where(Gig.id == scene.gig.id).values(state=GigState.REMOVED)
    with pytest.raises(IntegrityError, match="only with a statement of reasons"), session.begin_nested():
        session.execute(removed)
    statement = take_down(session, scene.opa, scene.gig.public_id, WHY)
    opened = appeal(session, scene.client, statement.public_id, "No address is asked for anywhere.")
    other = an_actor(session, a_person(session, "Otto Other", Role.OPERATOR))
    decide(session, other, opened.public_id, Outcome.UPHELD, "There is no such sentence in it.")
    with pytest.raises(IntegrityError, match="only with a statement of reasons"), session.begin_nested():
        session.execute(removed)


@pytest.mark.parametrize(
    ("reasons", "field"),
    [
        (Reasons("because", WHY.explanation, WHY.evidence), "reason_code"),
        (Reasons(WHY.code, "Bad", WHY.evidence), "explanation"),
    ],
)
def test_reasons_that_say_nothing_are_refused(
    session: Session, scene: Scene, reasons: Reasons, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        take_down(session, scene.opa, scene.gig.public_id, reasons)
    assert refusal.value.field == field
    assert scene.gig.state is GigState.PUBLISHED


def test_a_second_click_hears_that_it_is_done(session: Session, scene: Scene) -> None:
    take_down(session, scene.opa, scene.gig.public_id, WHY)
    with pytest.raises(Refused, match="not any more"):
        take_down(session, scene.opa, scene.gig.public_id, WHY)
    assert session.scalar(sa.select(sa.func.count()).select_from(Statement)) == 1


def test_only_operators_take_down(session: Session, scene: Scene) -> None:
    for stranger in (scene.client, an_expert(session)):
        with pytest.raises(NotAllowed):
            take_down(session, stranger, scene.gig.public_id, WHY)


def test_it_is_addressed_to_whoever_administers_the_client_now(session: Session, scene: Scene) -> None:
    organization = session.get_one(Organization, scene.project.organization_id)
    second = a_person(session, "Second Admin", Role.CLIENT_ADMIN, organization=organization)
    assert moderation.addressee(session, scene.gig) == scene.client.id
    ended = sa.update(RoleGrant).where(RoleGrant.person_id == scene.client.id)
    session.execute(ended.values(ended_at=sa.func.now()))
    assert moderation.addressee(session, scene.gig) == second.id


def test_an_operator_finds_and_takes_down_on_the_pages(app: Flask, session: Session, scene: Scene) -> None:
    a_gig(session, scene.client, scene.project, title="Judge poems")
    session.commit()
    opa = Visitor(enter(app.test_client(), session, scene.opa))
    everything = words(opa.get("/moderation"))
    assert everything.index("Judge poems") < everything.index("Review radiology reports")
    found = words(opa.get("/moderation?words=radiology+REPORTS"))
    assert "Judge poems" not in found
    assert "Review radiology reports" in found
    assert "No gig found" in words(opa.get("/moderation?words=100%25"))
    assert opa.get("/moderation?state=nonsense").status_code == 200
    path = f"/moderation/gigs/{scene.gig.public_id}"
    refused = opa.post(path, reason_code="", explanation="", evidence="")
    assert refused.status_code == 422
    done = opa.post(
        path,
        reason_code="unsafe",
        explanation="It shows pictures without any warning.",
        evidence="Guidelines",
    )
    assert "The gig is taken down" in words(done)
    assert "Taken down by Opa Okafor" in words(done)
    assert "Review radiology reports" in words(opa.get("/moderation?state=removed"))
    carla = Visitor(enter(app.test_client(), session, scene.client))
    assert "Read why, and appeal if you disagree" in words(carla.get(f"/gigs/{scene.gig.public_id}/overview"))
    assert "Gig taken down" in words(carla.get("/decisions"))
