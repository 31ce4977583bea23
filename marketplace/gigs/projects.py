"""Projects: a client's budget under one name."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs import find
from marketplace.gigs.models import Project
from marketplace.gigs.states import ProjectState
from marketplace.i18n import gettext as _
from marketplace.money import exponent
from marketplace.text import line, paragraph


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
    """Start a project of a verified organization.

    Raises Refused before the organization is verified, Invalid without a name, ValueError for a currency
    that is not known.
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
    project = Project(
        organization=organization,
        name=_named(draft.name),
        summary=paragraph(draft.summary),
        currency=draft.currency,
        purchase_order=line(draft.purchase_order or "") or None,
        cost_centre=line(draft.cost_centre or "") or None,
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
