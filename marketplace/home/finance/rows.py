"""What will move at Stripe, and why: each kind is one query with a row for each thing that moves.

A row has `at` (UTC), `currency`, `source_type` (empty when any part will do), `amount` (minor units, below
zero when it goes out), `name`, and the public id of what it leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.contracts.models import Contract, ContractRate, TimeEntry, Timesheet
from marketplace.contracts.states import TimeKind, TimesheetState
from marketplace.gigs.models import Project
from marketplace.home.finance.forecast import Why
from marketplace.ledger.models import JournalEntry, LedgerAccount, LedgerBalance
from marketplace.payments.chargebacks.models import Chargeback
from marketplace.payments.models import Funding, PayoutBatch, PayoutItem, Sweep, TopUp, Transfer
from marketplace.payments.promises import pay_day
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import (
    AT_STRIPE,
    ChargebackState,
    ItemState,
    RefundState,
    SweepState,
    TopUpState,
    TransferState,
)
from marketplace.reconciliation.models import StripeTransaction
from marketplace.settings import current

# Stripe has a top-up within so many business days, as a rule.
TOP_UP_DAYS = 3
CARD, BANK = "card", "bank_account"
IN_FLIGHT = (ItemState.RELEASED, ItemState.SENDING, ItemState.UNKNOWN)
Rows = sa.Select[Any]


@dataclass(frozen=True)
class Moment:
    """What the queries need to know: now, and as of when Stripe's figures are (UTC)."""

    now: datetime
    as_of: datetime


def _row(at: Any, currency: Any, kind: Any, amount: Any, name: Any, public_id: Any) -> Rows:
    return sa.select(
        (at if hasattr(at, "label") else sa.literal(at, sa.DateTime(timezone=True))).label("at"),
        currency.label("currency"),
        (kind if hasattr(kind, "label") else sa.literal(kind, sa.Text)).label("source_type"),
        amount.label("amount"),
        (name if hasattr(name, "label") else sa.literal(name, sa.Text)).label("name"),
        sa.cast(public_id, sa.Text).label("public_id"),
    )


def _pending(when: Moment) -> Rows:
    """What clients paid and Stripe makes available on a day. What takes from the balance counts at once."""
    by_type = sa.case((StripeTransaction.type == "topup", BANK), else_=CARD)
    kind = sa.func.coalesce(Funding.source_type, by_type)
    name = sa.func.coalesce(Project.name, "")
    id_ = sa.func.coalesce(sa.cast(Funding.public_id, sa.Text), "")
    return (
        _row(
            StripeTransaction.available_on, StripeTransaction.currency, kind, StripeTransaction.net, name, id_
        )
        .outerjoin(Funding, Funding.balance_transaction == StripeTransaction.stripe_id)
        .outerjoin(Project, Project.id == Funding.project_id)
        .where(
            StripeTransaction.account.is_(None),
            StripeTransaction.available_on > when.as_of,
            StripeTransaction.net > 0,
        )
    )


def _top_ups(when: Moment) -> Rows:
    """Top-ups that are released; Stripe says of one that was sent when it is there."""
    later = clock.add_business_days(when.now.date(), TOP_UP_DAYS)
    at = sa.cast(sa.func.coalesce(TopUp.expected_on, later), sa.DateTime(timezone=True))
    states = (TopUpState.RELEASED, TopUpState.SENDING, TopUpState.UNKNOWN, TopUpState.SENT)
    return _row(at, TopUp.currency, BANK, TopUp.amount, "", TopUp.public_id).where(TopUp.state.in_(states))


def _items(when: Moment, states: Sequence[ItemState]) -> Rows:
    asked = (TransferState.SENDING, TransferState.UNKNOWN)
    return (
        _row(
            when.now, PayoutBatch.currency, sa.func.coalesce(Transfer.source_type, ""),
            -PayoutItem.amount, Person.full_name, PayoutItem.public_id,
        )
        .select_from(PayoutItem)
        .join(PayoutBatch, PayoutBatch.id == PayoutItem.batch_id)
        .join(Person, Person.id == PayoutItem.person_id)
        .outerjoin(Transfer, (Transfer.payout_item_id == PayoutItem.id) & Transfer.state.in_(asked))
        .where(PayoutItem.state.in_(states))
    )  # fmt: skip


def _sent_since(when: Moment) -> Rows:
    """Transfers of which the last figures of Stripe do not know yet."""
    return (
        _row(
            when.now, Transfer.currency, Transfer.source_type, -Transfer.amount, Person.full_name,
            PayoutItem.public_id,
        )
        .join(PayoutItem, PayoutItem.id == Transfer.payout_item_id)
        .join(Person, Person.id == PayoutItem.person_id)
        .where(Transfer.sent_at > when.as_of)
    )  # fmt: skip


def _payable(when: Moment) -> Rows:
    """What each expert is owed and no batch has: account 2100, less what a prepared batch would pay."""
    kept = prepared(PayoutItem.person_id, PayoutBatch.currency).subquery()
    owed = (
        sa.select(
            LedgerAccount.key, LedgerAccount.currency, (-sa.func.sum(LedgerBalance.amount)).label("amount")
        )
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code == "2100")
        .group_by(LedgerAccount.id)
        .having(sa.func.sum(LedgerBalance.amount) < 0)
        .subquery()
    )
    rest = owed.c.amount - sa.func.coalesce(kept.c.amount, 0)
    day = clock.midnight(pay_day(when.now), str(current().books_zone))
    return (
        _row(day, owed.c.currency, "", -rest, Person.full_name, owed.c.key)
        .select_from(owed)
        .join(Person, sa.func.concat("expert:", sa.cast(Person.public_id, sa.Text), ":payable") == owed.c.key)
        .outerjoin(kept, (kept.c.person_id == Person.id) & (kept.c.currency == owed.c.currency))
        .where(rest > 0)
    )


