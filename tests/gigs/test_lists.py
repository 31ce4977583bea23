"""Long lists of gigs and of experts: every one of them is reached, and how many there are is said."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.gigs.applications import decline_application
from marketplace.gigs.models import Gig, Invitation
from marketplace.gigs.views import client as views
from marketplace.web import paged
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.credentials import a_verified_credential
from tests.factories.gigs import a_client, a_gig, a_project, an_application, an_expert, fund, licence
from tests.visitor import Visitor, words

NEXT = re.compile(r'rel="next"\s+href="([^"]+)"')


def at_browser(app: Flask, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, actor))


def pages(browser: Visitor, path: str) -> Iterator[TestResponse]:
    """The page and all that follow it."""
    answer = browser.get(path)
    yield answer
    while further := NEXT.search(answer.text):
        answer = browser.get(html.unescape(further.group(1)))
        yield answer


def titles(answers: list[TestResponse]) -> list[str]:
    return [each for answer in answers for each in re.findall(r"Gig \d\d", words(answer))]


@pytest.fixture
def client(session: Session) -> Actor:
    """A client with 25 gigs that all suit, numbered by how well: the first pays the most."""
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 100_000_00)
    for n in range(25):
        a_gig(session, client, project, title=f"Gig {n:02}", rate_min=119_00 - n * 100)
    return client


@pytest.fixture
def all_gigs(client: Actor) -> list[str]:
    return [f"Gig {n:02}" for n in range(25)]


def test_browsing_by_match_reaches_every_gig_and_counts_them(
    app: Flask, session: Session, all_gigs: list[str]
) -> None:
    found = list(pages(at_browser(app, session, an_expert(session)), "/gigs"))
    assert len(found) == 2
    assert sorted(titles(found)) == all_gigs
    assert "25 gigs suit you." in words(found[0])


def test_equals_are_each_reached_once(app: Flask, session: Session) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 100_000_00)
    for n in range(45):
        a_gig(session, client, project, title=f"Gig {n:02}")
    found = list(pages(at_browser(app, session, an_expert(session)), "/gigs"))
    assert [len(titles([each])) for each in found] == [20, 20, 5]
    assert sorted(titles(found)) == [f"Gig {n:02}" for n in range(45)]


def test_what_only_the_exact_match_refuses_is_not_listed(app: Flask, session: Session) -> None:
    """A licence that was checked too long ago looks right from afar."""
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 100_000_00)
    ana = an_expert(session)
    rev = an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))
    with clock.at(clock.now() - timedelta(days=90)):
        a_verified_credential(session, ana, rev)
    a_gig(session, client, project, title="Gig 01", requirements=(licence(),))
    a_gig(session, client, project, title="Gig 02", requirements=(replace(licence(), max_age_days=60),))
    page = at_browser(app, session, ana).get("/gigs")
    assert titles([page]) == ["Gig 01"]
    assert "1 gig suits you." in words(page)


def test_the_next_page_asks_for_all_that_this_one_does_and_for_nothing_else(
    app: Flask, session: Session, all_gigs: list[str]
) -> None:
    browser = at_browser(app, session, an_expert(session))
    answer = browser.get("/gigs?_scheme=javascript&_external=1&endpoint=x&_scheme=twice")
    assert answer.status_code == 200
    asked = NEXT.search(answer.text)
    assert asked is not None
    assert html.unescape(asked.group(1)).startswith(
        "/gigs?_scheme=javascript&_scheme=twice&_external=1&endpoint=x&"
    )


def test_what_lies_beyond_the_best_is_said_and_found_by_filters(
    app: Flask, session: Session, all_gigs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.gigs.finding.lists.RANKED", 22)
    browser = at_browser(app, session, an_expert(session))
    found = list(pages(browser, "/gigs"))
    assert "The 22 gigs that suit you best. More suit you" in words(found[0])
    left_out, *others = sorted(set(all_gigs) - set(titles(found)))
    assert len(others) == 2
    narrowed = browser.get(f"/gigs?text={left_out}")
    assert set(titles([narrowed])) == {left_out}
    assert "1 gig suits you, with these filters." in words(narrowed)


def test_the_newest_first_are_counted_too(app: Flask, session: Session, all_gigs: list[str]) -> None:
    answer = at_browser(app, session, an_expert(session)).get("/gigs?sort=newest")
    assert "25 gigs, whether or not they suit you." in words(answer)


def test_the_client_reaches_every_expert_who_fits(app: Flask, session: Session, client: Actor) -> None:
    for n in range(22):
        an_expert(session, f"Expert Number{n}")
    gig = session.query(Gig).filter_by(title="Gig 00").one()
    browser = at_browser(app, session, client)
    found = list(pages(browser, f"/gigs/{gig.public_id}/experts"))
    labels = [each for answer in found for each in re.findall(r"<h3>(Expert \w{4})", answer.text)]
    assert len(found) == 2
    assert len(labels) == 22
    assert "22 experts fit." in words(found[0])
    invite = re.findall(r'action="(/gigs/[^"]+/invitation(?:\?[^"]*)?)"', found[1].text)
    answer = browser.post(html.unescape(invite[0]), message="Please look at it.")
    assert "is invited" in words(answer)
    assert "Further down the list" not in words(answer)
    assert session.query(Invitation).one().message == "Please look at it."


def test_a_refused_invitation_keeps_its_message(app: Flask, session: Session, client: Actor) -> None:
    an_expert(session)
    gig = session.query(Gig).filter_by(title="Gig 00").one()
    browser = at_browser(app, session, client)
    page = browser.get(f"/gigs/{gig.public_id}/experts").text
    [invite] = re.findall(r'action="(/gigs/[^"]+/invitation(?:\?[^"]*)?)"', page)
    message = "We saw your work. " * 250
    answer = browser.post(html.unescape(invite), message=message)
    assert answer.status_code == 422
    assert message in answer.text
    assert re.search(r"<details[^>]*data-dialog[^>]*\sopen>", answer.text)


def test_every_application_is_reached(
    app: Flask, session: Session, client: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "paged", partial(paged, size=1))
    gig = session.scalars(sa.select(Gig).limit(1)).one()
    made = [an_application(session, an_expert(session, f"{name} Expert"), gig) for name in ("A", "B", "C")]
    decline_application(session, client, made[2].public_id, "places_filled", "Somebody else was faster.")
    found = list(pages(at_browser(app, session, client), f"/gigs/{gig.public_id}/applications"))
    assert [each.text.count('/offer"') for each in found] == [1, 1]
    assert all("Declined" in words(each) for each in found)
