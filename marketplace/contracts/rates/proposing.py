"""Proposing a new rate for a contract that runs.

It begins with a day that has not begun, so that no hour can have been worked for it: tomorrow is the
earliest. A raise is agreed as it is made, with money behind it; a lower rate waits for its expert.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.contracts import find, reservations
from marketplace.contracts.models import Contract
from marketplace.contracts.rates import deciding, queries
from marketplace.contracts.rates.difference import Difference
from marketplace.contracts.rates.models import RateProposal
from marketplace.contracts.states import ContractState, OfferState
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.gigs.members import tell
from marketplace.i18n import day
from marketplace.i18n import gettext as _
from marketplace.money import Money
from marketplace.text import paragraph

OPEN_FOR = timedelta(days=7)
# Nobody can say what an hour is worth in years.
AT_MOST_AHEAD = timedelta(days=180)


@dataclass(frozen=True)
class RateDraft:
    """`rate` is minor units of the contract's currency for an hour; `from_on` a day in its zone."""

    rate: int
    from_on: date
    why: str = ""

    def from_at(self, contract: Contract) -> datetime:
        """The moment its first day begins, in UTC."""
        return clock.midnight(self.from_on, contract.time_zone)


@dataclass(frozen=True)
class Outlook:
    """What a rate would mean, before it is proposed. `needed` is what has to be reserved for it at once;
    `least` what the expert's profile asks for, when the rate is below that."""

    difference: Difference
    from_on: date
    needed: Money
    least: Money | None


def earliest(contract: Contract) -> date:
    """The first day from which a rate can be new, in the contract's zone: one that has not begun, and that
    comes after the first day of every rate agreed before."""
    last = contract.rates[-1].from_at.astimezone(contract.zone).date()
    return max(clock.today(contract.time_zone), last) + timedelta(days=1)


def look(session: Session, actor: Actor, contract_public_id: uuid.UUID, draft: RateDraft) -> Outlook:
    """What this rate would mean. Changes nothing. Raises as `propose_rate` does, but for the funds."""
    contract = find.contract(session, actor, contract_public_id)
    _check(session, actor, contract, draft)
    lacking = reservations.missing(session, contract, draft.rate, draft.from_at(contract))
    currency = contract.currency
    return Outlook(
        Difference(
            Money(contract.rates[-1].rate, currency), Money(draft.rate, currency), contract.hours_per_week
        ),
        draft.from_on,
        Money(sum(amount for _week, amount in lacking), currency),
        queries.below_least(session, contract, draft.rate),
    )


@use_case
def propose_rate(
    session: Session, actor: Actor, contract_public_id: uuid.UUID, draft: RateDraft
) -> RateProposal:
    """Propose a rate for the hours from a day on. A raise is agreed with it, and paid weeks ahead are topped
    up; a lower one waits seven days for the expert's signature, but never beyond its own first day.

    Raises Invalid for a day that cannot be, or a rate that is no other or below what the gig advertises;
    Refused when the contract is over or of a test, when a proposal waits already, or when funds are missing.
    """
    contract = find.contract(session, actor, contract_public_id, lock=True)
    deciding.close_overdue(session, contract)
    _check(session, actor, contract, draft)
    proposal = _written(session, actor, contract, draft)
    if proposal.is_raise:
        deciding.decide(session, actor, proposal, OfferState.ACCEPTED)
        deciding.agree(session, actor, proposal)
    _tell(session, proposal)
    return proposal


@use_case
def withdraw_rate(session: Session, actor: Actor, proposal_public_id: uuid.UUID) -> RateProposal:
    """Take a proposal back before it is answered; the rate stays as it is."""
    proposal = queries.proposal(session, actor, proposal_public_id, lock=True)
    actor.require(Role.CLIENT_ADMIN, organization_id=proposal.contract.organization_id)
    deciding.decide(session, actor, proposal, OfferState.WITHDRAWN)
    tell(
        session,
        proposal.contract.person_id,
        "rate.withdrawn",
        f"/rates/{proposal.public_id}",
        lambda: (
            _("A lower rate was taken back"),
            _(
                "%(gig)s. Your rate stays %(rate)s an hour.",
                gig=proposal.contract.gig.title,
                rate=proposal.before,
            ),
        ),
    )
    return proposal


def _written(session: Session, actor: Actor, contract: Contract, draft: RateDraft) -> RateProposal:
    from_at = draft.from_at(contract)
    proposal = RateProposal(
        contract=contract,
        rate_before=contract.rates[-1].rate,
        rate=draft.rate,
        from_at=from_at,
        why=paragraph(draft.why),
        state=OfferState.MADE,
        expires_at=min(clock.now() + OPEN_FOR, from_at),
        made_by=actor.id,
        made_at=clock.now(),
    )
    session.add(proposal)
    session.flush()
    audit.record(
        session, actor, "rate.proposed", "rate_proposal", proposal.public_id,
        rate=proposal.rate, before=proposal.rate_before,
    )  # fmt: skip
    return proposal


def _check(session: Session, actor: Actor, contract: Contract, draft: RateDraft) -> None:
    actor.require(Role.CLIENT_ADMIN, organization_id=contract.organization_id)
    if contract.test_id is not None:
        raise Refused(_("The pay of a test is agreed before it begins, and stays."))
    if contract.state is not ContractState.ACTIVE:
        raise Refused(_("This contract has ended, so its rate stays as it was."))
    if queries.waiting(session, contract) is not None:
        raise Refused(_("A new rate waits for the expert's answer already. Take that back first."))
    _check_day(contract, draft.from_on)
    _check_rate(contract, draft.rate)


def _check_day(contract: Contract, from_on: date) -> None:
    first = earliest(contract)
    if from_on < first:
        raise Invalid(
            _(
                "An hour keeps its rate, so a new one begins on a day that has not begun: "
                "%(day)s at the earliest.",
                day=day(first),
            ),
            field="from_on",
        )
    last = clock.today(contract.time_zone) + AT_MOST_AHEAD
    if from_on > last:
        raise Invalid(_("Choose a day up to %(day)s.", day=day(last)), field="from_on")


def _check_rate(contract: Contract, rate: int) -> None:
    before = contract.rates[-1].rate
    if rate == before:
        raise Invalid(_("That is the rate already. Enter another."), field="rate")
    low = contract.gig.rate_min or 1
    if rate < before and rate < low:
        raise Invalid(
            _(
                "The gig advertises %(low)s an hour or more, and nobody works on it for less. "
                "Change the gig first.",
                low=Money(low, contract.currency),
            ),
            field="rate",
        )
    if rate < 1:
        raise Invalid(_("Enter a rate above zero."), field="rate")


def _tell(session: Session, proposal: RateProposal) -> None:
    def say() -> tuple[str, str]:
        said, gig = queries.difference(proposal).said(), proposal.contract.gig.title
        first = day(proposal.from_on)
        if proposal.is_raise:
            return (
                _("Your rate rises to %(rate)s an hour", rate=proposal.after),
                _("%(gig)s, for hours from %(day)s on. %(said)s", gig=gig, day=first, said=said),
            )
        return (
            _("The client asks you to accept a lower rate"),
            _(
                "%(gig)s, for hours from %(day)s on. %(said)s Nothing changes unless you sign it.",
                gig=gig,
                day=first,
                said=said,
            ),
        )

    kind = "rate.raised" if proposal.is_raise else "rate.proposed"
    tell(session, proposal.contract.person_id, kind, f"/rates/{proposal.public_id}", say)
