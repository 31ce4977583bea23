"""A ruling by an operator who is neither side."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.accounts.models import RoleGrant
from marketplace.actor import Actor, Role
from marketplace.contracts.disputes import queries, settling
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import take_turn
from marketplace.contracts.limits import spell
from marketplace.contracts.states import DisputeState, SettledBy, TurnAct
from marketplace.db import use_case
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.i18n import gettext as _
from marketplace.reasons.models import Decision, Statement
from marketplace.reasons.statements import state as state_reasons

SUBJECT = "ruling"


@use_case
def rule(
    session: Session,
    actor: Actor,
    dispute_public_id: uuid.UUID,
    minutes: int,
    reason_code: str = "",
    explanation: str = "",
) -> TimeDispute:
    """Say for how many minutes of the line is paid. For less than all the expert is told why, and what was
    not awarded waits until the time to appeal has passed.

    Raises NotAllowed for either side, Refused when nobody asked for a ruling, Invalid for fewer minutes than
    the client offered or more than were entered, or a reason that is missing.
    """
    dispute = queries.dispute(session, actor, dispute_public_id, lock=True)
    require_neither_side(session, actor, dispute)
    if dispute.state is not DisputeState.RULING:
        raise Refused(_("This line does not wait for a ruling any more. Nothing was changed."))
    if not dispute.offered_minutes <= minutes <= dispute.minutes:
        raise Invalid(
            _(
                "Award at least the %(offered)s that the client would pay for anyway, and at most the "
                "%(entered)s that were entered.",
                offered=spell(dispute.offered_minutes),
                entered=spell(dispute.minutes),
            ),
            field="minutes",
        )
    take_turn(session, actor, dispute, TurnAct.RULED, explanation, minutes)
    if minutes == dispute.minutes:
        settling.settle(session, actor, dispute, minutes, SettledBy.RULING)
        return dispute
    statement = _state(session, actor, dispute, reason_code, explanation)
    settling.award(session, actor, dispute, minutes, statement.appeal_until)
    return dispute


def require_neither_side(session: Session, actor: Actor, dispute: TimeDispute) -> None:
    """Raise NotAllowed unless `actor` is an operator who neither worked nor ever belonged to the client."""
    actor.require(Role.OPERATOR)
    if not is_neither_side(session, actor, dispute):
        raise NotAllowed(_("Somebody who is neither side has to rule on this."))


def is_neither_side(session: Session, actor: Actor, dispute: TimeDispute) -> bool:
    """Does this person neither own the time nor belong to the client, now or at any time before?"""
    contract = dispute.contract
    belonged = sa.select(RoleGrant.id).filter_by(person_id=actor.id, organization_id=contract.organization_id)
    return actor.id not in (contract.person_id, dispute.opened_by) and (
        session.scalars(belonged.limit(1)).first() is None
    )


def is_side(session: Session, actor: Actor, subject_id: uuid.UUID) -> bool:
    """May this person not decide an appeal against the ruling (public id of the dispute)?"""
    dispute = session.scalars(sa.select(TimeDispute).filter_by(public_id=subject_id)).one()
    return not is_neither_side(session, actor, dispute)


def _state(
    session: Session, actor: Actor, dispute: TimeDispute, reason_code: str, explanation: str
) -> Statement:
    return state_reasons(
        session,
        actor,
        person_id=dispute.contract.person_id,
        subject_kind=SUBJECT,
        subject_id=dispute.public_id,
        decision=Decision.WITHHELD,
        reason_code=reason_code,
        explanation=explanation,
        evidence={"time_dispute": f"/disputes/{dispute.public_id}"},
    )
