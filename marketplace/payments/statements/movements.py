"""What is owed to an expert, as the ledger moved it: approved pay comes in, what Stripe sent goes out.

Two accounts together: owed (2100) and in flight (2110). What is released and refused moves between them, and
so is no movement here.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.money import Money

# Credits are owed: what the ledger says is less than zero is more than zero to the expert.
_AMOUNT = -sa.func.sum(Posting.amount)


@dataclass(frozen=True)
class Movement:
    """One entry of the journal: `amount` is more than zero for what came in."""

    source: str
    event: str
    memo: str
    at: datetime
    amount: Money


@dataclass(frozen=True)
class Month:
    """What came in and went out in a month, and what was owed at its end; `first_day` names it."""

    first_day: date
    added: Money
    taken: Money
    closing: Money


def movements(session: Session, person: uuid.UUID, start: datetime, end: datetime) -> list[Movement]:
    """Those of [start, end), in the order in which they happened."""
    entry = (JournalEntry.source, JournalEntry.event, JournalEntry.memo, JournalEntry.occurred_at)
    rows = session.execute(
        _of(person, *entry, Posting.currency, _AMOUNT)
        .where(JournalEntry.occurred_at >= start, JournalEntry.occurred_at < end)
        .group_by(JournalEntry.id, Posting.currency)
        .having(_AMOUNT != 0)
        .order_by(JournalEntry.occurred_at, JournalEntry.id)
    )
    return [
        Movement(source, event, memo, at, Money(int(amount), currency))
        for source, event, memo, at, currency, amount in rows
    ]


def balances_before(session: Session, person: uuid.UUID, moment: datetime) -> dict[str, Money]:
    """What was owed just before `moment`, by currency; currencies in which nothing happened are left out."""
    rows = session.execute(
        _of(person, Posting.currency, _AMOUNT)
        .where(JournalEntry.occurred_at < moment)
        .group_by(Posting.currency)
    )
    return {currency: Money(int(amount), currency) for currency, amount in rows}


def months(session: Session, person: uuid.UUID, zone: str) -> Sequence[Month]:
    """The months in which something moved, in the zone, newest first; one for each currency."""
    net = (
        _of(person, JournalEntry.occurred_at, Posting.currency, _AMOUNT.label("amount"))
        .group_by(JournalEntry.id, Posting.currency)
        .having(_AMOUNT != 0)
        .subquery()
    )
    month = sa.cast(sa.func.date_trunc("month", sa.func.timezone(zone, net.c.occurred_at)), sa.Date)
    none = sa.literal(0)
    rows = session.execute(
        sa.select(
            month,
            net.c.currency,
            sa.func.sum(sa.func.greatest(net.c.amount, none)),
            sa.func.sum(sa.func.greatest(-net.c.amount, none)),
        )
        .group_by(month, net.c.currency)
        .order_by(month)
    )
    found, owed = [], dict[str, int]()
    for first_day, currency, added, taken in rows:
        owed[currency] = owed.get(currency, 0) + int(added - taken)
        amounts = (Money(int(each), currency) for each in (added, taken, owed[currency]))
        found.append(Month(first_day, *amounts))
    return found[::-1]


def _of(person: uuid.UUID, *columns: Any) -> sa.Select[*tuple[Any, ...]]:
    keys = [chart.expert_payable(person).key, chart.expert_in_flight(person).key]
    return (
        sa.select(*columns)
        .select_from(Posting)
        .join(Posting.account)
        .join(Posting.entry)
        .where(LedgerAccount.key.in_(keys))
    )
