"""Projects: a client's budget under one name."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.accounts.models import Organization
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs import find
from marketplace.gigs.billing import reference
from marketplace.gigs.models import Project
from marketplace.gigs.states import ProjectState
from marketplace.i18n import gettext as _
from marketplace.money import exponent
from marketplace.text import line, paragraph

SECOND_CLICK = timedelta(minutes=1)


@dataclass(frozen=True)
class ProjectDraft:
    """What a client says of a project. `currency` is ISO 4217 and stays for good."""

    name: str
    summary: str = ""
    currency: str = "USD"
    purchase_order: str | None = None
    cost_centre: str | None = None


@use_case
def create_project(
    session: Session, actor: Actor, organization_public_id: uuid.UUID, draft: ProjectDraft
) -> Project:
    """Start a project of a verified organization; a second click finds what the first one started.

    Raises Refused before the organization is verified, Invalid without a name or for a number that is too
    long, ValueError for a currency that is not known.
    """
    organization = find.organization(session, actor, organization_public_id)
    actor.require(Role.CLIENT_ADMIN, organization_id=organization.id)
    if organization.verified_at is None:
        raise Refused(
            _(
                "We first check that %(name)s is who it says. We write to you when that is done.",
                name=organization.name,
            )
        )
    exponent(draft.currency)
    name = _named(draft.name)
    # Two clicks at once come one after the other.
    session.refresh(organization, with_for_update={"key_share": True})
    return _just_started(session, actor, organization, name) or _start(
        session, actor, organization, name, draft
    )


def _just_started(session: Session, actor: Actor, organization: Organization, name: str) -> Project | None:
    return session.scalars(
        sa.select(Project)
        .filter_by(organization_id=organization.id, created_by=actor.id, name=name)
        .where(Project.created_at > clock.now() - SECOND_CLICK)
    ).first()


def _start(
    session: Session, actor: Actor, organization: Organization, name: str, draft: ProjectDraft
) -> Project:
    project = Project(
        organization=organization,
        name=name,
        summary=paragraph(draft.summary),
        currency=draft.currency,
        purchase_order=reference(draft.purchase_order, "purchase_order"),
        cost_centre=reference(draft.cost_centre, "cost_centre"),
        state=ProjectState.DRAFT,
        created_by=actor.id,
        created_at=clock.now(),
    )
    session.add(project)
    session.flush()
    audit.record(session, actor, "project.created", "project", project.public_id)
    return project


def _named(name: str) -> str:
    if not line(name):
        raise Invalid(_("Give the project a name that your colleagues will recognise."), field="name")
    return line(name)
