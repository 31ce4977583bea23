"""Reading gigs, experts and applications for pages, within what a person may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock, ledger
from marketplace.actor import CLIENT, Actor
from marketplace.credentials import types
from marketplace.credentials.gate import checks_of
from marketplace.gigs import fit, words
from marketplace.gigs.models import Application, ExpertProfile, Gig, Invitation, Project
from marketplace.gigs.states import ApplicationState, GigState, InvitationState
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.matching import ranking
from marketplace.matching.words import Explained, Voice
from marketplace.money import Money


@dataclass(frozen=True)
class Funds:
    """Where a project's money is."""

    free: Money
    reserved: Money


def explained_for(session: Session, gig: Gig, person_id: int) -> Explained | None:
    """The reader's own match in words; None before there is a profile, or for a draft."""
    match = ranking.match_of(session, gig.id, person_id)
    return fit.explained(fit.kept(match), Voice.EXPERT) if match else None


def own_application(session: Session, gig: Gig, person_id: int) -> Application | None:
    """The reader's newest application for a gig."""
    query = sa.select(Application).filter_by(gig_id=gig.id, person_id=person_id)
    return session.scalars(query.order_by(Application.id.desc()).limit(1)).first()


def own_applications(session: Session, actor: Actor) -> sa.Select[Application]:
    """All of the reader's applications."""
    return (
        sa.select(Application)
        .where(Application.person_id == actor.id)
        .options(joinedload(Application.gig).joinedload(Gig.project).joinedload(Project.organization))
    )


def invitations(session: Session, actor: Actor) -> Sequence[Invitation]:
    """Invitations that the reader has not answered, for gigs that still take applications."""
    query = (
        sa.select(Invitation)
        .join(Invitation.gig)
        .where(Invitation.person_id == actor.id, Invitation.state == InvitationState.INVITED)
        .where(Gig.state == GigState.PUBLISHED)
        .options(joinedload(Invitation.gig).joinedload(Gig.project).joinedload(Project.organization))
        .order_by(Invitation.id.desc())
    )
    return session.scalars(query).all()


def projects(actor: Actor) -> sa.Select[Project]:
    """The projects of the reader's own organizations."""
    mine = actor.organizations(*CLIENT)
    return (
        sa.select(Project).where(Project.organization_id.in_(mine)).options(joinedload(Project.organization))
    )


def gigs_of(session: Session, project: Project) -> Sequence[Gig]:
    """A project's gigs, newest first."""
    return session.scalars(sa.select(Gig).filter_by(project_id=project.id).order_by(Gig.id.desc())).all()


def counts(session: Session, gig_ids: Sequence[int]) -> dict[int, dict[ApplicationState, int]]:
    """How many applications each gig has in each state."""
    rows = session.execute(
        sa.select(Application.gig_id, Application.state, sa.func.count())
        .where(Application.gig_id.in_(gig_ids))
        .group_by(Application.gig_id, Application.state)
    )
    found: dict[int, dict[ApplicationState, int]] = {gig_id: {} for gig_id in gig_ids}
    for gig_id, state, count in rows:
        found[gig_id][state] = count
    return found


def funds(session: Session, project: Project) -> Funds:
    """What the ledger says."""
    free, reserved = chart.project_funds(project.public_id), chart.project_reserved(project.public_id)
    kept = ledger.balances(session, [free, reserved], project.currency)
    return Funds(Money(-kept[free.key], project.currency), Money(-kept[reserved.key], project.currency))


def applications_for(gig: Gig, *, waiting: bool) -> sa.Select[Application]:
    """A gig's applications: those that wait for the client, or those that do not any more."""
    here = Application.state.in_((ApplicationState.APPLIED, ApplicationState.SHORTLISTED))
    query = sa.select(Application).where(Application.gig_id == gig.id, here if waiting else ~here)
    return query.options(joinedload(Application.person))


def profiles_of(session: Session, person_ids: Sequence[int]) -> dict[int, ExpertProfile]:
    """Profiles by person."""
    query = sa.select(ExpertProfile).where(ExpertProfile.person_id.in_(person_ids))
    query = query.options(joinedload(ExpertProfile.person))
    return {each.person_id: each for each in session.scalars(query)}


def credentials_of(session: Session, person_ids: Sequence[int]) -> dict[int, list[str]]:
    """What of each person is verified now, in words: `US medical licence, Texas: seen at the source`."""
    now = clock.now()
    return {
        person_id: [
            _(
                "%(title)s: %(level)s",
                title=types.title(check.credential.type, check.credential.jurisdiction),
                level=words.level(check.attestation.level),
            )
            for check in checks
            if check.covers(now)
        ]
        for person_id, checks in checks_of(session, person_ids).items()
    }
