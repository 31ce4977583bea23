"""Applying for a gig, and what the client makes of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import CLIENT, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.gigs import find, fit, projection
from marketplace.gigs.members import tell, tell_client
from marketplace.gigs.models import Application, Gig
from marketplace.gigs.qualification import graders
from marketplace.gigs.states import (
    APPLICATION_MOVES,
    INVITATION_MOVES,
    LIVE,
    ApplicationState,
    GigState,
    InvitationState,
    move,
)
from marketplace.i18n import gettext as _
from marketplace.reasons.models import Decision
from marketplace.reasons.statements import state as state_reasons
from marketplace.text import paragraph

# Told of each application that its expert takes back or the client declines, in the same transaction and with
# its row locked. Filled by the slice above, which may have offered something for it.
over: list[Callable[[Session, Actor, Application], None]] = []


@use_case
def apply(
    session: Session,
    actor: Actor,
    gig_public_id: uuid.UUID,
    note: str,
    answers: Mapping[str, str] = MappingProxyType({}),
) -> Application:
    """Apply for a published gig, with an answer to each of its questions; the match of this moment is kept
    with the application.

    A credential that waits for its reviewer does not stand in the way. Raises Invalid when a question has no
    answer; Refused with the reason, and the smallest change that would help, for everything else that a hard
    criterion refuses.
    """
    actor.require(Role.EXPERT)
    gig = find.gig(session, actor, gig_public_id, lock=True)
    _check_open(session, actor, gig)
    match = fit.match_of(session, gig, actor.id)
    fit.refuse_misfit(match)
    application = Application(
        gig=gig,
        person_id=actor.id,
        note=paragraph(note),
        answers=_answered(gig, answers),
        state=ApplicationState.APPLIED,
        score=match.score,
        explanation=fit.kept(match),
        applied_at=clock.now(),
    )
    session.add(application)
    _accept_invitation(session, actor, gig)
    session.flush()
    audit.record(session, actor, "application.made", "application", application.public_id, score=match.score)
    tell_client(
        session,
        gig.project.organization_id,
        "application.made",
        f"/gigs/{gig.public_id}/applications",
        lambda: (
            _("An expert applied for %(gig)s", gig=gig.title),
            _("Match %(score)s of 100. See what speaks for and against it, then answer.", score=match.score),
        ),
    )
    return application


@use_case
def withdraw_application(session: Session, actor: Actor, public_id: uuid.UUID) -> Application:
    """Take one's own application back, and with it the offer of a test that was not begun.

    Raises Refused once an offer is signed.
    """
    application = find.application(session, actor, public_id, lock=True)
    if application.person_id != actor.person_id:
        raise NotFound(_("There is no such page, or it is not yours to see."))
    if application.state is ApplicationState.OFFERED:
        raise Refused(_("There is an offer for this application. Answer the offer instead."))
    _moved(session, actor, application, ApplicationState.WITHDRAWN)
    _end(session, actor, application)
    return application


@use_case
def shortlist(session: Session, actor: Actor, public_id: uuid.UUID) -> Application:
    """Keep an application in mind; the expert is told."""
    application = _received(session, actor, public_id)
    _moved(session, actor, application, ApplicationState.SHORTLISTED)
    gig = application.gig
    tell(
        session,
        application.person_id,
        "application.shortlisted",
        f"/gigs/{gig.public_id}",
        lambda: (
            _("You are on the shortlist for %(gig)s", gig=gig.title),
            _("The client keeps your application in mind and may make you an offer."),
        ),
    )
    return application


@use_case
def decline_application(
    session: Session, actor: Actor, public_id: uuid.UUID, reason_code: str, explanation: str
) -> Application:
    """Say no, with a statement of reasons that the expert can appeal; the offer of a test that was not begun
    ends too. Raises Invalid for an unknown code."""
    application = _received(session, actor, public_id)
    _moved(session, actor, application, ApplicationState.DECLINED)
    _end(session, actor, application)
    state_reasons(
        session,
        actor,
        person_id=application.person_id,
        subject_kind="application",
        subject_id=application.public_id,
        decision=Decision.DECLINED,
        reason_code=reason_code,
        explanation=explanation,
        evidence={"application": f"/gigs/{application.gig.public_id}"},
    )
    return application


def mark_offered(session: Session, actor: Actor, application: Application) -> None:
    """An offer was made. Needs a running transaction that holds the application's row."""
    _moved(session, actor, application, ApplicationState.OFFERED)


