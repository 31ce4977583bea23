"""Finding things within what a person may see. What is hidden and what is not there look the same."""

from __future__ import annotations

import uuid
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import Organization
from marketplace.actor import CLIENT, Actor, Role
from marketplace.errors import NotFound
from marketplace.gigs.models import Application, ExpertProfile, Gig, Invitation, Project
from marketplace.i18n import gettext as _


class Visible(Protocol):
    """An entity that says who may see it."""

    public_id: Any

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """The rows that `actor` may see."""
        ...


V = TypeVar("V", bound=Visible)
F = TypeVar("F")


def project(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> Project:
    """The project, if `actor` may see it. Raises NotFound."""
    return visible(session, actor, Project, public_id, lock)


def gig(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> Gig:
    """The gig, if `actor` may see it. Raises NotFound."""
    return visible(session, actor, Gig, public_id, lock)


def own_gig(session: Session, actor: Actor, public_id: uuid.UUID) -> Gig:
    """The gig, for its client's own people: an expert who may see it as an expert may not manage it.

    Raises NotFound, NotAllowed.
    """
    found = gig(session, actor, public_id)
    actor.require(*CLIENT, organization_id=found.project.organization_id)
    return found


def hold(session: Session, gig_id: int) -> Gig:
    """Lock a gig until the transaction ends, and read it anew."""
    query = sa.select(Gig).where(Gig.id == gig_id).with_for_update(of=Gig, key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one()


def application(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> Application:
    """The application, if `actor` may see it. Raises NotFound."""
    return visible(session, actor, Application, public_id, lock)


def organization(session: Session, actor: Actor, public_id: uuid.UUID) -> Organization:
    """An organization in which `actor` has a role. Raises NotFound."""
    query = sa.select(Organization).where(
        Organization.public_id == public_id, Organization.id.in_(actor.organizations(*_roles(actor)))
    )
    return there(session.scalars(query).one_or_none())


def invitation(session: Session, gig_id: int, person_id: int, *, lock: bool = False) -> Invitation | None:
    """The invitation of one expert to one gig, if there is one."""
    query = sa.select(Invitation).filter_by(gig_id=gig_id, person_id=person_id)
    return session.scalars(query.with_for_update(key_share=True) if lock else query).one_or_none()


def profile(session: Session, public_id: uuid.UUID) -> ExpertProfile:
    """A profile by the id that clients see, which names nobody. Raises NotFound."""
    return there(session.scalars(sa.select(ExpertProfile).filter_by(public_id=public_id)).one_or_none())


def visible(session: Session, actor: Actor, kind: type[V], public_id: uuid.UUID, lock: bool = False) -> V:
    """The thing of this kind, if `actor` may see it; with its row locked when asked. Raises NotFound."""
    query = sa.select(kind).where(kind.public_id == public_id, kind.visible_to(actor))
    if lock:
        # Not the strongest lock: rows that refer to this one may still be written meanwhile.
        query = query.with_for_update(of=kind, key_share=True).execution_options(populate_existing=True)
    return there(session.scalars(query).one_or_none())


def there(found: F | None) -> F:
    """What was found. Raises NotFound when nothing was."""
    if found is None:
        raise NotFound(_("There is no such page, or it is not yours to see."))
    return found


def _roles(actor: Actor) -> tuple[Role, ...]:
    return tuple(grant.role for grant in actor.grants if grant.organization_id)
