"""Reading disputes, within what a person may see."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts import find
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.settling import part_of
from marketplace.contracts.models import Contract, Timesheet
from marketplace.contracts.states import DisputeState


def dispute(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> TimeDispute:
    """The dispute, if `actor` may see it; locked together with its contract. Raises NotFound."""
    return find.on_contract(session, actor, TimeDispute, public_id, lock=lock)


def of_sheet(session: Session, sheet: Timesheet) -> dict[int, TimeDispute]:
    """The disputes about a week's lines, by the internal ids of their entries."""
    query = sa.select(TimeDispute).filter_by(timesheet_id=sheet.id)
    return {each.time_entry_id: each for each in session.scalars(query)}


WITH_LINE = (joinedload(TimeDispute.contract), joinedload(TimeDispute.entry))


def of_sheets(session: Session, sheets: Sequence[Timesheet]) -> dict[int, list[TimeDispute]]:
    """The disputes about lines of these weeks, by the internal ids of the weeks."""
    query = sa.select(TimeDispute).where(TimeDispute.timesheet_id.in_([sheet.id for sheet in sheets]))
    found: dict[int, list[TimeDispute]] = {}
    for each in session.scalars(query.options(*WITH_LINE).order_by(TimeDispute.id)):
        found.setdefault(each.timesheet_id, []).append(each)
    return found


def apart_from(session: Session, actor: Actor, currency: str) -> int:
    """Pay, in minor units of `currency`, that this expert entered and that waits apart."""
    mine = (Contract.person_id == actor.id, Contract.currency == currency)
    query = sa.select(TimeDispute).join(TimeDispute.contract).where(*mine)
    waiting = session.scalars(query.where(TimeDispute.state != DisputeState.SETTLED))
    return sum(each.expert_amount - part_of(each, each.awarded_minutes or 0).pay for each in waiting)


def disputes_for(actor: Actor) -> sa.Select[TimeDispute]:
    """All that this person may see."""
    return (
        sa.select(TimeDispute)
        .where(TimeDispute.visible_to(actor))
        .options(
            joinedload(TimeDispute.contract).joinedload(Contract.gig),
            joinedload(TimeDispute.contract).joinedload(Contract.person),
            joinedload(TimeDispute.contract).joinedload(Contract.organization),
            joinedload(TimeDispute.entry),
            joinedload(TimeDispute.timesheet),
        )
    )


def waiting_for(actor: Actor) -> sa.Select[TimeDispute]:
    """Those in which it is this person's turn."""
    turns = [sa.and_(TimeDispute.state == DisputeState.ASKED, Contract.person_id == actor.person_id)]
    ours = Contract.organization_id.in_(actor.organizations(*CLIENT))
    turns.append(sa.and_(TimeDispute.state == DisputeState.ANSWERED, ours))
    if actor.has(Role.OPERATOR):
        neither = sa.and_(~ours, Contract.person_id != actor.person_id)
        turns.append(sa.and_(TimeDispute.state == DisputeState.RULING, neither))
    return disputes_for(actor).join(TimeDispute.contract).where(sa.or_(*turns))
