"""Reading adjustments for pages, within what a person may see."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts import charges, find
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Contract
from marketplace.contracts.states import OfferState


def adjustment(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> Adjustment:
    """The adjustment, if `actor` may see it; locked together with its contract. Raises NotFound."""
    return find.on_contract(session, actor, Adjustment, public_id, lock=lock)


def stands(adjustment: Adjustment) -> OfferState:
    """Its state by the clock: nobody waits for a job to say that its time is over."""
    ends = adjustment.expires_at
    over = adjustment.state is OfferState.MADE and ends is not None and ends <= clock.now()
    return OfferState.EXPIRED if over else adjustment.state


def of_contract(session: Session, contract: Contract) -> Sequence[Adjustment]:
    """All of a contract, the newest first."""
    query = sa.select(Adjustment).filter_by(contract_id=contract.id)
    return session.scalars(query.options(*_WHOLE).order_by(Adjustment.id.desc())).all()


def with_ids(session: Session, ids: Iterable[int]) -> Sequence[Adjustment]:
    """Those with these internal ids, the oldest first: what a payout item pays besides hours."""
    query = sa.select(Adjustment).where(Adjustment.id.in_(list(ids)))
    return session.scalars(query.options(*_WHOLE).order_by(Adjustment.id)).all()


def with_public_ids(session: Session, ids: Iterable[uuid.UUID]) -> Sequence[Adjustment]:
    """Those with these public ids, for entries that are the records of them."""
    query = sa.select(Adjustment).where(Adjustment.public_id.in_(list(ids)))
    return session.scalars(query.options(*_WHOLE)).all()


def waiting_on(session: Session, contract_ids: Iterable[int]) -> dict[int, Adjustment]:
    """The request for less pay that waits on each of these contracts (internal id), by the clock."""
    query = sa.select(Adjustment).where(Adjustment.contract_id.in_(list(contract_ids)))
    waits = (Adjustment.state == OfferState.MADE, Adjustment.amount < 0, Adjustment.expires_at > clock.now())
    return {each.contract_id: each for each in session.scalars(query.where(*waits))}


def waiting_for(actor: Actor) -> sa.Select[Adjustment]:
    """The requests for less pay that wait for this expert's answer, by the clock."""
    query = sa.select(Adjustment).join(Adjustment.contract).where(Contract.person_id == actor.id)
    waits = (Adjustment.state == OfferState.MADE, Adjustment.amount < 0, Adjustment.expires_at > clock.now())
    return query.where(*waits)


def granted_to(actor: Actor) -> sa.Select[Adjustment]:
    """What was given to an expert, and the less that they agreed to."""
    return (
        sa.select(Adjustment)
        .join(Adjustment.contract)
        .where(Contract.person_id == actor.id, Adjustment.state == OfferState.ACCEPTED)
        .options(*_WHOLE)
    )


def _about(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, charges.About]:
    return {each.public_id: charges.About(each.contract.gig) for each in with_public_ids(session, ids)}


charges.register("adjustment", _about)
_WHOLE = (
    joinedload(Adjustment.timesheet),
    joinedload(Adjustment.contract).options(
        joinedload(Contract.gig), joinedload(Contract.organization), joinedload(Contract.project)
    ),
)
