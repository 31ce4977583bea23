"""What becomes of a proposed rate, and how an agreed one begins."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import SITE, Actor
from marketplace.contracts import reservations
from marketplace.contracts.models import Contract, ContractRate
from marketplace.contracts.rates.models import RateProposal
from marketplace.contracts.states import OFFER_MOVES, OfferState, move
from marketplace.gigs import projection
from marketplace.gigs.members import tell, tell_client
from marketplace.i18n import gettext as _


def decide(session: Session, actor: Actor, proposal: RateProposal, to: OfferState) -> None:
    """Move a proposal out of waiting. Needs its row locked."""
    move(proposal, to, OFFER_MOVES)
    proposal.decided_at = clock.now()
    session.flush()
    audit.record(session, actor, f"rate.{to}", "rate_proposal", proposal.public_id)


def agree(session: Session, actor: Actor, proposal: RateProposal) -> None:
    """Let the rate begin on its day, with money behind it. Needs the contract's lock, and the decision.

    Raises Refused, with what is missing, when weeks that are held cannot be topped up.
    """
    contract = proposal.contract
    added = reservations.top_up(session, actor, contract, proposal.rate, proposal.from_at)
    contract.rates.append(ContractRate(rate=proposal.rate, from_at=proposal.from_at, agreed_at=clock.now()))
    session.flush()
    audit.record(
        session, actor, "rate.agreed", "contract", contract.public_id,
        rate=proposal.rate, before=proposal.rate_before, from_at=proposal.from_at.isoformat(),
    )  # fmt: skip
    if added:
        projection.push_project(session, contract.project_id)


def expire(session: Session, proposal: RateProposal) -> None:
    """Close a proposal that was not answered in time, and tell both sides that the rate stays."""
    decide(session, SITE, proposal, OfferState.EXPIRED)
    contract, path = proposal.contract, f"/rates/{proposal.public_id}"

    def say() -> tuple[str, str]:
        return (
            _("A lower rate was not accepted in time"),
            _("%(gig)s. The rate stays %(rate)s an hour.", gig=contract.gig.title, rate=proposal.before),
        )

    tell(session, contract.person_id, "rate.expired", path, say)
    tell_client(session, contract.organization_id, "rate.expired", path, say)


def close_overdue(session: Session, contract: Contract) -> None:
    """Close what nobody answered in time, before the job does. Needs the contract's lock."""
    open_one = _open(session, contract)
    if open_one is not None and open_one.expires_at <= clock.now():
        expire(session, open_one)


def close_at_end(session: Session, contract: Contract) -> None:
    """The contract is over, and with it what was proposed for later hours. Needs its lock."""
    open_one = _open(session, contract)
    if open_one is not None:
        decide(session, SITE, open_one, OfferState.WITHDRAWN)


def _open(session: Session, contract: Contract) -> RateProposal | None:
    query = sa.select(RateProposal).filter_by(contract_id=contract.id, state=OfferState.MADE)
    return session.scalars(query.with_for_update()).one_or_none()
