"""How much of a project's money is used, and how long the rest lasts."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from marketplace import clock
from marketplace.contracts.budgets import caps
from marketplace.contracts.models import Contract
from marketplace.contracts.reservations import price
from marketplace.contracts.states import ContractState
from marketplace.gigs.models import Project
from marketplace.gigs.states import ProjectState
from marketplace.money import Money

WEEKS_AHEAD = 4
# What was paid in and not refunded is everything on a project's two accounts but what was spent from them.
STANDING = sa.text("""
    SELECT p.id, a.currency,
        CAST(-coalesce(sum(x.amount) FILTER (WHERE a.code = '2010'), 0) AS bigint) AS free,
        CAST(-coalesce(sum(x.amount) FILTER (WHERE NOT (
            a.code = '2020' AND e.source LIKE 'approval:%'
            OR a.code = '2010' AND (e.source LIKE 'time_dispute:%' OR e.source LIKE 'adjustment:%')
        )), 0) AS bigint) AS funded
    FROM projects p
    JOIN ledger_accounts a ON a.currency = p.currency
        AND a.key IN ('project:' || p.public_id || '\\:funds', 'project:' || p.public_id || '\\:reserved')
    JOIN postings x ON x.account_id = a.id
    JOIN journal_entries e ON e.id = x.entry_id
    WHERE p.state = :state AND (CAST(:id AS bigint) IS NULL OR p.id = :id)
    GROUP BY p.id, a.currency ORDER BY p.id
""").columns(id=sa.BigInteger, free=sa.BigInteger, funded=sa.BigInteger)


@dataclass(frozen=True)
class Standing:
    """What was paid in for a project (internal id) less refunds, and what of it is free, in minor units."""

    project_id: int
    currency: str
    funded: int
    free: int

    @property
    def used(self) -> int:
        """Spent, questioned and reserved."""
        return self.funded - self.free

    def reached(self, threshold: int) -> bool:
        """Are so many per cent used?"""
        return self.funded > 0 and self.used * 100 >= self.funded * threshold


def of_open(session: Session) -> list[Standing]:
    """Every open project that was ever paid for."""
    return _read(session, None)


def of_project(session: Session, project: Project) -> Standing:
    """One open project."""
    found = _read(session, project.id)
    return found[0] if found else Standing(project.id, project.currency, 0, 0)


def a_week(session: Session, project: Project) -> Money:
    """What a week of the contracts that run costs, pay, fee and its tax, but for what is capped: the present
    pace."""
    running = session.scalars(
        sa.select(Contract)
        .filter_by(project_id=project.id, state=ContractState.ACTIVE, test_id=None)
        .options(selectinload(Contract.rates), selectinload(Contract.fees), selectinload(Contract.taxes))
    )
    amount = sum(_price(each) for each in running if _goes_on(each))
    cap = caps.in_force(session, project.id, caps.next_monday())
    return Money(min(amount, cap.amount) if cap and cap.amount else amount, project.currency)


def weeks_left(free: Money, week: Money) -> int | None:
    """How many whole weeks at that pace are free; None when nothing runs."""
    return max(0, free.amount) // week.amount if week.amount else None


def to_add(session: Session, project: Project, free: Money) -> Money | None:
    """What is missing for the four weeks after those that are reserved; None when nothing is."""
    missing = a_week(session, project).amount * WEEKS_AHEAD - free.amount
    return Money(missing, project.currency) if missing > 0 else None


def _price(contract: Contract) -> int:
    tax = contract.tax_at(clock.now())
    fee, on_fee = contract.fee_at(clock.now()), tax.rate_bps if tax else 0
    return price(contract.rate, contract.week_minutes, fee, on_fee)


def _goes_on(contract: Contract) -> bool:
    return contract.gig.ends_on is None or contract.gig.ends_on >= clock.today(contract.time_zone)


def _read(session: Session, project_id: int | None) -> list[Standing]:
    rows = session.execute(STANDING, {"state": ProjectState.OPEN.value, "id": project_id})
    return [Standing(row.id, row.currency, row.funded, row.free) for row in rows]
