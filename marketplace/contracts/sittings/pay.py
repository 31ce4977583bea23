"""What pays the time that grading takes: the grader's own contract with the client, like any other work."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts import limits
from marketplace.contracts.models import Contract
from marketplace.contracts.sittings.models import Sitting
from marketplace.contracts.states import ContractState
from marketplace.i18n import gettext as _
from marketplace.i18n import zoned


def working_for(organization_id: int) -> sa.Select[Contract]:
    """The contracts that people work on for a client (internal id), tests left out."""
    return sa.select(Contract).filter_by(
        organization_id=organization_id, state=ContractState.ACTIVE, test_id=None
    )


def contract_for(session: Session, actor: Actor, sitting: Sitting) -> Contract | None:
    """The contract on which the time to grade it is logged: the grader's latest with its client on which time
    can be entered now, else the latest. None for the client's own people, who are not paid here."""
    return _contracts(session, sitting.test.organization_id, [actor.id]).get(actor.id, (None, ""))[0]


def unpaid(session: Session, organization_id: int, people: Iterable[int]) -> dict[int, str]:
    """Who of these people (internal ids) works for the client and can enter no time now, and why."""
    return {
        person_id: _(
            "Grading would be part of the work on %(gig)s, where paid time cannot be entered now. %(why)s",
            gig=contract.gig.title,
            why=why,
        )
        for person_id, (contract, why) in _contracts(session, organization_id, people).items()
        if why
    }


def _contracts(
    session: Session, organization_id: int, people: Iterable[int]
) -> dict[int, tuple[Contract, str]]:
    """By person, the contract to log on, and what keeps time from being entered there; '' when nothing."""
    query = working_for(organization_id).where(Contract.person_id.in_(list(people)))
    contracts = session.scalars(query.options(joinedload(Contract.gig)).order_by(Contract.id)).all()
    gaps = limits.credential_gaps(session, contracts)
    told = [(each, _not_yet(each) or gaps.get(each.id, "")) for each in contracts]
    # Of each person the last one stays: the latest, after those on which no time can be entered.
    return {each.person_id: (each, why) for each, why in sorted(told, key=lambda pair: not pair[1])}


def _not_yet(contract: Contract) -> str:
    begins = limits.begins(contract)
    if clock.now() >= begins:
        return ""
    return _("This contract begins on %(when)s.", when=zoned(begins, contract.time_zone))
