"""A project's purchase order and cost centres: who changes them, what is kept, and where they are read."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization
from marketplace.actor import Role
from marketplace.audit.models import AuditEvent
from marketplace.errors import Invalid, NotAllowed, NotFound
from marketplace.gigs.billing import change_billing, changes
from marketplace.gigs.projects import ProjectDraft, create_project
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.gigs import a_client, a_gig, a_project
from tests.visitor import Visitor, words


@pytest.fixture
def lumen(session: Session):
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    return client, project, a_gig(session, client, project)


def test_a_change_is_kept_with_who_when_and_what_was_before(session: Session, lumen) -> None:
    client, project, gig = lumen
    change_billing(session, client, project.public_id, " PO-7 ", "CC-1", {gig.public_id: ""})
    change_billing(session, client, project.public_id, "PO-8", "CC-1", {gig.public_id: "CC-2"})
    assert (project.purchase_order, project.cost_centre, gig.charged_to) == ("PO-8", "CC-1", "CC-2")
    found = [(each.by, each.gig and each.gig.title, each.before, each.after)
             for each in changes(session, project, [gig])]  # fmt: skip
    assert found == [
        ("Carla Client", gig.title, None, "CC-2"),
        ("Carla Client", None, "PO-7", "PO-8"),
        ("Carla Client", None, None, "CC-1"),
        ("Carla Client", None, None, "PO-7"),
    ]


def test_saving_what_is_there_already_leaves_no_trace(session: Session, lumen) -> None:
    client, project, gig = lumen
    for _twice in range(2):
        change_billing(session, client, project.public_id, "PO-7", "", {gig.public_id: None})
    events = sa.select(sa.func.count()).where(AuditEvent.verb.in_(["project.billing", "gig.billing"]))
    assert session.scalar(events) == 1
    assert gig.charged_to is None


def test_sixty_characters_at_most(session: Session, lumen) -> None:
    client, project, gig = lumen
    change_billing(session, client, project.public_id, "P" * 60, None, {})
    with pytest.raises(Invalid) as refused:
        change_billing(session, client, project.public_id, None, None, {gig.public_id: "C" * 61})
    assert refused.value.field == str(gig.public_id)
    organization = session.get_one(Organization, project.organization_id).public_id
    with pytest.raises(Invalid):
        create_project(session, client, organization, ProjectDraft("Next", purchase_order="P" * 61))


def test_only_an_admin_of_the_client_and_only_its_own_gigs(session: Session, lumen) -> None:
    _client, project, gig = lumen
    dev = a_person(session, "Dev Approver", Role.CLIENT_APPROVER, organization=project.organization)
    with pytest.raises(NotAllowed):
        change_billing(session, an_actor(session, dev), project.public_id, "PO-1", None, {})
    rival, organization = a_client(session, "Rival")
    with pytest.raises(NotFound):
        change_billing(session, rival, project.public_id, "PO-1", None, {})
    theirs = a_project(session, rival, organization)
    change_billing(session, rival, theirs.public_id, None, None, {gig.public_id: "CC-9"})
    assert gig.cost_centre is None


def test_the_pages_take_and_show_them(app: Flask, session: Session, lumen) -> None:
    client, project, gig = lumen
    carla = Visitor(enter(app.test_client(), session, client))
    path = f"/projects/{project.public_id}/billing"
    typed = {"purchase_order": "PO-2026-7", "cost_centre": "CC-1", str(gig.public_id): "CC-2"}
    carla.post(path, **typed)
    page = words(carla.get(f"/projects/{project.public_id}"))
    assert "PO-2026-7" in page
    assert "Cost centre CC-2" in page
    assert "PO-2026-7" in words(carla.get(f"/projects/{project.public_id}/funds"))
    assert "Carla Client Purchase order – PO-2026-7" in words(carla.get(path))
