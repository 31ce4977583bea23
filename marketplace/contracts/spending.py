"""What a client's money was spent on: work by gig, with its bonuses and corrections, and apart from it the
tests that people took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.contracts.sittings.models import Sitting
from marketplace.contracts.states import OfferState
from marketplace.gigs.models import Gig, Project
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.money import Money

# Approved pay, fee and its tax, minor units.
APPROVED = Approval.expert_amount + Approval.fee_amount + Approval.tax_amount
SPENT = sa.func.sum(APPROVED)


@dataclass(frozen=True)
class Spent:
    """Pay and fee of a gig's work, or of the tests that were taken for it."""

    gig: Gig
    on_tests: bool
    amount: Money


@dataclass(frozen=True)
class Spending:
    """`lines` and `rounding`, which the operator bears where the lines are more, are `whole` together."""

    lines: Sequence[Spent]
    whole: Money

    @property
    def tests(self) -> Money:
        """All that tests cost."""
        return Money(sum(each.amount.amount for each in self.lines if each.on_tests), self.whole.currency)

    @property
    def rounding(self) -> Money:
        """What no line explains."""
        return Money(self.whole.amount - sum(each.amount.amount for each in self.lines), self.whole.currency)


def spending(session: Session, project: Project, whole: Money) -> Spending:
    """How the `whole` that a project has spent, by the ledger, comes about: gigs by age, tests after work."""
    on_tests = Contract.test_id.is_not(None)
    hours = (
        sa.select(Timesheet.contract_id, APPROVED.label("amount"))
        .select_from(Approval)
        .join(Approval.timesheet)
    )
    besides = sa.select(
        Adjustment.contract_id, Adjustment.amount + Adjustment.fee_amount + Adjustment.tax_amount
    ).where(Adjustment.state == OfferState.ACCEPTED)
    paid = hours.union_all(besides).subquery()
    spent = sa.func.sum(paid.c.amount)
    rows = session.execute(
        sa.select(Gig, on_tests, spent)
        .select_from(paid)
        .join(Contract, Contract.id == paid.c.contract_id)
        .join(Contract.gig)
        .where(Contract.project_id == project.id)
        .group_by(Gig.id, on_tests)
        .having(spent > 0)
        .order_by(Gig.id, on_tests)
    )
    return Spending([Spent(gig, test, Money(int(sum_), whole.currency)) for gig, test, sum_ in rows], whole)


def costs(session: Session, sittings: Sequence[Sitting]) -> dict[int, Money]:
    """Pay and fee of each of these, by internal id; none of those that cost nothing yet."""
    rows = session.execute(_of_sittings(Sitting.id).where(Sitting.id.in_([each.id for each in sittings])))
    return {sitting: Money(int(amount), currency) for sitting, currency, amount in rows}


def costs_of(session: Session, test: QualificationTest) -> list[Money]:
    """Pay and fee of all who took it, one sum for each currency."""
    rows = session.execute(_of_sittings(Sitting.test_id).where(Sitting.test_id == test.id))
    return [Money(int(amount), currency) for _test, currency, amount in rows]


def _of_sittings(by: InstrumentedAttribute[int]) -> sa.Select[int, str, int]:
    return (
        sa.select(by, Contract.currency, SPENT)
        .select_from(Approval)
        .join(Approval.timesheet)
        .join(Timesheet.contract)
        .join(Sitting, Sitting.contract_id == Contract.id)
        .group_by(by, Contract.currency)
        .order_by(by, Contract.currency)
    )
