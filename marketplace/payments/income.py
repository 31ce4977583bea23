"""What an expert's hour really brings, and which clients the income comes from: for their own page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace import clock
from marketplace.accounts.models import Organization
from marketplace.actor import Actor
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.figures import earned_by
from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.contracts.states import OfferState
from marketplace.gigs.rates import AN_HOUR, Earned, an_hour
from marketplace.money import Money

YEAR = timedelta(days=365)
# The contracts that are shown one by one; the sum is of all.
SHOWN = 12


@dataclass(frozen=True)
class Brought:
    """What approved weeks paid, adjusted, for all of their time: paid, waiting, reading and revising."""

    paid: Money
    minutes: int
    contract: Contract | None = None

    @property
    def an_hour(self) -> Money | None:
        """None before there is an hour."""
        if self.minutes < AN_HOUR:
            return None
        return Money(an_hour(Earned(1, self.paid.amount, self.minutes)), self.paid.currency)


@dataclass(frozen=True)
class Share:
    """A client's part of the income: `per_cent` is rounded, `most` says that it is more than half."""

    client: str
    pay: Money
    per_cent: int
    most: bool


@dataclass(frozen=True)
class Income:
    """The newest contracts, all of them together, and the clients of the last 365 days, the largest first."""

    contracts: Sequence[Brought]
    whole: Brought
    clients: Sequence[Share]

    @property
    def depends_on(self) -> Share | None:
        """The client from whom more than half of the income came, if there is one."""
        return next((each for each in self.clients if each.most), None)


def income(session: Session, actor: Actor, currency: str) -> Income:
    """The expert's own, in one currency."""
    earned, more = earned_by(session, actor.id), _adjusted(session, actor)
    contracts = session.scalars(
        sa.select(Contract)
        .where(Contract.id.in_(earned), Contract.currency == currency)
        .options(joinedload(Contract.gig), joinedload(Contract.organization))
        .order_by(Contract.id.desc())
    ).all()
    each = [_brought(contract, earned[contract.id], more.get(contract.id, 0)) for contract in contracts]
    whole = Brought(Money(sum(e.paid.amount for e in each), currency), sum(e.minutes for e in each))
    return Income(each[:SHOWN], whole, _clients(session, actor, currency))


def _brought(contract: Contract, found: Earned, more: int) -> Brought:
    return Brought(Money(found.paid + more, contract.currency), found.minutes, contract)


def _adjusted(session: Session, actor: Actor) -> dict[int, int]:
    """Bonuses and corrections by the internal ids of contracts, in minor units."""
    rows = session.execute(
        sa.select(Adjustment.contract_id, sa.func.sum(Adjustment.amount))
        .join(Adjustment.contract)
        .where(Contract.person_id == actor.id, Adjustment.state == OfferState.ACCEPTED)
        .group_by(Adjustment.contract_id)
    )
    return {contract: int(amount) for contract, amount in rows}


def _clients(session: Session, actor: Actor, currency: str) -> list[Share]:
    mine = (Contract.person_id == actor.id, Contract.currency == currency)
    since = clock.now() - YEAR
    paid = (
        sa.select(Contract.organization_id, Approval.expert_amount.label("amount"))
        .select_from(Approval)
        .join(Approval.timesheet)
        .join(Timesheet.contract)
        .where(*mine, Approval.at > since)
    )
    adjusted = (
        sa.select(Contract.organization_id, Adjustment.amount)
        .select_from(Adjustment)
        .join(Adjustment.contract)
        .where(
            *mine,
            Adjustment.state == OfferState.ACCEPTED,
            sa.func.coalesce(Adjustment.decided_at, Adjustment.made_at) > since,
        )
    )
    both = sa.union_all(paid, adjusted).subquery()
    pay = sa.func.sum(both.c.amount)
    rows = session.execute(
        sa.select(Organization.name, pay)
        .join(both, both.c.organization_id == Organization.id)
        .group_by(Organization.id)
        .having(pay > 0)
        .order_by(pay.desc(), Organization.id)
    ).all()
    whole = sum(int(amount) for _name, amount in rows)
    return [_share(name, Money(int(amount), currency), whole) for name, amount in rows]


def _share(client: str, pay: Money, whole: int) -> Share:
    per_cent = (200 * pay.amount + whole) // (2 * whole)
    return Share(client, pay, per_cent, 2 * pay.amount > whole)
