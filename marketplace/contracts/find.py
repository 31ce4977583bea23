"""Finding contracts and what belongs to them, within what a person may see.

A contract's row is the lock for everything that happens on it: time, timesheets and reservations.
"""

from __future__ import annotations

import uuid
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.actor import Actor
from marketplace.contracts.models import Approval, Contract, Offer, TimeEntry, Timesheet
from marketplace.errors import NotAllowed
from marketplace.gigs.find import Visible, there, visible
from marketplace.i18n import gettext as _


class Hangs(Visible, Protocol):
    """Something of a contract."""

    contract_id: Any


H = TypeVar("H", bound=Hangs)


def offer(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> Offer:
    """The offer, if `actor` may see it. Raises NotFound."""
    return visible(session, actor, Offer, public_id, lock)


def contract(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> Contract:
    """The contract, if `actor` may see it. Raises NotFound."""
    return visible(session, actor, Contract, public_id, lock)


def timesheet(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> Timesheet:
    """The timesheet, if `actor` may see it; locked together with its contract. Raises NotFound."""
    return on_contract(session, actor, Timesheet, public_id, lock=lock)


def on_contract(
    session: Session, actor: Actor, kind: type[H], public_id: uuid.UUID, *, lock: bool = False
) -> H:
    """What hangs on a contract, if `actor` may see it; locked together with its contract. Raises NotFound."""
    found = visible(session, actor, kind, public_id)
    if lock:
        hold(session, found.contract_id)
        session.refresh(found, with_for_update={"of": kind})
    return found


def own_timesheet(session: Session, actor: Actor, public_id: uuid.UUID) -> Timesheet:
    """A week of one's own work. Raises NotFound, also for the other side."""
    query = sa.select(Timesheet).join(Timesheet.contract)
    mine = query.where(Timesheet.public_id == public_id, Contract.person_id == actor.id)
    return there(session.scalars(mine).one_or_none())


def approval(session: Session, actor: Actor, public_id: uuid.UUID) -> Approval:
    """The approval, if `actor` may see its week. Raises NotFound."""
    seen = sa.select(Timesheet.id).where(Timesheet.visible_to(actor))
    query = sa.select(Approval).where(Approval.public_id == public_id, Approval.timesheet_id.in_(seen))
    return there(session.scalars(query).one_or_none())


def own_contract(session: Session, actor: Actor, public_id: uuid.UUID) -> Contract:
    """The expert's own contract, locked. Raises NotFound, or NotAllowed for the other side."""
    found = contract(session, actor, public_id, lock=True)
    require_expert(actor, found)
    return found


def entry(session: Session, actor: Actor, public_id: uuid.UUID) -> TimeEntry:
    """One's own entry. Raises NotFound."""
    query = sa.select(TimeEntry).filter_by(public_id=public_id, person_id=actor.id)
    return there(session.scalars(query).one_or_none())


def own_entry(session: Session, actor: Actor, public_id: uuid.UUID) -> TimeEntry:
    """One's own entry, read anew with its contract locked. Raises NotFound."""
    found = entry(session, actor, public_id)
    hold(session, found.contract_id)
    session.refresh(found)
    return found


def hold(session: Session, contract_id: int) -> Contract:
    """Lock a contract until the transaction ends, and read it anew."""
    query = sa.select(Contract).where(Contract.id == contract_id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one()


def require_expert(actor: Actor, contract: Contract) -> None:
    """Raise NotAllowed unless `actor` is the expert of the contract."""
    if contract.person_id != actor.person_id:
        raise NotAllowed(_("Only the expert of this contract can do this."))


def timesheet_of_appeal(session: Session, public_id: uuid.UUID) -> Timesheet:
    """A timesheet for the site itself, locked together with its contract."""
    found = session.scalars(sa.select(Timesheet).filter_by(public_id=public_id)).one()
    hold(session, found.contract_id)
    session.refresh(found, with_for_update={"of": Timesheet})
    return found
