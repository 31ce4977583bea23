"""Pages of gigs: written by a client, found by an expert."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace.actor import Actor, Role
from marketplace.gigs.applications import mark_hired, mark_offered
from marketplace.gigs.drafts import draft_gig
from marketplace.gigs.models import ExpertProfile, Gig, Project
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.gigs import (
    RADIOLOGY,
    a_client,
    a_draft,
    a_gig,
    a_project,
    an_application,
    an_expert,
    fund,
    licence,
)
from tests.visitor import Visitor, words

FIELDS = re.compile(r'<(?:input|textarea|select)[^>]*name="([^"]+)"[^>]*>')


def at_browser(app: Flask, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, actor))


def test_an_expert_writes_a_profile_and_finds_a_gig(app: Flask, session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 10_000_00)
    gig = a_gig(session, client, project)
    ana = an_actor(session, a_person(session, "Ana Expert", Role.EXPERT))
    browser = at_browser(app, session, ana)
    assert "Write your profile first" in words(browser.get("/gigs"))
    browser.get("/profile")
    found = browser.post(
        "/profile", headline="Radiologist", domains=[RADIOLOGY], languages=["en"],
        min_rate="120.00", hours_per_week="20", skills="CT, MRI, CT",
    )  # fmt: skip
    assert gig.title in words(found)
    assert session.get_one(ExpertProfile, ana.id).skills == ["CT", "MRI"]
    assert "What makes the score" in words(browser.get(f"/gigs/{gig.public_id}"))


def test_a_profile_saved_again_stays_the_same(app: Flask, session: Session) -> None:
    ana = an_expert(session)
    browser = at_browser(app, session, ana)
    page = browser.get("/profile").text
    assert 'value="120.00"' in page
    assert re.search(rf'value="{RADIOLOGY}"\s+checked', page)


def test_a_gig_is_written_previewed_and_published(app: Flask, session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    browser = at_browser(app, session, client)
    new = f"/projects/{project.public_id}/gigs/new"
    browser.get(new)
    untouched = {"type": "", "jurisdiction": "", "level": "4", "max_age_days": "0"}
    requirements = {f"requirements-{n}-{name}": value for n in range(3) for name, value in untouched.items()}
    requirements |= {"requirements-0-type": "us_medical_license", "requirements-0-jurisdiction": "US-CA"}
    preview = browser.post(new, title="Review CT reports", domain=RADIOLOGY, languages=["en"], **requirements)
    assert "Say what kind of task it is." in words(preview)
    gig = session.query(Gig).one()
    assert [(each.type, each.jurisdiction) for each in gig.requirements] == [("us_medical_license", "US-CA")]
    preview = browser.post(
        f"/gigs/{gig.public_id}/edit", title="Review CT reports", domain=RADIOLOGY, task_kind="review",
        description="Read them.", trains="A model.", used_in="Here.",
        owned_by="client", kept_for="years_2", uses=["none"], rate_min="100",
        rate_max="150.50", hours_per_week="10", headcount="2", starts_on="2027-01-04", languages=["en"],
        skills="CT, style guides,  CT", **requirements,
    )  # fmt: skip
    assert "Skills that count CT, style guides" in words(preview)
    assert "Publish the gig" in words(preview)
    assert "There is no money for it yet" in words(preview)
    published = words(browser.post(f"/gigs/{gig.public_id}/publication"))
    assert "The gig is published. Nobody finds it until the project has money for it." in published
    assert "Experts do not find this gig" in published
    assert "Invite experts who fit" not in published
    session.refresh(gig)
    assert (gig.rate_min, gig.rate_max) == (100_00, 150_50)


def test_a_second_click_starts_no_second_project(app: Flask, session: Session) -> None:
    client, organization = a_client(session)
    browser = Visitor(enter(app.test_client(), session, client))
    browser.get("/projects/new")
    for _click in range(2):
        browser.post("/projects/new", name="Radiology", summary="", organization=str(organization))
    assert len(session.scalars(sa.select(Project)).all()) == 1


@pytest.mark.parametrize("organization", ["foo", "00000000-0000-0000-0000-000000000000"])
def test_a_project_of_no_company_of_ones_own_is_not_started(
    app: Flask, session: Session, organization: str
) -> None:
    client, _own = a_client(session)
    browser = enter(app.test_client(), session, client)
    assert browser.get(f"/projects/new?organization={organization}").status_code == 404


def test_an_edit_form_shows_what_is_kept(app: Flask, session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    gig = draft_gig(session, client, project.public_id, a_draft(requirements=(licence(),)))
    page = at_browser(app, session, client).get(f"/gigs/{gig.public_id}/edit").text
    for kept in ('value="100.00"', 'value="200.00"', 'selected value="29-1224"', 'selected value="US-CA"'):
        assert kept in page


def test_filters_live_in_the_address(app: Flask, session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 50_000_00)
    a_gig(session, client, project)
    a_gig(session, client, project, title="Rank answers", rate_min=60_00, rate_max=130_00)
    browser = at_browser(app, session, an_expert(session))
    assert "Rank answers" in words(browser.get("/gigs"))
    assert "Rank answers" not in words(browser.get("/gigs?rate=150"))
    assert "Review radiology" not in words(browser.get("/gigs?text=rank"))
    assert "No gig suits this search" in words(browser.get("/gigs?domain=law"))


def test_an_empty_list_says_what_to_do_next(app: Flask, session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    gig = a_gig(session, client, project, headcount=1)
    path = f"/gigs/{gig.public_id}"
    browser, expert = at_browser(app, session, client), at_browser(app, session, an_expert(session))
    assert "There is no money for another person" in words(browser.get(f"{path}/experts"))
    assert "Experts do not find this gig" in words(browser.get(f"{path}/overview"))
    assert "No gig suits you at the moment" in words(expert.get("/gigs"))
    fund(session, project.public_id, 10_000_00)
    found = words(browser.get(f"{path}/experts"))
    assert "1 expert fits." in found
    application = an_application(session, an_expert(session, "Bea Expert"), gig)
    mark_offered(session, client, application)
    mark_hired(session, client, application)
    session.commit()
    assert "All places are filled" in words(browser.get(f"{path}/experts"))
    assert "All places are filled" in words(browser.get(f"{path}/overview"))


def test_an_expert_does_not_open_what_is_the_clients(app: Flask, session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 10_000_00)
    gig, ana = a_gig(session, client, project), an_expert(session)
    application = an_application(session, ana, gig)
    expert = at_browser(app, session, ana)
    rival, _organization = a_client(session, "Rival AI")
    other = at_browser(app, session, rival)
    paths = [f"/projects/{project.public_id}", f"/applications/{application.public_id}/refusal"]
    paths += [
        f"/gigs/{gig.public_id}/{each}" for each in ("overview", "edit", "preview", "experts", "applications")
    ]
    assert {expert.get(path).status_code for path in paths} == {404}
    assert {other.get(path).status_code for path in paths} == {404}


def test_countries_are_boxes_in_groups_of_which_those_with_a_tick_are_open(
    app: Flask, session: Session
) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    draft = a_draft(countries=("US", "PE"))
    gig = draft_gig(session, client, project.public_id, draft)
    browser = at_browser(app, session, client)
    page = browser.get(f"/gigs/{gig.public_id}/edit").text
    ticked = re.findall(r'name="countries"\s+value="(..)"\s+checked', page)
    assert ticked == ["PE", "US"]
    assert len(re.findall(r'class="disclosure" open', page)) == 2
    assert len(re.findall(r'name="countries"', page)) > 240
    assert page.index("Åland Islands") < page.index("Belgium")
