"""One skill has many names: operators say which, slips are noticed, and the match counts them as one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import jobs
from marketplace.actor import Actor, Role
from marketplace.errors import Invalid, NotAllowed, NotFound
from marketplace.gigs import drafts
from marketplace.gigs.forms import GigForm, ProfileForm
from marketplace.gigs.models import ExpertProfile, Gig
from marketplace.gigs.skill_aliases import drop_alias, set_alias
from marketplace.matching import ranking, skills, to_client, to_expert
from marketplace.matching.models import MatchExpert, MatchSkillAlias
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.gigs import RADIOLOGY, a_draft, an_expert, an_open_gig, knows
from tests.visitor import Visitor, words


@dataclass(frozen=True)
class Scene:
    client: Actor
    opa: Actor
    ana: Actor
    gig: Gig


@pytest.fixture
def scene(app: Flask, session: Session) -> Scene:
    client, gig = an_open_gig(session, skills=("Electrocardiography", "Style guides"))
    ana = an_expert(session)
    knows(session, ana, "ECG", "Echo")
    opa = an_actor(session, a_person(session, "Opa Okafor", Role.OPERATOR))
    session.commit()
    return Scene(client, opa, ana, gig)


def points(session: Session, scene: Scene) -> int:
    match = ranking.match_of(session, scene.gig.id, scene.ana.id)
    assert match is not None
    [(_gig, ranked)] = ranking.best_gigs(session, scene.ana.id)
    assert ranked.score == match.score
    return next(each.points for each in match.criteria if each.code == "skills")


def test_a_second_name_counts_as_the_skill_until_it_is_taken_back(session: Session, scene: Scene) -> None:
    assert points(session, scene) == 0
    alias = set_alias(session, scene.opa, " ecg ", "Electrocardiography")
    jobs.run_due(session)
    assert points(session, scene) == 7
    profile = session.get_one(ExpertProfile, scene.ana.id)
    assert profile.skills == ["ECG", "Echo"]
    drop_alias(session, scene.opa, alias.public_id)
    jobs.run_due(session)
    assert points(session, scene) == 0
    with pytest.raises(NotFound):
        drop_alias(session, scene.opa, alias.public_id)


def test_what_is_written_later_is_understood_at_once(session: Session, scene: Scene) -> None:
    set_alias(session, scene.opa, "House style", "Style guides")
    jobs.run_due(session)
    knows(session, scene.ana, "house  STYLE", "style guides")
    assert session.get_one(MatchExpert, scene.ana.id).skills == ["style guides"]
    assert points(session, scene) == 7


def test_a_gig_that_names_the_second_name_asks_for_the_skill(session: Session, scene: Scene) -> None:
    set_alias(session, scene.opa, "electrocardiography", "ECG")
    jobs.run_due(session)
    assert points(session, scene) == 7


def test_the_same_again_changes_nothing_and_another_replaces_it(session: Session, scene: Scene) -> None:
    first = set_alias(session, scene.opa, "ECG", "Electrocardiography")
    assert set_alias(session, scene.opa, "ecg", "electrocardiography").set_at == first.set_at
    jobs.run_due(session)
    set_alias(session, scene.opa, "ecg", "style guides")
    jobs.run_due(session)
    assert points(session, scene) == 7
    assert session.get_one(MatchExpert, scene.ana.id).skills == ["style guides", "echo"]


def test_aliases_make_no_chains(session: Session, scene: Scene) -> None:
    set_alias(session, scene.opa, "ECG", "Electrocardiography")
    for name, stands_for, field in (
        ("EKG", "ECG", "stands_for"),
        ("Electrocardiography", "Cardiology", "name"),
        ("Echo", "echo", "stands_for"),
        ("", "Echo", "name"),
        ("Echo, sonography", "Ultrasound", "name"),
        ("x" * 101, "Ultrasound", "name"),
    ):
        with pytest.raises(Invalid) as refused:
            set_alias(session, scene.opa, name, stands_for)
        assert refused.value.field == field
    for name, stands_for in (("ekg", "ecg"), ("electrocardiography", "cardiology"), ("a", "a")):
        by, at = scene.opa.id, scene.gig.published_at
        session.add(MatchSkillAlias(name=name, stands_for=stands_for, set_by=by, set_at=at))
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()


def test_only_operators_name_them(session: Session, scene: Scene) -> None:
    for actor in (scene.ana, scene.client):
        with pytest.raises(NotAllowed):
            set_alias(session, actor, "ECG", "Electrocardiography")


def test_a_slip_is_taken_for_what_an_open_gig_asks(session: Session, scene: Scene) -> None:
    knows(session, scene.ana, "Styl guide", "Knitting", "Electrocardiografy")
    heard = skills.heard(session, ("Styl guide", "Knitting", "Electrocardiografy", "Style guides"))
    assert [(each.term, each.alike) for each in heard] == [
        ("styl guide", "style guides"),
        ("electrocardiografy", "electrocardiography"),
    ]


def test_what_only_other_experts_wrote_is_shown_to_nobody(session: Session, scene: Scene) -> None:
    knows(session, scene.ana, "Married to Bob Smith")
    assert skills.heard(session, ("Maried to Bob Smith",)) == []


def test_a_slip_for_a_second_name_leads_to_the_skill(session: Session, scene: Scene) -> None:
    set_alias(session, scene.opa, "Echocardiogram", "Cardiac ultrasound")
    jobs.run_due(session)
    knows(session, scene.ana, "Echocardiogram")
    assert [each.stands_for for each in skills.heard(session, ["echocardiogram"])] == ["cardiac ultrasound"]


def test_on_the_pages(app: Flask, session: Session, scene: Scene) -> None:
    opa = Visitor(enter(app.test_client(), session, scene.opa))
    assert "No skill has a second name yet" in words(opa.get("/skills"))
    assert "Name the skill" in words(opa.post("/skills", name=" , ".replace(",", "\u200b"), stands_for="x"))
    assert "Both count as one skill" in words(
        opa.post("/skills", name="ECG", stands_for="Electrocardiography")
    )
    ana = Visitor(enter(app.test_client(), session, scene.ana))
    assert "“ecg” counts as “electrocardiography”." in words(ana.get("/profile"))
    saved = ana.post(
        "/profile",
        headline="Radiologist",
        domains=RADIOLOGY,
        skills="ECG, Styl guides",
        languages="en",
        min_rate="120",
        hours_per_week="20",
    )
    assert "“styl guides”: did you mean “style guides”, as others write it?" in words(saved)
    carla = Visitor(enter(app.test_client(), session, scene.client))
    drafts.edit_gig(session, scene.client, scene.gig.public_id, a_draft(skills=("ECG",)))
    assert "“ecg” counts as" in words(carla.get(f"/gigs/{scene.gig.public_id}/preview"))
    alias = session.scalars(sa.select(MatchSkillAlias)).one()
    done = opa.post(f"/skills/{alias.public_id}/removal")
    assert "They are different skills again" in words(done)


def test_every_advice_leads_to_an_input_that_there_is(app: Flask) -> None:
    with app.test_request_context():
        profile, gig = ProfileForm(), GigForm(currency="USD")
    assert all(field in profile for field in to_expert.FIELDS.values())
    assert all(field in gig for field in to_client.FIELDS.values())
