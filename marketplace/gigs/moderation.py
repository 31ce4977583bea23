"""Operators look at published gigs, and take one down with a statement of reasons.

A gig that is taken down is seen by its client and by those who hold an offer or a contract, and by nobody
else; contracts go on. The database refuses the state where no statement stands. An upheld appeal puts it
back, paused, so that the client decides when it is found again.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import audit, clock
from marketplace.accounts.models import Person
from marketplace.actor import Actor, Role
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs import find, projection
from marketplace.gigs.members import people_with, tell, tell_client
from marketplace.gigs.models import Application, Gig, Project
from marketplace.gigs.states import GIG_MOVES, ApplicationState, GigState, move
from marketplace.i18n import gettext as _
from marketplace.reasons.models import Decision, Statement
from marketplace.reasons.statements import state as state_reasons
from marketplace.text import line

SUBJECT = "gig"
SHOWN = (GigState.PUBLISHED, GigState.PAUSED, GigState.REMOVED)
WAITING = (ApplicationState.APPLIED, ApplicationState.SHORTLISTED, ApplicationState.OFFERED)


@dataclass(frozen=True)
class Reasons:
    """Why a gig is taken down: a code of the list, what was seen in one's own words, and where."""

    code: str
    explanation: str
    evidence: str


def gigs(actor: Actor, words: str, state: GigState) -> sa.Select[Gig]:
    """The gigs in this state whose title or text has these words, for an operator."""
    actor.require(Role.OPERATOR)
    query = (
        sa.select(Gig)
        .where(Gig.state == state)
        .options(joinedload(Gig.project).joinedload(Project.organization))
    )
    for word in line(words).split():
        query = query.where(
            Gig.title.icontains(word, autoescape=True) | Gig.description.icontains(word, autoescape=True)
        )
    return query


def addressee(session: Session, gig: Gig) -> int:
    """Who answers for the gig (internal id): who began its project while they administer the client, else
    the administrator of longest standing. Raises Refused when there is nobody."""
    project = gig.project
    administrators = people_with(session, project.organization_id, Role.CLIENT_ADMIN)
    if project.created_by in administrators:
        return project.created_by
    answering = min(administrators, default=project.created_by)
    if answering is None:
        raise Refused(_("Nobody answers for this client yet. Invite its first administrator, then decide."))
    return answering


def statement_of(session: Session, gig: Gig) -> Statement | None:
    """The statement by which the gig is taken down, with whom it is addressed to; for its client."""
    if gig.state is not GigState.REMOVED:
        return None
    query = sa.select(Statement).filter_by(subject_kind=SUBJECT, subject_id=gig.public_id)
    newest = query.order_by(Statement.id.desc()).limit(1).options(joinedload(Statement.person))
    return session.scalars(newest).first()


@use_case
def take_down(session: Session, actor: Actor, gig_public_id: uuid.UUID, reasons: Reasons) -> Statement:
    """Take a gig off the site, with reasons that its client can appeal. Operators.

    Raises Refused when it is neither published nor paused, or when the operator would decide about
    themselves; Invalid for reasons that say nothing.
    """
    actor.require(Role.OPERATOR)
    gig = find.gig(session, actor, gig_public_id, lock=True)
    if GigState.REMOVED not in GIG_MOVES[gig.state]:
        raise Refused(
            _("Only a gig that is published or paused can be taken down. This one is not any more.")
        )
    person_id = addressee(session, gig)
    statement = state_reasons(
        session,
        actor,
        person_id=person_id,
        subject_kind=SUBJECT,
        subject_id=gig.public_id,
        decision=Decision.REMOVED,
        reason_code=reasons.code,
        explanation=reasons.explanation,
        evidence={_("Gig"): f"/gigs/{gig.public_id}", _("What was seen"): line(reasons.evidence)},
    )
    move(gig, GigState.REMOVED, GIG_MOVES)
    gig.left_at = gig.left_at or clock.now()
    session.flush()
    audit.record(session, actor, "gig.removed", "gig", gig.public_id, statement=statement.public_id)
    projection.push_gig(session, gig)
    _tell(session, gig, person_id)
    return statement


def put_back(session: Session, actor: Actor, gig_public_id: uuid.UUID) -> None:
    """An appeal was upheld: the gig is the client's again, paused. One that moved on stays as it is."""
    gig = session.scalars(
        sa.select(Gig).filter_by(public_id=gig_public_id).with_for_update(key_share=True)
    ).one()
    if gig.state is not GigState.REMOVED:
        return
    # No move of the table leads here: nobody but who upholds the appeal brings it back.
    gig.state = GigState.PAUSED
    session.flush()
    audit.record(session, actor, "gig.put_back", "gig", gig.public_id)
    projection.push_gig(session, gig)
    tell_client(
        session,
        gig.project.organization_id,
        "gig.put_back",
        f"/gigs/{gig.public_id}/overview",
        lambda: (
            _("%(gig)s is yours again", gig=gig.title),
            _("The appeal was upheld. The gig is paused; publish it again when you like."),
        ),
    )


def _tell(session: Session, gig: Gig, addressee_id: int) -> None:
    """The other administrators, and the experts who wait for an answer; the addressee has the statement."""
    name = session.get_one(Person, addressee_id).full_name
    for person_id in people_with(session, gig.project.organization_id, Role.CLIENT_ADMIN):
        if person_id != addressee_id:
            path = f"/gigs/{gig.public_id}/overview"
            tell(session, person_id, "gig.removed", path, lambda: _to_client(gig, name))
    waiting = sa.select(Application.person_id).where(
        Application.gig_id == gig.id, Application.state.in_(WAITING)
    )
    for person_id in session.scalars(waiting.distinct()).all():
        tell(session, person_id, "gig.removed", "/applications", lambda: _to_expert(gig))


def _to_client(gig: Gig, name: str) -> tuple[str, str]:
    return (
        _("%(gig)s was taken down", gig=gig.title),
        _("%(name)s has the statement of reasons and can appeal. Contracts go on.", name=name),
    )


def _to_expert(gig: Gig) -> tuple[str, str]:
    return (
        _("%(gig)s is not open any more", gig=gig.title),
        _("An operator took the gig down. It has nothing to do with you. Your application waits, should it "
          "come back."),
    )  # fmt: skip
