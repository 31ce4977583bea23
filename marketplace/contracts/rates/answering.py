"""Answering a lower rate. Only a signature changes anything: no answer is a no, and a no costs nothing."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.actor import Actor
from marketplace.contracts import find, signing
from marketplace.contracts.rates import deciding, queries
from marketplace.contracts.rates.models import RateProposal
from marketplace.contracts.states import ContractState, OfferState
from marketplace.db import use_case
from marketplace.errors import Refused
from marketplace.gigs.members import tell_client
from marketplace.i18n import day
from marketplace.i18n import gettext as _


@use_case
def accept_rate(
    session: Session, actor: Actor, proposal_public_id: uuid.UUID, signed_name: str
) -> RateProposal:
    """Accept a lower rate by typing one's own name. It counts for hours from its first day on, no others.

    Raises Invalid when the name is another; Refused when it is no longer open, or the contract is over.
    """
    proposal = _own(session, actor, proposal_public_id)
    if proposal.contract.state is not ContractState.ACTIVE:
        raise Refused(_("This contract has ended, so its rate stays as it was."))
    if queries.stands(proposal) is OfferState.EXPIRED:
        raise Refused(_("The time for an answer is over, so your rate stays as it is."))
    proposal.signed_name = signing.signature(proposal.contract.offer, signed_name)
    deciding.decide(session, actor, proposal, OfferState.ACCEPTED)
    deciding.agree(session, actor, proposal)
    _tell(session, proposal)
    return proposal


@use_case
def decline_rate(session: Session, actor: Actor, proposal_public_id: uuid.UUID) -> RateProposal:
    """Keep the rate as it is. Nothing else follows from it."""
    proposal = _own(session, actor, proposal_public_id)
    deciding.decide(session, actor, proposal, OfferState.DECLINED)
    _tell(session, proposal)
    return proposal


def expire_rates(session: Session) -> int:
    """Close the proposals whose time is over, each in a transaction of its own; how many."""
    overdue = sa.select(RateProposal.id).where(
        RateProposal.state == OfferState.MADE, RateProposal.expires_at <= clock.now()
    )
    return jobs.one_by_one(session, _expire, session.scalars(overdue).all())


@use_case
def _expire(session: Session, proposal_id: int) -> bool:
    proposal = session.get_one(RateProposal, proposal_id)
    find.hold(session, proposal.contract_id)
    session.refresh(proposal, with_for_update={"of": RateProposal})
    if proposal.state is not OfferState.MADE or proposal.expires_at > clock.now():
        return False
    deciding.expire(session, proposal)
    return True


def _own(session: Session, actor: Actor, public_id: uuid.UUID) -> RateProposal:
    """A proposal for one's own contract, locked. Raises NotFound, or NotAllowed for the other side."""
    proposal = queries.proposal(session, actor, public_id, lock=True)
    find.require_expert(actor, proposal.contract)
    return proposal


def _tell(session: Session, proposal: RateProposal) -> None:
    contract = proposal.contract

    def say() -> tuple[str, str]:
        gig, expert = contract.gig.title, contract.person.full_name
        if proposal.state is OfferState.ACCEPTED:
            return (
                _("%(expert)s accepted the new rate", expert=expert),
                _(
                    "%(gig)s: %(rate)s an hour from %(day)s on. Hours before that keep their rate.",
                    gig=gig,
                    rate=proposal.after,
                    day=day(proposal.from_on),
                ),
            )
        return (
            _("%(expert)s keeps the present rate", expert=expert),
            _("%(gig)s. It stays %(rate)s an hour.", gig=gig, rate=proposal.before),
        )

    kind = f"rate.{proposal.state}"
    tell_client(session, contract.organization_id, kind, f"/rates/{proposal.public_id}", say)