def prepared(*by: Any) -> sa.Select[Any]:
    """What prepared batches would pay, and account 2100 still has."""
    return (
        sa.select(*by, sa.func.sum(PayoutItem.amount).label("amount"))
        .join(PayoutBatch, PayoutBatch.id == PayoutItem.batch_id)
        .where(PayoutItem.state == ItemState.PREPARED)
        .group_by(*by)
    )


def _deadlines(when: Moment) -> Rows:
    """Submitted weeks, which count as approved on their day: their pay, to the nearest unit a line."""
    rate = (
        sa.select(ContractRate.rate)
        .where(
            ContractRate.contract_id == TimeEntry.contract_id, ContractRate.from_at <= TimeEntry.started_at
        )
        .order_by(ContractRate.from_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    minutes = sa.func.floor(sa.extract("epoch", TimeEntry.ended_at - TimeEntry.started_at) / 60)
    pay = sa.cast(sa.func.sum(sa.func.round(minutes * rate / 60)), sa.BigInteger)
    return (
        _row(Timesheet.approve_by, Contract.currency, "", -pay, Person.full_name, Timesheet.public_id)
        .select_from(Timesheet)
        .join(Contract, Contract.id == Timesheet.contract_id)
        .join(Person, Person.id == Contract.person_id)
        .join(TimeEntry, TimeEntry.timesheet_id == Timesheet.id)
        .where(
            Timesheet.state == TimesheetState.SUBMITTED,
            TimeEntry.kind == TimeKind.PAID,
            TimeEntry.removed_at.is_(None),
        )
        .group_by(Timesheet.id, Contract.currency, Person.full_name)
        .having(pay > 0)
    )


def _at_stripe(amount: Any, currency: Any) -> tuple[Any, Any]:
    """Of an amount of a lot, what it is in the balance from which it goes: in which currency, and how much at
    the rate at which the lot was changed into it."""
    changed = Funding.settled_currency.is_not(None) & (currency == Funding.currency)
    at_rate = sa.func.round(sa.cast(amount, sa.Numeric) * Funding.settled_amount / Funding.charge_amount)
    return (
        sa.case((changed, Funding.settled_currency), else_=currency),
        sa.case((changed, sa.cast(at_rate, sa.BigInteger)), else_=amount),
    )


def _after(when: Moment, source: Any) -> sa.ColumnElement[bool]:
    """Was it booked as sent after the last figures of Stripe, so that they do not know of it?"""
    return sa.exists().where(
        JournalEntry.source == source, JournalEntry.event == "sent", JournalEntry.occurred_at > when.as_of
    )


def _refunds(when: Moment) -> Rows:
    """What goes back the way it came: sent since, released and not yet at Stripe, or promised and not yet
    released."""
    states = (RefundState.PREPARED, RefundState.RELEASED, RefundState.SENDING, RefundState.UNKNOWN)
    sent = Refund.state.in_((RefundState.SENT, RefundState.ARRIVED))
    source = sa.func.concat("refund:", sa.cast(Refund.public_id, sa.Text))
    currency, amount = _at_stripe(Refund.amount, Refund.currency)
    taken = sa.func.coalesce(Refund.settled_amount, amount)
    return (
        _row(when.now, currency, Funding.source_type, -taken, Project.name, Refund.public_id)
        .join(Funding, Funding.id == Refund.funding_id)
        .join(Project, Project.id == Refund.project_id)
        .where(sa.or_(Refund.state.in_(states), sent & _after(when, source)), Funding.rail.in_(AT_STRIPE))
    )


def _chargebacks(when: Moment) -> Rows:
    """Inquiries: on the last day for an answer the bank may take it back. What it has taken is gone."""
    at = sa.func.coalesce(Chargeback.due_by, sa.literal(when.now, sa.DateTime(timezone=True)))
    kind = sa.func.coalesce(Funding.source_type, CARD)
    currency, amount = _at_stripe(Chargeback.amount, Chargeback.currency)
    return (
        _row(at, currency, kind, -amount, Project.name, Chargeback.public_id)
        .join(Funding, Funding.id == Chargeback.funding_id)
        .join(Project, Project.id == Funding.project_id)
        .where(Chargeback.state == ChargebackState.INQUIRY)
    )


def _sweeps(when: Moment) -> Rows:
    """Our own fees that leave Stripe: sent since, decided, or about to be."""
    states = (SweepState.PREPARED, SweepState.RELEASED, SweepState.SENDING, SweepState.UNKNOWN)
    sent = Sweep.state.in_((SweepState.SENT, SweepState.PAID))
    source = sa.func.concat("sweep:", sa.cast(Sweep.public_id, sa.Text))
    kind = sa.func.coalesce(Sweep.source_type, "")
    return _row(when.now, Sweep.currency, kind, -Sweep.amount, "", Sweep.public_id).where(
        sa.or_(Sweep.state.in_(states), sent & _after(when, source))
    )


ROWS: Mapping[Why, Callable[[Moment], Rows]] = {
    Why.PENDING: _pending,
    Why.TOP_UP: _top_ups,
    Why.SENT_SINCE: _sent_since,
    Why.RELEASED: lambda when: _items(when, IN_FLIGHT),
    Why.PREPARED: lambda when: _items(when, (ItemState.PREPARED,)),
    Why.PAYABLE: _payable,
    Why.DEADLINE: _deadlines,
    Why.REFUND: _refunds,
    Why.CHARGEBACK: _chargebacks,
    Why.SWEEP: _sweeps,
}
