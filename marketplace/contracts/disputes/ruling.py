"""A ruling by an operator who is neither side."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts.disputes import queries, settling
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import take_turn
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

    Raises NotAllowed for either side, Refused when nobody asked for a ruling, Invalid for minutes that cannot
    be, or a reason that is missing.
    """
    dispute = queries.dispute(session, actor, dispute_public_id, lock=True)
    require_neither_side(actor, dispute)
    if dispute.state is not DisputeState.RULING:
        raise Refused(_("This line does not wait for a ruling any more. Nothing was changed."))
    if not 0 <= minutes <= dispute.minutes:
        raise Invalid(_("Award between none and all of the minutes that were entered."), field="minutes")
    take_turn(session, actor, dispute, TurnAct.RULED, explanation, minutes)
    if minutes == dispute.minutes:
        settling.settle(session, actor, dispute, minutes, SettledBy.RULING)
        return dispute
    statement = _state(session, actor, dispute, reason_code, explanation)
    settling.award(session, actor, dispute, minutes, statement.appeal_until)
    return dispute


def require_neither_side(actor: Actor, dispute: TimeDispute) -> None:
    """Raise NotAllowed unless `actor` is an operator who neither worked nor works for the client."""
    actor.require(Role.OPERATOR)
    if not is_neither_side(actor, dispute):
        raise NotAllowed(_("Somebody who is neither side has to rule on this."))


def is_neither_side(actor: Actor, dispute: TimeDispute) -> bool:
    """Does this person neither own the time nor belong to the client?"""
    contract = dispute.contract
    return actor.person_id not in (contract.person_id, dispute.opened_by) and not actor.has(
        *CLIENT, organization_id=contract.organization_id
    )


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
