"""What somebody types into a gig's form is kept, comes back as it was, and goes live only when saved."""

from __future__ import annotations

import html
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Organization
from marketplace.actor import Actor, Role
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs import autosaves
from marketplace.gigs.drafts import Outdated, draft_gig, edit_gig
from marketplace.gigs.models import Autosave, Gig, Project
from marketplace.gigs.publishing import close_gig
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.gigs import a_client, a_draft, a_gig, a_project, an_expert
from tests.visitor import Visitor, words

TYPED = [("title", "Half a ti"), ("rate_max", "one hundred"), ("languages", "en"), ("languages", "de")]


@pytest.fixture
def client(session: Session) -> Actor:
    return a_client(session)[0]


@pytest.fixture
def project(session: Session, client: Actor) -> Project:
    organization = session.scalars(sa.select(Organization)).one()
    return a_project(session, client, organization.public_id)


@pytest.fixture
def gig(session: Session, client: Actor, project: Project) -> Gig:
    made = a_gig(session, client, project)
    session.commit()
    return made


@pytest.fixture
def carla(app: Flask, session: Session, client: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, client))


def test_what_was_typed_is_there_again_however_odd(
    carla: Visitor, project: Project, session: Session
) -> None:
    path = f"/projects/{project.public_id}"
    carla.get(f"{path}/gigs/new")
    answer = carla.post(f"{path}/autosave", title="Half a ti", rate_max="one hundred", starts_on="soon")
    assert answer.json is not None
    assert answer.json["version"] == 1
    assert answer.json["told"].startswith("Saved ")
    form = carla.get(f"{path}/gigs/new")
    assert "What you typed is here again" in words(form)
    for typed in ("Half a ti", "one hundred", "soon"):
        assert f'value="{typed}"' in form.text
    assert session.scalar(sa.select(sa.func.count()).select_from(Gig)) == 0


def test_a_published_gig_stays_as_it_is_until_it_is_saved(carla: Visitor, gig: Gig, session: Session) -> None:
    before = gig.title
    carla.get(f"/gigs/{gig.public_id}/edit")
    carla.post(f"/gigs/{gig.public_id}/autosave", title="Another title")
    session.expire_all()
    assert (gig.title, gig.version) == (before, 1)
    assert 'value="Another title"' in carla.get(f"/gigs/{gig.public_id}/edit").text


def test_it_is_gone_once_saved(session: Session, client: Actor, project: Project, gig: Gig) -> None:
    autosaves.keep(session, client, project.public_id, gig.public_id, TYPED, 0)
    autosaves.keep(session, client, project.public_id, None, TYPED, 0)
    edit_gig(session, client, gig.public_id, a_draft(title="Saved"))
    [kept] = session.scalars(sa.select(Autosave))
    assert kept.gig_id is None
    draft_gig(session, client, project.public_id, a_draft())
    assert session.scalars(sa.select(Autosave)).all() == []


def test_it_can_be_dropped(carla: Visitor, gig: Gig, project: Project, session: Session) -> None:
    carla.get(f"/gigs/{gig.public_id}/edit")
    carla.post(f"/gigs/{gig.public_id}/autosave", title="Another title")
    carla.post(f"/projects/{project.public_id}/autosave", title="A new one")
    form = carla.post(f"/gigs/{gig.public_id}/autosave/removal")
    assert f'value="{gig.title}"' in form.text
    assert "here again" not in words(form)
    carla.post(f"/projects/{project.public_id}/autosave/removal")
    assert session.scalars(sa.select(Autosave)).all() == []


def test_a_second_tab_is_told_and_writes_over_nothing(carla: Visitor, gig: Gig, session: Session) -> None:
    carla.get(f"/gigs/{gig.public_id}/edit")
    path = f"/gigs/{gig.public_id}/autosave"
    carla.post(path, title="First tab", autosave="0")
    second = carla.post(path, title="Second tab", autosave="0")
    assert second.status_code == 409
    assert second.json is not None
    assert "in another window" in second.json["told"]
    assert session.scalars(sa.select(Autosave)).one().fields == [["title", "First tab"]]
    assert carla.post(path, title="First tab goes on", autosave="1").status_code == 200


def test_a_tab_left_open_after_saving_is_told(session: Session, client: Actor, project: Project) -> None:
    version = autosaves.keep(session, client, project.public_id, None, TYPED, 0).version
    draft_gig(session, client, project.public_id, a_draft())
    with pytest.raises(Refused, match="saved or dropped in another window"):
        autosaves.keep(session, client, project.public_id, None, TYPED, version)


