"""What experts are owed, by how long ago it was approved, or came back; and what is in flight to them.

The sums of 2100 and 2110 are the books'. Buckets count approvals, adjustments and transfers that came back of
the last ninety days that no released item pays, so that the history is never read; the rest is older.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.contracts.adjustments.models import Adjustment
from marketplace.contracts.models import Approval, Contract, Timesheet
from marketplace.contracts.states import OfferState
from marketplace.home.finance.rows import IN_FLIGHT
from marketplace.ledger import chart
from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.money import Money
from marketplace.payments.models import (
    PayoutBatch,
    PayoutItem,
    PayoutItemAdjustment,
    PayoutItemApproval,
    PayoutItemReversal,
    Transfer,
    TransferReversal,
)
from marketplace.payments.states import ItemState

# The first day and the last of each bucket, in days ago; what is older has none.
BUCKETS = ((0, 7), (8, 30), (31, 60), (61, 90))
PAYABLE, FLYING = "2100", "2110"


@dataclass(frozen=True)
class Bucket:
    """What was approved between `least` and `most` days ago; without `most`, all that is older."""

    least: int
    most: int | None
    amount: Money


@dataclass(frozen=True)
class Owed:
    """What experts are owed in one currency, by age, and what is in flight, by how long."""

    currency: str
    payable: Money
    buckets: Sequence[Bucket]
    in_flight: Money
    flying_since: datetime | None


@dataclass(frozen=True)
class Creditor:
    """One expert who is owed: `amount` of a bucket, the oldest part since `since`, and the books' account."""

    name: str
    account: str
    amount: Money
    since: datetime


def owed(session: Session, books_currency: str) -> list[Owed]:
    """One for each currency in which anything is owed, the books' first."""
    sums = _sums(session)
    aged = _aged(session)
    found = sorted({books_currency, *sums}, key=lambda each: (each != books_currency, each))
    return [_owed(session, currency, sums.get(currency, {}), aged.get(currency, {})) for currency in found]


def creditors(session: Session, currency: str, least: int, most: int, limit: int) -> list[Creditor]:
    """Who is owed what was approved between so many days ago, the largest first."""
    rows = _unpaid().subquery()
    found = session.execute(
        sa.select(Person.full_name, Person.public_id, sa.func.sum(rows.c.amount), sa.func.min(rows.c.at))
        .join(Person, Person.id == rows.c.person_id)
        .where(rows.c.currency == currency, _ago(rows.c.at) >= least, _ago(rows.c.at) <= most)
        .group_by(Person.id)
        .order_by(sa.func.sum(rows.c.amount).desc(), Person.id)
        .limit(limit)
    )
    return [
        Creditor(name, chart.expert_payable(public_id).key, Money(int(amount), currency), since)
        for name, public_id, amount, since in found
    ]


def _owed(session: Session, currency: str, sums: Mapping[str, int], aged: Mapping[int, int]) -> Owed:
    payable = -sums.get(PAYABLE, 0)
    buckets = [Bucket(least, most, Money(aged.get(least, 0), currency)) for least, most in BUCKETS]
    older = payable - sum(bucket.amount.amount for bucket in buckets)
    return Owed(
        currency,
        Money(payable, currency),
        [*buckets, Bucket(BUCKETS[-1][1] + 1, None, Money(older, currency))],
        Money(-sums.get(FLYING, 0), currency),
        _flying_since(session, currency),
    )


def _sums(session: Session) -> dict[str, dict[str, int]]:
    rows = session.execute(
        sa.select(LedgerAccount.currency, LedgerAccount.code, sa.func.sum(LedgerBalance.amount))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code.in_((PAYABLE, FLYING)))
        .group_by(LedgerAccount.currency, LedgerAccount.code)
    )
    sums: dict[str, dict[str, int]] = {}
    for currency, code, amount in rows:
        sums.setdefault(currency, {})[code] = int(amount)
    return {currency: codes for currency, codes in sums.items() if any(codes.values())}


def _aged(session: Session) -> dict[str, dict[int, int]]:
    """Minor units by currency and first day of the bucket."""
    rows = _unpaid().subquery()
    bucket = sa.case(*((_ago(rows.c.at) <= most, least) for least, most in BUCKETS))
    found = session.execute(
        sa.select(rows.c.currency, bucket, sa.func.sum(rows.c.amount)).group_by(rows.c.currency, bucket)
    )
    aged: dict[str, dict[int, int]] = {}
    for currency, least, amount in found:
        if least is not None:
            aged.setdefault(currency, {})[least] = int(amount)
    return aged


def _ago(at: Any) -> sa.ColumnElement[int]:
    """Whole days since a moment; 0 for one that is still to come."""
    days = sa.extract("epoch", sa.literal(clock.now(), sa.DateTime(timezone=True)) - at) / 86400
    return sa.func.greatest(0, sa.func.floor(days))


def _unpaid() -> sa.Select[Any]:
    """Approvals, adjustments and transfers that came back, of the last ninety days, that no released item
    pays."""
    since = clock.now() - timedelta(days=BUCKETS[-1][1] + 1)
    hours = (
        sa.select(
            Contract.currency,
            Contract.person_id,
            Approval.at.label("at"),
            Approval.expert_amount.label("amount"),
        )
        .join(Timesheet, Timesheet.id == Approval.timesheet_id)
        .join(Contract, Contract.id == Timesheet.contract_id)
        .where(
            Approval.at > since,
            Approval.expert_amount > 0,
            ~_released(PayoutItemApproval, "approval_id", Approval),
        )
    )
    more = (
        sa.select(Contract.currency, Contract.person_id, Adjustment.decided_at, Adjustment.amount)
        .join(Contract, Contract.id == Adjustment.contract_id)
        .where(
            Adjustment.state == OfferState.ACCEPTED,
            Adjustment.decided_at > since,
            ~_released(PayoutItemAdjustment, "adjustment_id", Adjustment),
        )
    )
    back = (
        sa.select(
            Transfer.currency, PayoutItem.person_id, TransferReversal.recorded_at, TransferReversal.amount
        )
        .join(Transfer, Transfer.id == TransferReversal.transfer_id)
        .join(PayoutItem, PayoutItem.id == Transfer.payout_item_id)
        .where(
            TransferReversal.recorded_at > since,
            ~_released(PayoutItemReversal, "reversal_id", TransferReversal),
        )
    )
    return sa.select(sa.union_all(hours, more, back).subquery())


def _released(link: Any, column: str, thing: Any) -> sa.ColumnElement[bool]:
    """Does a live item that was released pay it? A prepared one has not moved it out of 2100."""
    item = aliased(PayoutItem)
    return sa.exists().where(
        getattr(link, column) == thing.id,
        link.ended_at.is_(None),
        link.payout_item_id == item.id,
        item.state != ItemState.PREPARED,
    )


def _flying_since(session: Session, currency: str) -> datetime | None:
    """Since when what has flown longest is in flight."""
    return session.scalar(
        sa.select(sa.func.min(PayoutBatch.released_at))
        .join(PayoutItem, PayoutItem.batch_id == PayoutBatch.id)
        .where(PayoutItem.state.in_(IN_FLIGHT), PayoutBatch.currency == currency)
    )
