"""A gig that follows another, is much the same and pays less says so, to both sides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.gigs import successors
from marketplace.gigs.drafts import edit_gig
from marketplace.gigs.models import Gig, Project, Succession
from marketplace.gigs.publishing import close_gig, pause_gig, publish_gig
from tests.factories.accounts import enter
from tests.factories.gigs import a_client, a_draft, a_gig, a_project, an_expert, fund
from tests.visitor import Visitor, words

MUSEN = {
    "title": "Musen: review of radiology reports",
    "description": "Read the reports that the model Musen writes beside the images, mark what is wrong in "
    "them, and say in a sentence why. Two reports an hour are usual. Questions are answered within a day.",
    "rate_min": 100_00,
    "rate_max": 150_00,
    "skills": ("CT", "MRI"),
}
NOVA = {
    **MUSEN,
    "title": "Nova: review of radiology reports",
    "description": "Read the reports that the model Nova writes beside the images, mark what is wrong in "
    "them, and say in a sentence why. Two reports an hour are usual. Questions are answered in one day.",
    "rate_min": 95_00,
    "rate_max": 145_00,
}
NEW = {
    "title": "Write questions for a bar examination",
    "description": "Invent cases on contracts and torts with one right answer among four, and explain each.",
    "domain": "23-1011",
    "skills": ("torts",),
    "rate_min": 60_00,
    "rate_max": 90_00,
}


@pytest.fixture
def there(session: Session) -> tuple[Actor, Project]:
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 50_000_00)
    return client, project


def test_musen_and_nova(session: Session, there: tuple[Actor, Project]) -> None:
    client, project = there
    musen = a_gig(session, client, project, **MUSEN)
    close_gig(session, client, musen.public_id)
    with clock.at(clock.now() + timedelta(days=30)):
        nova = a_gig(session, client, project, **NOVA)
    found = session.get_one(Succession, nova.id)
    assert (found.earlier_id, found.less) == (musen.id, 5_00)
    assert found.overlap >= successors.LEAST_OVERLAP
    assert successors.sentence(nova).startswith(
        "In the middle of its band it pays $5.00 an hour less than “Musen: review of radiology reports”"
    )
    assert successors.sentence(musen) == ""


def test_a_gig_that_is_truly_new_is_not_marked(session: Session, there: tuple[Actor, Project]) -> None:
    client, project = there
    a_gig(session, client, project, **MUSEN)
    new = a_gig(session, client, project, **NEW)
    assert session.get(Succession, new.id) is None


@pytest.mark.parametrize(
    "changes", [{"rate_min": 100_00, "rate_max": 150_00}, {"rate_min": 90_00, "rate_max": 160_00}]
)
def test_as_much_or_more_is_not_marked(
    session: Session, there: tuple[Actor, Project], changes: dict[str, int]
) -> None:
    client, project = there
    a_gig(session, client, project, **MUSEN)
    assert session.get(Succession, a_gig(session, client, project, **NOVA | changes).id) is None


@pytest.mark.parametrize(("days", "marked"), [(89, True), (91, False)])
def test_ninety_days_after_the_other_was_last_open_it_is_over(
    session: Session, there: tuple[Actor, Project], days: int, marked: bool
) -> None:
    client, project = there
    musen = a_gig(session, client, project, **MUSEN)
    with clock.at(clock.now() + timedelta(days=40)):
        pause_gig(session, client, musen.public_id)
    with clock.at(clock.now() + timedelta(days=60)):
        close_gig(session, client, musen.public_id)
    assert musen.left_at is not None
    later = musen.left_at + timedelta(days=days)
    with clock.at(later):
        nova = a_gig(session, client, project, **NOVA)
    assert (session.get(Succession, nova.id) is not None) == marked


def test_another_client_is_nobodys_successor(session: Session, there: tuple[Actor, Project]) -> None:
    client, project = there
    a_gig(session, client, project, **MUSEN)
    rival, organization = a_client(session, "Rival AI")
    nova = a_gig(session, rival, a_project(session, rival, organization), **NOVA)
    assert session.get(Succession, nova.id) is None


def test_a_change_marks_and_unmarks(session: Session, there: tuple[Actor, Project]) -> None:
    client, project = there
    a_gig(session, client, project, **MUSEN)
    nova = a_gig(session, client, project, **{**NOVA, "rate_min": 100_00, "rate_max": 150_00})
    edit_gig(session, client, nova.public_id, a_draft(**NOVA))
    assert session.get_one(Succession, nova.id).less == 5_00
    edit_gig(session, client, nova.public_id, a_draft(**{**NOVA, "rate_max": 170_00}))
    assert session.get(Succession, nova.id) is None


def test_publishing_again_forgets_when_it_was_left(session: Session, there: tuple[Actor, Project]) -> None:
    client, project = there
    gig = a_gig(session, client, project)
    assert gig.left_at is None
    pause_gig(session, client, gig.public_id)
    assert gig.left_at is not None
    publish_gig(session, client, gig.public_id)
    assert gig.left_at is None


def test_both_sides_read_it(app: Flask, session: Session, there: tuple[Actor, Project]) -> None:
    client, project = there
    a_gig(session, client, project, **MUSEN)
    nova = a_gig(session, client, project, **NOVA)
    ana = an_expert(session)
    session.commit()
    told = "$5.00 an hour less than “Musen: review of radiology reports” of the same client"
    expert, carla = (Visitor(enter(app.test_client(), session, who)) for who in (ana, client))
    assert told in words(expert.get(f"/gigs/{nova.public_id}"))
    assert "Pays $5.00 an hour less than a gig like it from this client before" in words(expert.get("/gigs"))
    assert told in words(carla.get(f"/gigs/{nova.public_id}/overview"))


def test_overlap_is_what_the_docstring_says() -> None:
    def gig(**values: object) -> Gig:
        return Gig(
            **{"title": "", "description": "", "skills": [], "domain": None, "task_kind": None, **values}
        )

    assert successors.overlap(gig(), gig()) == 75
    one = gig(title="reading many reports", domain="29-1224", skills=["CT"])
    assert successors.overlap(one, one) == 100
    other = gig(title="reading many letters", domain="29-1211", skills=["ct", "MRI"])
    words, skills = 50 * 2 / 3, 15 * 2 / 3
    assert successors.overlap(one, other) == int(words + skills) + 15 + 10
