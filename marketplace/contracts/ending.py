"""Ending a contract. What was worked stays, is submitted and paid; what was reserved ahead goes back.

Hours of before the end can be entered for two days more, so a week that has begun keeps its money until then.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.contracts import find, limits, reservations, timer
from marketplace.contracts.consents import asking as consents
from marketplace.contracts.models import Contract, Reservation
from marketplace.contracts.rates import deciding
from marketplace.contracts.states import CONTRACT_MOVES, ContractState, ReservationState, move
from marketplace.contracts.weeks import to_minute
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs import applications
from marketplace.gigs import find as find_gig
from marketplace.gigs.members import tell_client
from marketplace.i18n import gettext as _
from marketplace.reasons.models import Decision
from marketplace.reasons.statements import state as state_reasons


@use_case
def end_contract(
    session: Session,
    actor: Actor,
    contract_public_id: uuid.UUID,
    reason_code: str | None = None,
    explanation: str = "",
) -> Contract:
    """End it now, by either side. A running timer is stopped; weeks to come give their money back.

    A client must give a reason, which becomes a statement that the expert can appeal. Raises Invalid
    without one.
    """
    gig = find.contract(session, actor, contract_public_id).gig
    find_gig.hold(session, gig.id)
    contract = find.contract(session, actor, contract_public_id, lock=True)
    if contract.test_id is not None:
        raise Refused(_("A test ends when it is handed in, or when its time is over."))
    by_expert = contract.person_id == actor.person_id
    if not by_expert:
        actor.require(Role.CLIENT_ADMIN, organization_id=contract.organization_id)
    timer.stop_at(session, actor, contract.id, clock.now())
    move(contract, ContractState.ENDED, CONTRACT_MOVES)
    contract.ended_at = to_minute(clock.now())
    session.flush()
    deciding.close_at_end(session, contract)
    consents.drop(session, contract)
    for reservation in ahead(session, contract):
        reservations.give_back(session, actor, reservation)
    applications.mark_ended(session, actor, contract.offer.application)
    audit.record(session, actor, "contract.ended", "contract", contract.public_id, by_expert=by_expert)
    if by_expert:
        _tell_client(session, contract)
    else:
        _state(session, actor, contract, reason_code, explanation)
    return contract


def ahead(session: Session, contract: Contract) -> list[Reservation]:
    """Held weeks of which no minute can have been worked yet."""
    held = session.scalars(
        sa.select(Reservation).filter_by(contract_id=contract.id, state=ReservationState.HELD)
    )
    begins, now = limits.begins(contract), to_minute(clock.now())
    return [each for each in held if max(each.week_start_at, begins) >= now]


def _state(
    session: Session, actor: Actor, contract: Contract, reason_code: str | None, explanation: str
) -> None:
    state_reasons(
        session,
        actor,
        person_id=contract.person_id,
        subject_kind="contract",
        subject_id=contract.public_id,
        decision=Decision.ENDED,
        reason_code=reason_code or "",
        explanation=explanation,
        evidence={"contract": f"/contracts/{contract.public_id}"},
    )


def _tell_client(session: Session, contract: Contract) -> None:
    tell_client(
        session,
        contract.organization_id,
        "contract.ended",
        f"/contracts/{contract.public_id}",
        lambda: (
            _("%(expert)s ended the contract", expert=contract.person.full_name),
            _(
                "%(gig)s. Its place is free, and what was reserved for later weeks is back.",
                gig=contract.gig.title,
            ),
        ),
    )
