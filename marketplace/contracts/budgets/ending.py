"""The end of a project: its gigs close, its contracts end, and what is left is free to go back to its client.

What was worked stays payable, and can be entered for two days more. Money behind weeks that have begun and
questioned lines follows as they are settled.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.contracts import ending, find, offers, queries
from marketplace.contracts.budgets import caps
from marketplace.contracts.budgets.models import ProjectEnding
from marketplace.contracts.models import Contract, Offer, Reservation, Timesheet
from marketplace.contracts.states import ContractState, OfferState, ReservationState, TimesheetState
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs import find as find_gig
from marketplace.gigs import projection
from marketplace.gigs.models import Gig, Invitation, Project
from marketplace.gigs.publishing import close_gig
from marketplace.gigs.states import PROJECT_MOVES, GigState, InvitationState, ProjectState
from marketplace.gigs.states import move as move_project
from marketplace.i18n import gettext as _
from marketplace.money import Money

NOT_PAID_YET = (TimesheetState.OPEN, TimesheetState.SUBMITTED, TimesheetState.RETURNED)


@dataclass(frozen=True)
class Outlook:
    """What follows when a project ends now. `freed` comes back at once; `worked` stands behind weeks that
    have begun, whose hours stay payable; `questioned` waits for what is said about lines."""

    gigs: Sequence[Gig]
    contracts: Sequence[Contract]
    sheets: Sequence[Timesheet]
    offers: int
    invitations: int
    tests: int
    free: Money
    freed: Money
    worked: Money
    questioned: Money


def outlook(session: Session, project: Project) -> Outlook:
    """What would follow, read now; the end itself looks again."""
    burn = queries.burn_down(session, project)
    freed = Money(sum(each.amount for each in _ahead(session, project)), project.currency)
    return Outlook(
        gigs=_gigs(session, project),
        contracts=_contracts(session, project),
        sheets=unpaid(session, project),
        offers=len(_offers(session, project)),
        invitations=_invited(session, project),
        tests=_running_tests(session, project),
        free=burn.free,
        freed=freed,
        worked=burn.reserved - freed,
        questioned=burn.disputed,
    )


@use_case
def end_project(
    session: Session, actor: Actor, project_public_id: uuid.UUID, reason_code: str, explanation: str
) -> ProjectEnding:
    """Close the gigs, take back open offers, end the contracts, each with this reason as a statement that its
    expert can appeal, and reserve nothing more. Tests that were begun go on, and are paid.

    All of it or nothing. Raises NotFound, NotAllowed, Refused when it has ended, Invalid without a reason
    while contracts run.
    """
    project = find_gig.project(session, actor, project_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=project.organization_id)
    if project.state is ProjectState.CLOSED:
        raise Refused(_("This project has ended already."))
    # Everything is held before anything is changed, in the order in which offers are signed.
    made = _held_offers(session, project)
    gigs = [find_gig.hold(session, gig.id) for gig in _gigs(session, project)]
    contracts = [find.hold(session, each.id) for each in _contracts(session, project)]
    caps.hold(session, project)
    for offer in made:
        offers.withdraw_offer(session, actor, offer.public_id)
    for contract in contracts:
        ending.end_contract(session, actor, contract.public_id, reason_code, explanation)
    for gig in gigs:
        close_gig(session, actor, gig.public_id)
    move_project(project, ProjectState.CLOSED, PROJECT_MOVES)
    ended = ProjectEnding(
        project_id=project.id, ended_by=actor.id, ended_at=clock.now(), contracts=len(contracts)
    )
    session.add(ended)
    session.flush()
    audit.record(
        session, actor, "project.ended", "project", project.public_id,
        gigs=len(gigs), contracts=len(contracts), offers=len(made),
    )  # fmt: skip
    projection.push_project(session, project.id)
    return ended


def ended(session: Session, project: Project) -> ProjectEnding | None:
    """When and by whom it was ended; None while it goes on."""
    return session.get(ProjectEnding, project.id)


def is_settled(session: Session, project: Project) -> bool:
    """Does nothing wait any more: no contract or test runs, no week is unpaid, and no money is set aside?"""
    running = sa.select(Contract.id).filter_by(project_id=project.id, state=ContractState.ACTIVE)
    held = (
        sa.select(Reservation.id)
        .join(Reservation.contract)
        .where(Contract.project_id == project.id, Reservation.state == ReservationState.HELD)
    )
    if session.scalar(sa.select(running.exists() | held.exists())) or unpaid(session, project):
        return False
    burn = queries.burn_down(session, project)
    return not burn.reserved and not burn.disputed


def unpaid(session: Session, project: Project) -> Sequence[Timesheet]:
    """Weeks in which something was worked and that nobody has approved yet, the oldest first."""
    query = (
        sa.select(Timesheet)
        .join(Timesheet.contract)
        .where(Contract.project_id == project.id, Timesheet.state.in_(NOT_PAID_YET), Timesheet.worked())
    )
    return session.scalars(query.order_by(Timesheet.week_start_at, Timesheet.id)).all()


def _gigs(session: Session, project: Project) -> Sequence[Gig]:
    query = sa.select(Gig).where(Gig.project_id == project.id, Gig.state != GigState.CLOSED)
    return session.scalars(query.order_by(Gig.id)).all()


def _contracts(session: Session, project: Project) -> Sequence[Contract]:
    running = sa.select(Contract).filter_by(project_id=project.id, state=ContractState.ACTIVE, test_id=None)
    return session.scalars(running.order_by(Contract.id)).all()


def _offers(session: Session, project: Project) -> Sequence[Offer]:
    query = sa.select(Offer).filter_by(project_id=project.id, state=OfferState.MADE)
    return session.scalars(query.order_by(Offer.id)).all()


def _held_offers(session: Session, project: Project) -> Sequence[Offer]:
    query = sa.select(Offer).filter_by(project_id=project.id, state=OfferState.MADE).order_by(Offer.id)
    query = query.with_for_update(of=Offer, key_share=True).execution_options(populate_existing=True)
    return session.scalars(query).all()


def _invited(session: Session, project: Project) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(Invitation)
        .join(Invitation.gig)
        .where(Gig.project_id == project.id, Invitation.state == InvitationState.INVITED)
    )
    return session.scalar(query) or 0


def _running_tests(session: Session, project: Project) -> int:
    query = sa.select(sa.func.count()).where(
        Contract.project_id == project.id,
        Contract.state == ContractState.ACTIVE,
        Contract.test_id.is_not(None),
    )
    return session.scalar(query) or 0


def _ahead(session: Session, project: Project) -> list[Reservation]:
    """What ending its contracts gives back at once."""
    return [each for contract in _contracts(session, project) for each in ending.ahead(session, contract)]
