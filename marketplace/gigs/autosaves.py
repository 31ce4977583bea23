"""What somebody types into the form of a gig, kept as it is until they save or drop it.

Nothing of it is checked but its size, and nothing of it goes live: that is what saving is for.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs import find
from marketplace.gigs.models import Autosave, Gig, Project
from marketplace.gigs.states import GigState, ProjectState
from marketplace.i18n import gettext as _
from marketplace.i18n import time_of_day

Fields = Sequence[tuple[str, str]]
# Characters in all: three texts at their longest, and room to spare.
LARGEST = 60_000
MOST_FIELDS = 500
KEPT_FOR = timedelta(days=60)
AT_WORK = timedelta(hours=12)


@use_case
def keep(
    session: Session,
    actor: Actor,
    project_id: uuid.UUID,
    gig_id: uuid.UUID | None,
    fields: Fields,
    version: int,
) -> Autosave:
    """Keep what is typed (public ids; `gig_id` None for a new gig) in place of version `version`, 0 for none.

    Raises Refused when another version is kept by now, which a second tab wrote, or when the gig or project
    is closed; Invalid when it is too long.
    """
    project, gig = _place(session, actor, project_id, gig_id)
    _check_size(fields)
    kept = session.scalars(_of(actor, project, gig).with_for_update()).one_or_none()
    if kept is None and version == 0:
        kept = _begun(session, actor, project, gig)
    if kept is None or kept.version != version:
        raise Refused(_elsewhere(kept))
    _write(kept, fields)
    return kept


def put(session: Session, actor: Actor, gig: Gig, fields: Fields, seen: int) -> None:
    """Keep what was sent for a gig in place of version `seen`. Needs a running transaction.

    Raises Refused when another window keeps something else by now.
    """
    _check_size(fields)
    kept = session.scalars(_of(actor, gig.project, gig).with_for_update()).one_or_none()
    if kept is not None and kept.version != seen and kept.fields != [list(each) for each in fields]:
        raise Refused(
            _(
                "Something else was typed into this form in another window, last at %(time)s. Send it again, "
                "and what stands here takes its place.",
                time=time_of_day(kept.saved_at),
            )
        )
    kept = kept or _begun(session, actor, gig.project, gig)
    if kept is not None:
        _write(kept, fields)


@use_case
def drop(session: Session, actor: Actor, project_id: uuid.UUID, gig_id: uuid.UUID | None) -> None:
    """Forget what is typed."""
    forget(session, actor, *_place(session, actor, project_id, gig_id))


def forget(session: Session, actor: Actor, project: Project, gig: Gig | None) -> None:
    """It was saved. Needs a running transaction."""
    session.execute(
        sa.delete(Autosave).where(
            Autosave.person_id == actor.person_id,
            Autosave.project_id == project.id,
            Autosave.gig_id.is_not_distinct_from(gig.id if gig else None),
        )
    )


def find_kept(session: Session, actor: Actor, project: Project, gig: Gig | None) -> Autosave | None:
    """What this person typed here and did not save."""
    return session.scalars(_of(actor, project, gig)).one_or_none()


def by_others(session: Session, actor: Actor, gig: Gig) -> Sequence[Autosave]:
    """Who else of the client has unsaved words in this gig's form, of the last hours, with their person."""
    query = (
        sa.select(Autosave)
        .where(Autosave.gig_id == gig.id, Autosave.person_id != actor.id)
        .where(Autosave.saved_at > clock.now() - AT_WORK)
        .options(joinedload(Autosave.person))
        .order_by(Autosave.saved_at.desc())
    )
    return session.scalars(query).all()


@use_case
def forget_old(session: Session) -> None:
    """Forget what nobody came back to."""
    session.execute(sa.delete(Autosave).where(Autosave.saved_at < clock.now() - KEPT_FOR))


def _place(
    session: Session, actor: Actor, project_id: uuid.UUID, gig_id: uuid.UUID | None
) -> tuple[Project, Gig | None]:
    gig = find.gig(session, actor, gig_id) if gig_id else None
    project = gig.project if gig else find.project(session, actor, project_id)
    actor.require(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    if project.state is ProjectState.CLOSED or (gig and gig.state is GigState.CLOSED):
        raise Refused(_("This is closed by now, so nothing is kept here any more."))
    return project, gig


def _of(actor: Actor, project: Project, gig: Gig | None) -> sa.Select[Autosave]:
    return sa.select(Autosave).filter_by(
        person_id=actor.person_id, project_id=project.id, gig_id=gig.id if gig else None
    )


def _begun(session: Session, actor: Actor, project: Project, gig: Gig | None) -> Autosave | None:
    """The row, unless another tab began one at this very moment."""
    values: dict[str, Any] = {
        "person_id": actor.person_id,
        "project_id": project.id,
        "gig_id": gig.id if gig else None,
        "fields": [],
        "version": 1,
        "saved_at": clock.now(),
    }
    made = insert(Autosave).values(values).on_conflict_do_nothing().returning(Autosave)
    found = session.scalars(made).one_or_none()
    if found is not None:
        found.version = 0
    return found


def _write(kept: Autosave, fields: Fields) -> None:
    kept.fields = [list(each) for each in fields]
    kept.version, kept.saved_at = kept.version + 1, clock.now()


def _check_size(fields: Fields) -> None:
    if len(fields) > MOST_FIELDS or sum(len(name) + len(value) for name, value in fields) > LARGEST:
        raise Invalid(_("This is too long to be kept as you type. Shorten it, or save it now."))


def _elsewhere(kept: Autosave | None) -> str:
    if kept is None:
        return _("It was saved or dropped in another window. Open the form again to go on from there.")
    return _(
        "You typed into this form in another window, last at %(time)s. Go on there, or open it again here.",
        time=time_of_day(kept.saved_at),
    )
