"""What a client sees beside the form while writing a gig."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace.actor import Actor, Role
from marketplace.gigs import eligible
from marketplace.gigs.drafts import GigDraft, draft_gig
from marketplace.gigs.models import Gig, Project
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.credentials import a_verified_credential
from tests.factories.gigs import RADIOLOGY, a_client, a_draft, a_project, an_expert, licence
from tests.visitor import Visitor, words


@pytest.fixture
def carla(app: Flask, session: Session) -> tuple[Visitor, Project, Actor]:
    """At her browser, with a project; four experts are there, one dearer and one with little time."""
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    for name, rate, hours in (("A", 100, 20), ("B", 120, 20), ("C", 148, 20), ("D", 90, 3)):
        an_expert(session, name, min_rate=rate * 100, hours_per_week=hours)
    session.commit()
    return Visitor(enter(app.test_client(), session, client)), project, client


def typed(**changes: str) -> dict[str, str]:
    return {
        "title": "Review", "domain": RADIOLOGY, "rate_max": "130", "hours_per_week": "20", "languages": "en",
        **changes,
    }  # fmt: skip


def asking(type: str, **changes: str) -> dict[str, str]:
    row = {"type": type, "jurisdiction": "", **changes}
    return {f"requirements-0-{name}": value for name, value in row.items()}


def test_it_says_how_many_fit_and_what_would_bring_more(carla: tuple[Visitor, Project, Actor]) -> None:
    browser, project, _client = carla
    told = words(browser.post(f"/projects/{project.public_id}/reach", **typed()))
    assert "2 experts fit" in told
    assert "+1 at $150.00 an hour" in told
    assert "+1 at 5 hours a week" in told


def test_without_javascript_a_button_counts_and_saves_nothing(
    carla: tuple[Visitor, Project, Actor], session: Session
) -> None:
    browser, project, _client = carla
    address = f"/projects/{project.public_id}/gigs/new"
    browser.get(address)
    answer = browser.post(address, **typed(title="", rate_min="not a rate"), count="1")
    assert answer.status_code == 200
    assert "2 experts fit" in words(answer)
    assert 'value="not a rate"' in answer.text
    assert "Some of this cannot be saved" not in words(answer)
    assert session.scalar(sa.select(sa.func.count()).select_from(Gig)) == 0


def test_what_makes_no_sense_yet_counts_as_not_said(carla: tuple[Visitor, Project, Actor]) -> None:
    browser, project, _client = carla
    odd = typed(hours_per_week="many", languages="klingon", starts_on="soon")
    odd |= {"requirements-0-type": "nonsense", "requirements-1-level": "x"}
    assert "4 experts fit" in words(
        browser.post(f"/projects/{project.public_id}/reach", **odd | {"rate_max": "150"})
    )


def test_it_says_what_it_needs_first(carla: tuple[Visitor, Project, Actor]) -> None:
    browser, project, _client = carla
    told = words(browser.post(f"/projects/{project.public_id}/reach", **typed(domain="", rate_max="")))
    assert "Choose the domain whose experts you need and the highest rate that you pay" in told
    told = words(browser.post(f"/projects/{project.public_id}/reach", **typed(rate_max="a lot")))
    assert "Choose the highest rate that you pay" in told
    told = words(browser.post(f"/projects/{project.public_id}/reach", **typed(domain="sorcery")))
    assert "Choose the domain whose experts you need" in told


def test_nobody_and_too_few_are_said_plainly(carla: tuple[Visitor, Project, Actor]) -> None:
    browser, project, _client = carla
    path = f"/projects/{project.public_id}/reach"
    assert "Nobody fits all of this. Change one of these" in words(browser.post(path, **typed(rate_max="95")))
    assert "Nobody would see the gig" in words(browser.post(path, **typed(rate_max="1")))
    assert "You look for 9 people" in words(browser.post(path, **typed(headcount="9")))


def test_the_least_that_brings_anybody_is_said_also_when_it_takes_several_changes(
    carla: tuple[Visitor, Project, Actor],
) -> None:
    browser, project, _client = carla
    path = f"/projects/{project.public_id}/reach"
    told = words(browser.post(path, **typed(rate_max="95", languages=["en", "de"])))
    assert "It takes these together" in told
    assert "+1 at 5 hours a week and without German" in told


def test_asking_less_of_a_credential_is_offered_before_doing_without(
    carla: tuple[Visitor, Project, Actor], session: Session
) -> None:
    browser, project, _client = carla
    ana = an_expert(session, "Ana", min_rate=100_00)
    held = a_verified_credential(session, ana, an_actor(session, a_person(session, "Rev", Role.REVIEWER)))
    session.execute(sa.text("UPDATE match_credentials SET level = 3, checked_on = checked_on - 100"))
    session.commit()
    path = f"/projects/{project.public_id}/reach"
    told = words(browser.post(path, **typed(), **asking(held.type, level="4", max_age_days="0")))
    assert "+1 if “on the official register” is enough for: US medical licence" in told
    assert "+3 without: US medical licence" in told
    told = words(browser.post(path, **typed(), **asking(held.type, level="3", max_age_days="60")))
    assert "+1 however long ago this was checked: US medical licence" in told


def test_a_gig_opened_again_says_who_fits_at_once(
    carla: tuple[Visitor, Project, Actor], session: Session
) -> None:
    browser, project, client = carla
    wanted = a_draft(rate_max=130_00, hours_per_week=20, requirements=(licence("US-TX"),), countries=("BR",))
    gig = draft_gig(session, client, project.public_id, wanted)
    told = words(browser.get(f"/gigs/{gig.public_id}/edit"))
    assert "Nobody fits all of this" in told
    both = draft_gig(session, client, project.public_id, a_draft(requirements=(licence("US-TX"),)))
    assert "without: US medical licence, Texas" in words(browser.get(f"/gigs/{both.public_id}/edit"))


def test_counting_that_takes_too_long_says_so_and_the_form_is_there(
    carla: tuple[Visitor, Project, Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, project, _client = carla
    monkeypatch.setattr(eligible.counting, "count_within", lambda *_: None)
    told = browser.post(f"/projects/{project.public_id}/gigs/new", **typed(), count="1")
    assert "Counting takes too long just now" in words(told)
    assert 'value="Review"' in told.text


def test_nobody_counts_for_the_project_of_another(app: Flask, session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    rival, _other = a_client(session, "Rival AI")
    ana = an_expert(session)
    for stranger in (rival, ana):
        browser = Visitor(enter(app.test_client(), session, stranger))
        assert browser.post(f"/projects/{project.public_id}/reach", **typed()).status_code == 404


def test_who_works_for_the_client_already_is_not_among_them(
    carla: tuple[Visitor, Project, Actor], session: Session
) -> None:
    _browser, project, _client = carla
    draft = GigDraft(title="x", domain=RADIOLOGY, rate_max=500_00)
    found = eligible.reach(session, project, draft)
    assert found.eligible is not None
    assert found.eligible.people == 4
    session.execute(
        sa.text("UPDATE match_experts SET conflicts = ARRAY[:client] WHERE min_rate = 9000"),
        {"client": project.organization_id},
    )
    found = eligible.reach(session, project, draft)
    assert found.eligible is not None
    assert found.eligible.people == 3


def test_rates_that_are_crossed_are_said_while_typing(carla: tuple[Visitor, Project, Actor]) -> None:
    browser, project, _client = carla
    path = f"/projects/{project.public_id}/reach"
    for lowest, said in (("250.00", True), ("150.00", False)):
        told = words(browser.post(path, **typed(rate_min=lowest, rate_max="200.00")))
        assert ("Your lowest rate is above your highest" in told) is said


def test_working_hours_in_common_are_counted_and_can_be_given_up(
    carla: tuple[Visitor, Project, Actor], session: Session
) -> None:
    browser, project, _client = carla
    an_expert(session, "Far away", zone="Asia/Tokyo", min_rate=100_00)
    session.commit()
    asked = typed(time_zone="America/New_York", shared_hours="4")
    told = words(browser.post(f"/projects/{project.public_id}/reach", **asked))
    assert "2 experts fit" in told
    assert "+1 in any time zone" in told
