"""What would open more gigs: each change counts exactly those that it opens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization
from marketplace.actor import Role
from marketplace.gigs.finding.hiding import hide
from marketplace.gigs.finding.models import HideReason
from marketplace.gigs.opening import among, opening
from marketplace.matching.criteria import explain
from marketplace.matching.facts import ExpertFacts, GigFacts
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.credentials import a_claim
from tests.factories.gigs import a_client, a_gig, a_project, an_expert, fund, licence
from tests.matching.strategies import DAY, experts, gigs
from tests.visitor import Visitor, words


@pytest.fixture
def on_the_day(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("marketplace.clock.today", lambda zone: DAY)
    return None


def open_to(expert: ExpertFacts, offers: list[GigFacts]) -> int:
    return sum(explain(gig, expert, DAY).eligible for gig in offers)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(experts(), st.lists(gigs(), max_size=12))
def test_every_count_is_what_the_change_would_open(
    on_the_day: None, expert: ExpertFacts, offers: list[GigFacts]
) -> None:
    found = among(expert, offers)
    assert found.open_now == open_to(expert, offers)
    for way in found.ways:
        gained = open_to(replace(expert, **way.fields), offers) - found.open_now
        # A credential in one place may do for a gig that asks for it anywhere; more than is said, never less.
        assert gained == way.gigs or (
            way.code in ("credential", "review", "languages", "data_use") and gained > way.gigs
        )


def test_the_page_says_what_would_help(app: Flask, session: Session) -> None:
    client, _organization = a_client(session)
    project = a_project(session, client, session.scalars(sa.select(Organization.public_id)).one())
    fund(session, project.public_id, 1_000_000_00)
    ana = an_expert(session)
    a_gig(session, client, project)
    for title, changes in {
        "Cheap": {"rate_min": 50_00, "rate_max": 100_00},
        "Cheaper": {"rate_min": 50_00, "rate_max": 80_00},
        "Long": {"hours_per_week": 60},
        "Spanish": {"languages": ("en", "es")},
        "Licensed": {"requirements": (licence(),)},
        "Two things": {"languages": ("de",), "rate_min": 50_00, "rate_max": 90_00},
        "Elsewhere": {"domain": "law"},
    }.items():
        a_gig(session, client, project, title=title, **changes)
    found = opening(session, ana.id)
    assert found is not None
    assert (found.looked_at, found.open_now) == (7, 1)
    assert {(way.code, way.gigs, way.field) for way in found.ways} == {
        ("rate", 1, "min_rate"), ("rate", 2, "min_rate"), ("hours", 1, "hours_per_week"),
        ("languages", 1, "languages"), ("credential", 1, "credentials"),
    }  # fmt: skip
    page = Visitor(enter(app.test_client(), session, ana)).get("/gigs/opening")
    said = words(page)
    assert "Open to you now: 1 of the 7 newest gigs in your fields." in said
    assert "+2 if your least were $80.00 an hour" in said
    assert "+1 if you wrote Spanish" in said
    assert 'href="/profile#min_rate"' in page.text


def test_one_in_review_is_said_to_open_what_it_will_and_hidden_gigs_are_left_out(
    app: Flask, session: Session
) -> None:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 1_000_000_00)
    ana = an_expert(session)
    a_claim(session, ana)
    a_gig(session, client, project, title="Licensed", requirements=(licence(),))
    unwanted = a_gig(session, client, project, title="Unwanted", requirements=(licence(),))
    hide(session, ana, unwanted.public_id, HideReason.WORK)
    page = Visitor(enter(app.test_client(), session, ana)).get("/gigs/opening")
    assert "Open to you now: 0 of the 1 newest gigs in your fields." in words(page)
    assert "+1 once we have reviewed this: US medical licence, California" in words(page)
    assert 'href="/credentials/"' in page.text


def test_before_there_is_a_profile(app: Flask, session: Session) -> None:
    new = an_actor(session, a_person(session, "Nia New", Role.EXPERT))
    assert opening(session, new.id) is None
    assert "Write your profile first" in words(
        Visitor(enter(app.test_client(), session, new)).get("/gigs/opening")
    )
