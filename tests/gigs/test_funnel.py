"""A client sees how a gig goes against its first day, and what brings it on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.offers import decline_offer
from marketplace.gigs.applications import mark_ended, mark_hired, mark_offered
from marketplace.gigs.drafts import draft_gig
from marketplace.gigs.funnel import funnel
from marketplace.gigs.invitations import invite
from marketplace.gigs.models import ExpertProfile, Gig, Project
from marketplace.gigs.publishing import close_gig, pause_gig, publish_gig
from tests.factories.accounts import enter
from tests.factories.contracts import an_offer
from tests.factories.gigs import a_client, a_draft, a_gig, a_project, an_application, an_expert, fund
from tests.visitor import Visitor, words


@pytest.fixture
def there(session: Session) -> tuple[Actor, Project]:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 90_000_00)
    return client, project


def invited(session: Session, client: Actor, gig: Gig, number: int) -> list[Actor]:
    experts = [an_expert(session, f"Expert {n}") for n in range(number)]
    for expert in experts:
        profile = session.get_one(ExpertProfile, expert.id).public_id
        invite(session, client, gig.public_id, profile, "")
    return experts


def test_each_stage_is_counted_once_for_each_person(session: Session, there: tuple[Actor, Project]) -> None:
    client, project = there
    gig = a_gig(session, client, project, headcount=4)
    experts = invited(session, client, gig, 6)
    made = [an_application(session, each, gig) for each in experts[:3]]
    an_application(session, an_expert(session, "By themselves"), gig)
    for each in made[:2]:
        mark_offered(session, client, each)
        mark_hired(session, client, each)
    mark_ended(session, client, made[1])
    session.commit()
    found = funnel(session, gig)
    assert [stage.people for stage in found.stages] == [6, 4, 0, 2]
    assert found.stages[1].told == "50 % of those invited; 1 came uninvited"
    assert (found.working, found.left, found.wanted) == (1, 3, 4)
    assert found.step is not None
    assert found.step.text == "Answer the 2 applications that wait."


def test_offers_are_counted_whatever_came_of_them(
    app: Flask, session: Session, there: tuple[Actor, Project]
) -> None:
    client, project = there
    gig = a_gig(session, client, project, headcount=2)
    ana, ben = an_expert(session, "Ana Expert"), an_expert(session, "Ben Expert")
    first = an_offer(session, client, ana, gig)
    decline_offer(session, ana, first.public_id)
    an_offer(session, client, ben, gig)
    found = funnel(session, gig)
    assert [stage.people for stage in found.stages] == [0, 2, 2, 0]
    assert found.stages[2].told == "100 % of those who applied"


def test_it_says_how_many_more_to_invite(session: Session, there: tuple[Actor, Project]) -> None:
    client, project = there
    gig = a_gig(session, client, project, headcount=4)
    for each in invited(session, client, gig, 6)[:2]:
        application = an_application(session, each, gig)
        mark_offered(session, client, application)
        mark_hired(session, client, application)
        session.commit()
    step = funnel(session, gig).step
    assert step is not None
    assert step.text == "Invite 6 more: as it went so far, 2 of them start."


def test_the_next_step_follows_how_it_stands(session: Session, there: tuple[Actor, Project]) -> None:
    client, project = there

    def said(gig: Gig) -> str:
        step = funnel(session, gig).step
        return step.text if step else ""

    assert "Publish it" in said(draft_gig(session, client, project.public_id, a_draft()))
    gig = a_gig(session, client, project, headcount=1)
    assert "Invite experts who fit" in said(gig)
    pause_gig(session, client, gig.public_id)
    assert "It is paused" in said(gig)
    publish_gig(session, client, gig.public_id)
    application = an_application(session, an_expert(session), gig)
    assert said(gig) == "Answer the application that waits."
    mark_offered(session, client, application)
    session.commit()
    assert "As many offers as places" in said(gig)
    mark_hired(session, client, application)
    session.commit()
    assert "All places are filled" in said(gig)
    close_gig(session, client, gig.public_id)
    assert said(gig) == ""


@pytest.mark.parametrize(
    ("days", "told"), [(0, "today"), (1, "in 1 day"), (9, "in 9 days"), (-3, "3 days ago")]
)
def test_the_page_counts_the_days(
    app: Flask, session: Session, there: tuple[Actor, Project], days: int, told: str
) -> None:
    client, project = there
    first = clock.today("UTC") + timedelta(days=days)
    gig = a_gig(session, client, project, starts_on=max(first, clock.today("UTC")))
    gig.starts_on = first
    session.commit()
    carla = Visitor(enter(app.test_client(), session, client))
    page = words(carla.get(f"/gigs/{gig.public_id}/overview"))
    assert f"First day {told}" in page
    assert "From invited to started" in page
    assert "Invited 0" in page
