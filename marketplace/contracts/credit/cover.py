"""What a client's credit lines cover. A project's free funds may fall below zero by what is left of them.

`spent + reserved <= funded + credit`, over all of a client's projects in a currency: what one project has
free is its own, so the credit covers the sum of what the others are below zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.contracts.credit import owing
from marketplace.contracts.credit.models import CreditLine
from marketplace.errors import Refused
from marketplace.gigs import projection
from marketplace.gigs.models import Project
from marketplace.i18n import gettext as _
from marketplace.i18n import zoned
from marketplace.ledger import NotCovered, chart, proofs
from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.ledger.periods import day_of
from marketplace.money import Money
from marketplace.settings import current


@dataclass(frozen=True)
class Standing:
    """A client's credit in a currency: all lines in force together, what projects took, and until when."""

    line: Money
    used: Money
    until: date | None
    over_since: datetime | None

    @property
    def left(self) -> Money:
        return Money(max(0, self.line.amount - self.used.amount), self.line.currency)

    @property
    def overdue(self) -> Money:
        """What was taken of lines that are over."""
        return Money(max(0, self.used.amount - self.line.amount), self.line.currency)


def require_cover(session: Session, project: Project, amount: int) -> None:
    """Make sure that the project's free funds, and what is left of its client's credit, cover `amount` minor
    units, and keep it so until the transaction ends. Raises NotCovered."""
    funds, currency = chart.project_funds(project.public_id), project.currency
    ledger.hold(session, [funds], currency)
    if missing := owing.owed(session, project):
        raise NotCovered(
            _("The client owes %(amount)s of a payment that failed. Add funds first.", amount=missing)
        )
    if amount <= -ledger.balance(session, funds, currency):
        return
    # All of a client's projects draw on the same lines, so they come here one after another.
    credit = sum(each.amount for each in _in_force(session, project.organization_id, currency, lock=True))
    owed = _owed(session, project.organization_id, currency)
    before = owed.pop(project.id, 0)
    after = max(0, before + amount)
    if not credit or sum(max(0, each) for each in owed.values()) + after > credit:
        free = Money(max(0, -before), currency)
        raise NotCovered(_("%(free)s is free, and this needs %(amount)s.", free=free,
                           amount=Money(amount, currency)))  # fmt: skip


def available(session: Session, project: Project) -> int:
    """Minor units that the project may take now: its free funds, and what is left of its client's credit."""
    if owing.owed(session, project):
        return 0
    owed = _owed(session, project.organization_id, project.currency)
    return max(0, -owed.get(project.id, 0)) + standing_of(session, project).left.amount


def standing_of(session: Session, project: Project) -> Standing:
    """The credit of the project's client in the project's currency."""
    return standing(session, project.organization_id, project.currency)


def standing(session: Session, organization_id: int, currency: str) -> Standing:
    """A client's credit (internal id) now; without any line all of it is zero."""
    lines = _confirmed(session, organization_id, currency)
    if not lines:
        nothing = Money(0, currency)
        return Standing(nothing, nothing, None, None)
    today = day_of(clock.now())
    ours = [each for each in lines if _counts(each, today)]
    used = sum(max(0, each) for each in _owed(session, organization_id, currency).values())
    amount = sum(each.amount for each in ours)
    return Standing(
        Money(amount, currency),
        Money(used, currency),
        min((each.until_on for each in ours), default=None),
        over_since(lines, used) if used > amount else None,
    )


def over_since(lines: Sequence[CreditLine], used: int) -> datetime | None:
    """The earliest end of a line after which all lines together stayed below `used` minor units until now.

    Whatever ends later makes nothing overdue that is not overdue already.
    """
    now, spans = clock.now(), [(_begin(each), _end(each), each.amount) for each in lines]
    spans = [(begin, end, amount) for begin, end, amount in spans if begin <= end]
    ends = {end for _begin, end, _amount in spans}
    since = None
    for moment in sorted({begin for begin, _end, _amount in spans} | ends):
        lent = sum(amount for begin, end, amount in spans if begin <= moment < end)
        if moment > now:
            break
        if lent >= used:
            since = None
        elif since is None and moment in ends:
            since = moment
    return since