def mark_open_again(session: Session, actor: Actor, application: Application) -> None:
    """The offer was taken back or ran out: the application waits as before."""
    _moved(session, actor, application, ApplicationState.SHORTLISTED)


def mark_refused(session: Session, actor: Actor, application: Application) -> None:
    """The expert refused the offer."""
    _moved(session, actor, application, ApplicationState.WITHDRAWN)


def mark_hired(session: Session, actor: Actor, application: Application) -> None:
    """A contract was signed. Call with the gig's row locked: raises Refused when no place is left."""
    require_seat(session, application.gig)
    _moved(session, actor, application, ApplicationState.HIRED)
    projection.push_gig(session, application.gig)


def mark_ended(session: Session, actor: Actor, application: Application) -> None:
    """The contract ended, so its place is free. Call with the gig's row locked."""
    _moved(session, actor, application, ApplicationState.ENDED)
    projection.push_gig(session, application.gig)


def reopen(session: Session, actor: Actor, public_id: uuid.UUID) -> None:
    """An appeal against declining it was upheld: the application waits for the client again."""
    application = session.scalars(
        sa.select(Application).filter_by(public_id=public_id).with_for_update(key_share=True)
    ).one()
    if application.state is not ApplicationState.DECLINED or _live(session, application):
        return
    application.state = ApplicationState.APPLIED
    audit.record(session, actor, "application.reopened", "application", public_id)


def require_seat(session: Session, gig: Gig) -> None:
    """Raise Refused when no place is left. Call with the gig's row locked."""
    if seats_left(session, gig) < 1:
        raise Refused(_("All places of this gig are filled. The client can add one and offer again."))


def seats_left(session: Session, gig: Gig) -> int:
    """How many more people the gig can take."""
    return projection.seats_left(session, gig)


def _received(session: Session, actor: Actor, public_id: uuid.UUID) -> Application:
    application = find.application(session, actor, public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=application.gig.project.organization_id)
    return application


def _check_open(session: Session, actor: Actor, gig: Gig) -> None:
    if gig.state is not GigState.PUBLISHED:
        raise Refused(_("This gig takes no applications at the moment."))
    if actor.has(*CLIENT, organization_id=gig.project.organization_id):
        raise Refused(_("You act for this client, so you cannot work for it here."))
    if why := graders.conflict(session, gig, actor.id):
        raise Refused(why)
    previous = session.scalars(
        sa.select(Application)
        .filter_by(gig_id=gig.id, person_id=actor.id)
        .order_by(Application.id.desc())
        .limit(1)
    ).first()
    if previous is not None and previous.state in LIVE:
        raise Refused(_("You have already applied for this gig."))
    if previous is not None and previous.state is ApplicationState.DECLINED:
        raise Refused(_("The client declined your application. The statement of reasons says why."))


def _answered(gig: Gig, answers: Mapping[str, str]) -> list[dict[str, str]]:
    """The questions as they are asked now, each with its answer."""
    said = [(each, paragraph(answers.get(each, ""))) for each in gig.questions]
    if not all(answer for _question, answer in said):
        raise Invalid(_("Answer each question; the client asked them of everybody."), field="answers")
    return [{"question": question, "answer": answer} for question, answer in said]


def _accept_invitation(session: Session, actor: Actor, gig: Gig) -> None:
    invitation = find.invitation(session, gig.id, actor.id, lock=True)
    if invitation is not None and invitation.state is not InvitationState.ACCEPTED:
        move(invitation, InvitationState.ACCEPTED, INVITATION_MOVES)


def _live(session: Session, application: Application) -> bool:
    query = sa.select(Application.id).where(
        Application.gig_id == application.gig_id,
        Application.person_id == application.person_id,
        Application.state.in_(LIVE),
    )
    return session.scalars(query).first() is not None


def _end(session: Session, actor: Actor, application: Application) -> None:
    for told in over:
        told(session, actor, application)


def _moved(session: Session, actor: Actor, application: Application, to: ApplicationState) -> Application:
    move(application, to, APPLICATION_MOVES)
    session.flush()
    audit.record(session, actor, f"application.{to}", "application", application.public_id)
    return application
