"""Where a client books what a project costs: its purchase order, its cost centres and those of its gigs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit
from marketplace.accounts.models import Person
from marketplace.actor import Actor, Role
from marketplace.audit.models import AuditEvent
from marketplace.db import use_case
from marketplace.errors import Invalid
from marketplace.gigs import find
from marketplace.gigs.models import Gig, Project
from marketplace.i18n import gettext as _
from marketplace.text import line

# Letters; what accounting systems keep, and what fits on a line of an invoice.
LONGEST = 60


def reference(text: str | None, field: str) -> str | None:
    """A number or a name of theirs as it is kept; None when there is none. Raises Invalid when it is long."""
    kept = line(text or "")
    if len(kept) > LONGEST:
        raise Invalid(_("Use at most %(n)s characters.", n=LONGEST), field=field)
    return kept or None


@use_case
def change_billing(
    session: Session,
    actor: Actor,
    project_public_id: uuid.UUID,
    purchase_order: str | None,
    cost_centre: str | None,
    of_gigs: Mapping[uuid.UUID, str | None],
) -> Project:
    """Write down the project's numbers, and for its gigs (by public id) the cost centres of their own.

    The trail keeps who changed what, and what was there before. What was invoiced stays as it was.
    Raises NotFound, NotAllowed, Invalid (for a gig with its public id as the field).
    """
    project = find.project(session, actor, project_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    wanted = {
        "purchase_order": reference(purchase_order, "purchase_order"),
        "cost_centre": reference(cost_centre, "cost_centre"),
    }
    before = {
        name: getattr(project, name) for name, value in wanted.items() if getattr(project, name) != value
    }
    for name, value in wanted.items():
        setattr(project, name, value)
    if before:
        audit.record(
            session, actor, "project.billing", "project", project.public_id,
            before=before, after={name: wanted[name] for name in before},
        )  # fmt: skip
    for gig in _gigs(session, project, of_gigs):
        _change_gig(session, actor, gig, reference(of_gigs[gig.public_id], str(gig.public_id)))
    return project


@dataclass(frozen=True)
class Change:
    """What somebody changed: `gig` is None for the project, `field` the column's name."""

    at: datetime
    by: str
    gig: Gig | None
    field: str
    before: str | None
    after: str | None


def changes(session: Session, project: Project, gigs: Sequence[Gig]) -> list[Change]:
    """The changes of a project's numbers and of its gigs', newest first, from the trail."""
    of = {gig.public_id: gig for gig in gigs}
    rows = session.execute(
        sa.select(AuditEvent, Person.full_name)
        .join(Person, Person.id == AuditEvent.person_id)
        .where(
            AuditEvent.subject_id.in_([project.public_id, *of]),
            AuditEvent.verb.in_(["project.billing", "gig.billing"]),
        )
        .order_by(AuditEvent.id.desc())
    )
    return [
        Change(event.at, by, of.get(event.subject_id), field, before, after)
        for event, by in rows
        for field, before, after in _fields(event)
    ]


def _fields(event: AuditEvent) -> Iterator[tuple[str, str | None, str | None]]:
    after = event.facts["after"]
    return ((field, before, after[field]) for field, before in event.facts["before"].items())


def _gigs(session: Session, project: Project, of_gigs: Mapping[uuid.UUID, str | None]) -> list[Gig]:
    query = sa.select(Gig).where(Gig.project_id == project.id, Gig.public_id.in_(list(of_gigs)))
    return list(session.scalars(query.order_by(Gig.id).with_for_update(key_share=True)))


def _change_gig(session: Session, actor: Actor, gig: Gig, cost_centre: str | None) -> None:
    if gig.cost_centre == cost_centre:
        return
    before, gig.cost_centre = gig.cost_centre, cost_centre
    audit.record(
        session, actor, "gig.billing", "gig", gig.public_id,
        before={"cost_centre": before}, after={"cost_centre": cost_centre},
    )  # fmt: skip
