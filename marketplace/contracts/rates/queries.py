"""Reading rates and proposals for pages, within what a person may see."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts import find
from marketplace.contracts.models import Contract
from marketplace.contracts.rates.difference import Difference
from marketplace.contracts.rates.models import RateProposal
from marketplace.contracts.states import OfferState
from marketplace.gigs.models import ExpertProfile
from marketplace.money import Money


@dataclass(frozen=True)
class Agreed:
    """A rate of a contract, from its first day on; `proposal` is where it was agreed, None for the contract
    itself."""

    rate: Money
    from_on: date
    agreed_at: datetime
    proposal: RateProposal | None
    is_present: bool
    is_to_come: bool


@dataclass(frozen=True)
class History:
    """The rates of a contract, the newest first, what waits for an answer, and what changed nothing."""

    rates: Sequence[Agreed]
    waiting: RateProposal | None
    without_effect: Sequence[RateProposal]


def proposal(session: Session, actor: Actor, public_id: uuid.UUID, *, lock: bool = False) -> RateProposal:
    """The proposal, if `actor` may see it; locked together with its contract. Raises NotFound."""
    return find.on_contract(session, actor, RateProposal, public_id, lock=lock)


def waiting(session: Session, contract: Contract) -> RateProposal | None:
    """The one proposal of a contract that is still to be answered, by the clock."""
    query = sa.select(RateProposal).filter_by(contract_id=contract.id, state=OfferState.MADE)
    return session.scalars(query.where(RateProposal.expires_at > clock.now())).one_or_none()


def waiting_on(session: Session, contract_ids: Iterable[int]) -> dict[int, RateProposal]:
    """The lower rate that waits on each of these contracts (internal id) that has one, by the clock."""
    query = sa.select(RateProposal).where(RateProposal.contract_id.in_(list(contract_ids)))
    waits = (RateProposal.state == OfferState.MADE, RateProposal.expires_at > clock.now())
    return {each.contract_id: each for each in session.scalars(query.where(*waits))}


def waiting_for(actor: Actor) -> sa.Select[RateProposal]:
    """The lower rates that wait for this expert's answer, by the clock."""
    query = sa.select(RateProposal).join(RateProposal.contract).where(Contract.person_id == actor.id)
    return query.where(RateProposal.state == OfferState.MADE, RateProposal.expires_at > clock.now())


def history(session: Session, contract: Contract) -> History:
    """What was ever agreed on a contract, and what was proposed, the newest first."""
    query = sa.select(RateProposal).filter_by(contract_id=contract.id)
    made = session.scalars(query.order_by(RateProposal.id.desc())).all()
    agreed = {each.from_at: each for each in made if each.state is OfferState.ACCEPTED}
    present = max((each.from_at for each in contract.rates if each.from_at <= clock.now()), default=None)
    rows = [
        Agreed(
            Money(each.rate, contract.currency),
            each.from_at.astimezone(contract.zone).date(),
            each.agreed_at,
            agreed.get(each.from_at),
            is_present=each.from_at == present,
            is_to_come=each.from_at > clock.now(),
        )
        for each in reversed(contract.rates)
    ]
    return History(
        rows,
        next((each for each in made if stands(each) is OfferState.MADE), None),
        [each for each in made if stands(each) not in (OfferState.MADE, OfferState.ACCEPTED)],
    )


def stands(proposal: RateProposal) -> OfferState:
    """Its state by the clock: nobody waits for a job to say that its time is over."""
    over = proposal.state is OfferState.MADE and proposal.expires_at <= clock.now()
    return OfferState.EXPIRED if over else proposal.state


def difference(proposal: RateProposal) -> Difference:
    """What it changes."""
    return Difference(proposal.before, proposal.after, proposal.contract.hours_per_week)


def below_least(session: Session, contract: Contract, rate: int) -> Money | None:
    """The least an hour that the expert's profile says, when `rate` (minor units) is below it."""
    profile = session.get(ExpertProfile, contract.person_id)
    if profile is None or profile.currency != contract.currency or rate >= profile.min_rate:
        return None
    return profile.asked
