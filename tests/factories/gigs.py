"""Clients, experts, projects and gigs, made through the use cases."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE, Actor, Role
from marketplace.credentials.gate import Requirement
from marketplace.db import use_case
from marketplace.gigs.applications import apply
from marketplace.gigs.drafts import GigDraft, draft_gig
from marketplace.gigs.models import Application, Gig, Project
from marketplace.gigs.profiles import ProfileDraft, save_profile
from marketplace.gigs.projection import push_project
from marketplace.gigs.projects import ProjectDraft, create_project
from marketplace.gigs.publishing import publish_gig
from marketplace.gigs.states import Kept, Owner, TaskKind
from marketplace.ledger import chart
from marketplace.money import Money
from tests.factories.accounts import a_person, an_actor, an_organization

RADIOLOGY = "29-1224"


def a_client(
    session: Session, name: str = "Northwind AI", *, verified: bool = True
) -> tuple[Actor, uuid.UUID]:
    """A client's admin, and the organization's public id."""
    organization = an_organization(session, name, verified=verified)
    public_id = organization.public_id
    admin = a_person(session, "Carla Client", Role.CLIENT_ADMIN, organization=organization)
    return an_actor(session, admin), public_id


def an_expert(
    session: Session,
    name: str = "Ana Expert",
    *,
    zone: str = "America/New_York",
    domains: Iterable[str] = (RADIOLOGY,),
    min_rate: int = 120_00,
    hours_per_week: int = 20,
) -> Actor:
    """An expert with a profile."""
    actor = an_actor(session, a_person(session, name, Role.EXPERT, time_zone=zone))
    save_profile(
        session,
        actor,
        ProfileDraft(
            headline="Radiologist",
            domains=tuple(domains),
            languages=("en",),
            min_rate=Money(min_rate, "USD"),
            hours_per_week=hours_per_week,
        ),
    )
    return actor


def knows(session: Session, ana: Actor, *named: str) -> None:
    """Let the expert name these skills in a profile."""
    save_profile(
        session,
        ana,
        ProfileDraft(
            headline="Radiologist",
            domains=(RADIOLOGY,),
            skills=named,
            languages=("en",),
            min_rate=Money(120_00, "USD"),
            hours_per_week=20,
        ),
    )


def a_draft(**changes: object) -> GigDraft:
    """A complete gig, in which anything can be changed."""
    draft = GigDraft(
        title="Review radiology reports",
        domain=RADIOLOGY,
        task_kind=TaskKind.REVIEW,
        description="Read model reports beside the images and mark what is wrong.",
        guidelines="Mark every finding.",
        trains="A model that drafts reports.",
        used_in="Used by the client only.",
        owned_by=Owner.CLIENT,
        kept_for=Kept.YEARS_3,
        uses=(),
        rate_min=100_00,
        rate_max=200_00,
        hours_per_week=10,
        headcount=2,
        languages=("en",),
        starts_on=clock.today("America/New_York"),
        ends_on=clock.today("America/New_York") + timedelta(days=180),
    )
    return replace(draft, **changes)  # type: ignore[arg-type]


def a_project(session: Session, client: Actor, organization: uuid.UUID, name: str = "Radiology") -> Project:
    """A project without money."""
    return create_project(session, client, organization, ProjectDraft(name=name))


def a_gig(session: Session, client: Actor, project: Project, **changes: object) -> Gig:
    """A published gig."""
    gig = draft_gig(session, client, project.public_id, a_draft(**changes))
    return publish_gig(session, client, gig.public_id)


def an_open_gig(session: Session, **changes: object) -> tuple[Actor, Gig]:
    """A client's published gig, with the money for it."""
    client, organization = a_client(session)
    project = a_project(session, client, organization)
    fund(session, project.public_id, 50_000_00)
    return client, a_gig(session, client, project, **changes)


@use_case
def fund(session: Session, project: uuid.UUID, amount: int) -> None:
    """Client money for a project, as if a payment had come in."""
    ledger.post(
        session,
        SITE,
        source=f"funding:{uuid.uuid4()}",
        event="paid",
        currency="USD",
        lines=[(chart.stripe_balance(), amount), (chart.project_funds(project), -amount)],
        occurred_at=clock.now(),
        memo="Funding",
    )
    found = session.scalars(sa.select(Project).filter_by(public_id=project)).one()
    push_project(session, found.id)


def an_application(session: Session, expert: Actor, gig: Gig) -> Application:
    """An application."""
    return apply(session, expert, gig.public_id, "I read 40 studies a day.")


def licence(jurisdiction: str = "US-CA") -> Requirement:
    """A medical licence seen at the primary source."""
    return Requirement("us_medical_license", jurisdiction, 4, None)