def require_not_overdue(session: Session, project: Project, start: datetime) -> None:
    """Raise Refused for hours that began after the credit was over on which the project stands, or after a
    payment failed whose money was spent. Hours before that are entered, approved and paid as ever."""
    owing.require_nothing_owed(session, project, start)
    if ledger.balance(session, chart.project_funds(project.public_id), project.currency) <= 0:
        return
    over = standing_of(session, project).over_since
    if over is not None and start >= over:
        raise Refused(
            _(
                "The client’s credit is over since %(when)s and is not paid yet, so hours after that cannot "
                "be entered. Hours before it count and are paid. Ask the client to add funds.",
                when=zoned(over, current().books_zone.key),
            )
        )


def may_owe(session: Session) -> dict[tuple[str, str], int]:
    """By key and currency of 2010: how far below zero a project may stand, because a line was given for it.

    A client who owes more than the most that ever counted at a time may owe nothing at all.
    """
    given: dict[tuple[int, str], list[CreditLine]] = defaultdict(list)
    for each in session.scalars(sa.select(CreditLine).where(CreditLine.confirmed_at.is_not(None))):
        given[each.organization_id, each.currency].append(each)
    allowed: dict[tuple[str, str], int] = {}
    for (organization_id, currency), lines in given.items():
        owed = {key: amount for key, amount in _by_key(session, organization_id, currency) if amount > 0}
        if sum(owed.values()) <= _most(lines):
            allowed |= {(key, currency): amount for key, amount in owed.items()}
    return allowed


def _most(lines: Sequence[CreditLine]) -> int:
    """The most that counted at any time up to now."""
    today = day_of(clock.now())
    begins = {max(each.from_on, day_of(each.confirmed_at or clock.now())) for each in lines}
    sums = [
        sum(each.amount for each in lines if each.from_on <= begin <= _last_day(each))
        for begin in begins
        if begin <= today
    ]
    return max(sums, default=0)


def _in_force(session: Session, organization_id: int, currency: str, *, lock: bool) -> list[CreditLine]:
    query = _query(organization_id, currency).where(CreditLine.ended_at.is_(None))
    if lock:
        query = query.with_for_update(key_share=True)
    lines = session.scalars(query.execution_options(populate_existing=True))
    today = day_of(clock.now())
    return [each for each in lines if _counts(each, today)]


def _confirmed(session: Session, organization_id: int, currency: str) -> Sequence[CreditLine]:
    return session.scalars(_query(organization_id, currency)).all()


def _query(organization_id: int, currency: str) -> sa.Select[CreditLine]:
    return (
        sa.select(CreditLine)
        .filter_by(organization_id=organization_id, currency=currency)
        .where(CreditLine.confirmed_at.is_not(None))
        .order_by(CreditLine.id)
    )


def _counts(line: CreditLine, today: date) -> bool:
    return line.ended_at is None and line.from_on <= today <= line.until_on


def _begin(line: CreditLine) -> datetime:
    first = clock.midnight(line.from_on, current().books_zone.key)
    return max(first, line.confirmed_at) if line.confirmed_at else first


def _end(line: CreditLine) -> datetime:
    over = clock.midnight(line.until_on + timedelta(days=1), current().books_zone.key)
    return min(over, line.ended_at) if line.ended_at else over


def _last_day(line: CreditLine) -> date:
    return min(line.until_on, day_of(line.ended_at)) if line.ended_at else line.until_on


def _owed(session: Session, organization_id: int, currency: str) -> dict[int, int]:
    """By project (internal id): the balance of 2010 in minor units, above zero when the client owes it."""
    ids = sa.select(Project.public_id, Project.id).filter_by(organization_id=organization_id)
    by_key = {
        chart.project_funds(public_id).key: project_id for public_id, project_id in session.execute(ids)
    }
    return {by_key[key]: amount for key, amount in _by_key(session, organization_id, currency)}


def _by_key(session: Session, organization_id: int, currency: str) -> list[tuple[str, int]]:
    key = sa.func.concat("project:", sa.cast(Project.public_id, sa.Text), ":funds")
    rows = session.execute(
        sa.select(LedgerAccount.key, sa.func.sum(LedgerBalance.amount))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .join(Project, LedgerAccount.key == key)
        .where(Project.organization_id == organization_id, LedgerAccount.currency == currency)
        .group_by(LedgerAccount.key)
    )
    return [(key, int(amount)) for key, amount in rows]


proofs.may_owe.append(may_owe)
projection.lent.append(lambda session, project: standing_of(session, project).left.amount)