def test_whoever_saves_second_is_told_and_may_then_replace(
    carla: Visitor, gig: Gig, session: Session, client: Actor
) -> None:
    fields = {"title": "Mine", "domain": "", "task_kind": "", "languages": "en", "version": "1"}
    for n in range(3):
        row = {"type": "", "jurisdiction": "", "level": "4", "max_age_days": "0"}
        fields |= {f"requirements-{n}-{name}": value for name, value in row.items()}
    edit_gig(session, client, gig.public_id, a_draft(title="Somebody else's"), 1)
    session.commit()
    carla.get(f"/gigs/{gig.public_id}/edit")
    refused = carla.post(f"/gigs/{gig.public_id}/edit", **fields)
    assert refused.status_code == 422
    assert "Somebody changed this gig after you opened it" in words(refused)
    assert 'value="Mine"' in refused.text
    session.expire_all()
    assert gig.title == "Somebody else's"
    assert '<input id="version" name="version" type="hidden" value="2">' in html.unescape(refused.text)


def test_only_the_version_that_was_opened_is_changed(session: Session, client: Actor, gig: Gig) -> None:
    edit_gig(session, client, gig.public_id, a_draft(title="Second"), 1)
    with pytest.raises(Outdated):
        edit_gig(session, client, gig.public_id, a_draft(title="Third"), 1)
    edit_gig(session, client, gig.public_id, a_draft(title="Third"), 2)
    assert gig.title == "Third"


def test_who_else_writes_is_said(carla: Visitor, gig: Gig, session: Session) -> None:
    organization = session.scalars(sa.select(Organization)).one()
    other = an_actor(session, a_person(session, "Olga Other", Role.CLIENT_ADMIN, organization=organization))
    autosaves.keep(session, other, gig.project.public_id, gig.public_id, TYPED, 0)
    session.commit()
    form = carla.get(f"/gigs/{gig.public_id}/edit")
    assert "Olga Other is changing this gig too" in words(form)
    assert "Half a ti" not in form.text
    with clock.at(clock.now() + timedelta(days=1)):
        assert "Olga Other" not in words(Visitor(carla.client).get(f"/gigs/{gig.public_id}/edit"))


def test_nobody_else_keeps_or_drops_anything_here(session: Session, gig: Gig, project: Project) -> None:
    rival, _other = a_client(session, "Rival AI")
    for stranger in (rival, an_expert(session)):
        for gig_id in (gig.public_id, None):
            with pytest.raises((NotFound, NotAllowed)):
                autosaves.keep(session, stranger, project.public_id, gig_id, TYPED, 0)
            with pytest.raises((NotFound, NotAllowed)):
                autosaves.drop(session, stranger, project.public_id, gig_id)


def test_nothing_is_kept_for_what_is_closed(
    session: Session, client: Actor, project: Project, gig: Gig
) -> None:
    close_gig(session, client, gig.public_id)
    with pytest.raises(Refused, match="closed by now"):
        autosaves.keep(session, client, project.public_id, gig.public_id, TYPED, 0)


def test_too_much_is_refused_with_a_sentence(session: Session, client: Actor, project: Project) -> None:
    long = [("description", "x" * (autosaves.LARGEST + 1))]
    with pytest.raises(Invalid, match="too long to be kept as you type"):
        autosaves.keep(session, client, project.public_id, None, long, 0)
    many = [("languages", "en")] * (autosaves.MOST_FIELDS + 1)
    with pytest.raises(Invalid, match="too long"):
        autosaves.keep(session, client, project.public_id, None, many, 0)


def test_the_database_holds_no_more_than_that_either(
    session: Session, client: Actor, project: Project
) -> None:
    autosaves.keep(session, client, project.public_id, None, [("title", "𝕏" * (autosaves.LARGEST - 9))], 0)
    with pytest.raises(IntegrityError, match="ck_autosaves_size"):
        session.execute(sa.update(Autosave).values(fields=[["title", "x" * 400_000]]))


def test_what_nobody_comes_back_to_is_forgotten(session: Session, client: Actor, project: Project) -> None:
    autosaves.keep(session, client, project.public_id, None, TYPED, 0)
    autosaves.forget_old(session)
    assert session.scalar(sa.select(sa.func.count()).select_from(Autosave)) == 1
    with clock.at(clock.now() + autosaves.KEPT_FOR + timedelta(days=1)):
        autosaves.forget_old(session)
    assert session.scalar(sa.select(sa.func.count()).select_from(Autosave)) == 0
