"""Who writes to whom about applications and contracts, and who hears what a client announces on a project."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.accounts.models import Organization, Person
from marketplace.actor import Actor, Role
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.models import Contract, TimeEntry
from marketplace.contracts.states import ContractState
from marketplace.gigs.models import Application, ExpertProfile, Gig, Project, label_of
from marketplace.gigs.states import GigState
from marketplace.gigs.words import country
from marketplace.i18n import gettext as _
from marketplace.i18n import lazy, zoned
from marketplace.messages import Kind, Parties, Side, Subject

Ids = Sequence[uuid.UUID]
ADMINS = frozenset({Role.CLIENT_ADMIN})


def sides_of_applications(session: Session, actor: Actor, ids: Ids) -> dict[uuid.UUID, Parties]:
    """The applicant, and the client whose gig it is."""
    query = (
        sa.select(Application.public_id, Application.person_id, Project.organization_id)
        .join(Application.gig)
        .join(Gig.project)
        .where(Application.visible_to(actor))
    )
    return _parties(session, query, Application.public_id, ids)


def sides_of_contracts(session: Session, actor: Actor, ids: Ids) -> dict[uuid.UUID, Parties]:
    """The two that signed it."""
    query = sa.select(Contract.public_id, Contract.person_id, Contract.organization_id)
    return _parties(session, query.where(Contract.visible_to(actor)), Contract.public_id, ids)


def sides_of_disputes(session: Session, actor: Actor, ids: Ids) -> dict[uuid.UUID, Parties]:
    """The two between whom the line is in question."""
    query = (
        sa.select(TimeDispute.public_id, Contract.person_id, Contract.organization_id)
        .join(TimeDispute.contract)
        .where(TimeDispute.visible_to(actor))
    )
    return _parties(session, query, TimeDispute.public_id, ids)


def sides_of_projects(session: Session, actor: Actor, ids: Ids) -> dict[uuid.UUID, Parties]:
    """The client alone: experts see what was announced to them."""
    query = sa.select(Project.public_id, sa.null(), Project.organization_id)
    return _parties(session, query.where(Project.visible_to(actor)), Project.public_id, ids)


def applications(session: Session, side: Side, ids: Ids) -> Mapping[uuid.UUID, Subject]:
    """To the expert on the gig's page, to the client among the applications, where nobody has a name yet."""
    query = (
        sa.select(Application, ExpertProfile.public_id, _have_signed())
        .join(ExpertProfile, ExpertProfile.person_id == Application.person_id)
        .where(Application.public_id.in_(ids))
        .options(
            joinedload(Application.person),
            joinedload(Application.gig).joinedload(Gig.project).joinedload(Project.organization),
        )
    )
    return {
        found.public_id: Subject(
            title=found.gig.title,
            path=_path_of_application(found, side),
            expert=_called(found.person, profile, known=known or side is not Side.CLIENT),
            client=found.gig.project.organization.name,
        )
        for found, profile, known in session.execute(query)
    }


def contracts(session: Session, _side: Side, ids: Ids) -> Mapping[uuid.UUID, Subject]:
    """Both sides see the contract's page, and each other's names."""
    query = (
        sa.select(Contract.public_id, Gig.title, Person.full_name, Organization.name)
        .join(Contract.gig)
        .join(Contract.person)
        .join(Contract.organization)
        .where(Contract.public_id.in_(ids))
    )
    return {
        public_id: Subject(title, f"/contracts/{public_id}", name, client)
        for public_id, title, name, client in session.execute(query)
    }


def disputes(session: Session, _side: Side, ids: Ids) -> Mapping[uuid.UUID, Subject]:
    """All who may see it see its page, and the names of both sides."""
    query = (
        sa.select(
            TimeDispute.public_id,
            Gig.title,
            TimeEntry.started_at,
            Contract.time_zone,
            Person.full_name,
            Organization.name,
        )
        .join(TimeDispute.entry)
        .join(TimeDispute.contract)
        .join(Contract.gig)
        .join(Contract.person)
        .join(Contract.organization)
        .where(TimeDispute.public_id.in_(ids))
    )
    return {
        public_id: Subject(f"{title}, {zoned(started_at, zone)}", f"/disputes/{public_id}", name, client)
        for public_id, title, started_at, zone, name, client in session.execute(query)
    }


def projects(session: Session, side: Side, ids: Ids) -> Mapping[uuid.UUID, Subject]:
    """The client sees the project; an expert has no page of it but that of the work."""
    query = sa.select(Project).where(Project.public_id.in_(ids)).options(joinedload(Project.organization))
    return {
        found.public_id: Subject(
            title=found.name,
            path=_path_of_project(found, side),
            expert=_("Everybody who works on it"),
            client=found.organization.name,
        )
        for found in session.scalars(query)
    }


def at_work(session: Session, project_id: uuid.UUID) -> Sequence[int]:
    """Who works on the project now (internal ids); a paid test is no work yet."""
    query = (
        sa.select(Contract.person_id)
        .join(Contract.project)
        .where(Project.public_id == project_id, Contract.test_id.is_(None))
        .where(Contract.state == ContractState.ACTIVE)
    )
    return session.scalars(query.distinct()).all()


def _parties(
    session: Session, query: sa.Select[Any, Any, Any], key: Any, ids: Ids
) -> dict[uuid.UUID, Parties]:
    rows = session.execute(query.where(key.in_(ids)))
    return {public_id: Parties(person, organization) for public_id, person, organization in rows}


def _have_signed() -> sa.ColumnElement[bool]:
    """Has the applicant signed anything for this gig? From then on the client knows the name."""
    return sa.exists().where(
        Contract.gig_id == Application.gig_id, Contract.person_id == Application.person_id
    )


def _called(person: Person, profile: uuid.UUID, *, known: bool) -> str:
    if known:
        return person.full_name
    return _("Expert %(label)s in %(country)s", label=label_of(profile.hex), country=country(person.country))


def _path_of_application(application: Application, side: Side) -> str:
    gig = f"/gigs/{application.gig.public_id}"
    if side is Side.CLIENT:
        return f"{gig}/applications"
    hidden = side is Side.EXPERT and application.gig.state is GigState.REMOVED
    return "/applications" if hidden else gig


def _path_of_project(project: Project, side: Side) -> str:
    return {
        Side.EXPERT: "/work",
        Side.CLIENT: f"/projects/{project.public_id}",
        Side.OPERATOR: f"/projects/{project.public_id}/funds",
    }[side]


KINDS = {
    "application": Kind(lazy("Application"), sides_of_applications, applications, told=ADMINS),
    "contract": Kind(lazy("Contract"), sides_of_contracts, contracts),
    "time_dispute": Kind(lazy("Questioned line"), sides_of_disputes, disputes, operators_write=True),
    "project": Kind(
        lazy("Announcements"), sides_of_projects, projects, writers=ADMINS, told=frozenset(), audience=at_work
    ),
}
