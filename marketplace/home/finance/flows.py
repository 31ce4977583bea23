"""All that will move at Stripe, added up by day for the forecast; and what makes up a day, for its page."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.home.finance.forecast import Day, Flow, Why
from marketplace.home.finance.rows import ROWS, Moment, prepared
from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.payments.models import PayoutBatch
from marketplace.payments.promises import pay_day
from marketplace.reconciliation.models import StripeFunds
from marketplace.settings import current


@dataclass(frozen=True)
class Moving:
    """One thing of a day, for its page."""

    name: str
    public_id: str
    amount: int


def moment(session: Session) -> Moment:
    """The present, and the last figures of Stripe."""
    now = clock.now()
    as_of = session.scalar(sa.select(sa.func.max(StripeFunds.fetched_at)))
    return Moment(now, as_of or now)


def flows(session: Session, until: date) -> list[Flow]:
    """All that will move up to and including the day, in the zone of the books, added up."""
    when = moment(session)
    return [flow for why in ROWS for flow in _summed(session, why, when) if flow.day <= until]


def of_row(session: Session, row: Day, currency: str, limit: int) -> list[tuple[Why, list[Moving]]]:
    """What makes up a row of the forecast: of each reason the largest that move."""
    found: dict[Why, set[date]] = {}
    for flow in row.flows:
        found.setdefault(flow.why, set()).update(_days_of(flow))
    return [(why, _largest(session, why, currency, days, limit)) for why, days in found.items()]


def _days_of(flow: Flow) -> Sequence[date]:
    """The days on which its things come up: those of a pay run do in the week before it."""
    return [flow.day - timedelta(days=back) for back in range(7 if flow.why is Why.DEADLINE else 1)]


def _largest(session: Session, why: Why, currency: str, days: Collection[date], limit: int) -> list[Moving]:
    rows = ROWS[why](moment(session)).subquery()
    found = session.execute(
        sa.select(rows.c.name, rows.c.public_id, rows.c.amount)
        .where(rows.c.currency == currency, _day(rows.c.at).in_(days))
        .order_by(sa.func.abs(rows.c.amount).desc(), rows.c.name)
        .limit(limit)
    )
    return [Moving(name, public_id, int(amount)) for name, public_id, amount in found]


def _summed(session: Session, why: Why, when: Moment) -> Iterator[Flow]:
    if why is Why.PAYABLE:
        yield from _payable_in_all(session, when)
        return
    rows = ROWS[why](when).subquery()
    parts = (_day(rows.c.at), rows.c.currency, rows.c.source_type)
    found = session.execute(sa.select(*parts, sa.func.sum(rows.c.amount), sa.func.count()).group_by(*parts))
    for day, currency, source_type, amount, count in found:
        moved = _pay_day(day) if why is Why.DEADLINE else day
        yield Flow(moved, currency, source_type or None, int(amount), why, count)


def _payable_in_all(session: Session, when: Moment) -> Iterator[Flow]:
    """What `_payable` lists, without asking who each expert is."""
    kept = prepared(PayoutBatch.currency).subquery()
    owed = (
        sa.select(LedgerAccount.currency, (-sa.func.sum(LedgerBalance.amount)).label("amount"))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code == "2100")
        .group_by(LedgerAccount.currency)
        .subquery()
    )
    rest = owed.c.amount - sa.func.coalesce(kept.c.amount, 0)
    rows = session.execute(
        sa.select(owed.c.currency, rest).outerjoin(kept, kept.c.currency == owed.c.currency)
    )
    for currency, amount in rows:
        if amount > 0:
            yield Flow(pay_day(when.now), currency, None, -int(amount), Why.PAYABLE)


def _day(at: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The calendar day of a moment in the zone of the books."""
    return sa.cast(sa.func.timezone(str(current().books_zone), at), sa.Date)


def _pay_day(day: date) -> date:
    """The pay run that takes what is approved on a day."""
    return pay_day(clock.midnight(day, str(current().books_zone)))
