"""A mirror of what Stripe says: balance transactions and balances of the platform and of experts' accounts.

Nothing is asked of Stripe inside a transaction. What was fetched is kept, so that proofs need no network and
say as of when they hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.db import use_case
from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.payments.facts import Balance, BalanceTransaction
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import ConnectedAccount, ConnectedPayout, PayoutItem, Transfer
from marketplace.payments.payouts import RECONCILED
from marketplace.payments.rounds import Round
from marketplace.payments.states import ItemState
from marketplace.reconciliation.models import StripeBalance, StripeFunds, StripeTransaction

# Stripe shows a movement within seconds; a day of overlap also finds what came late.
OVERLAP = timedelta(days=1)
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
TRIES = 3
MOVING = (ItemState.SENDING, ItemState.UNKNOWN, ItemState.SENT, ItemState.PAID, ItemState.RETURNED)


def fetch_stripe(session: Session, gateway: Gateway, limit: int = 200) -> int:
    """Bring the mirror up to date: the platform, `limit` accounts that have money on its way (those looked at
    longest ago first), and the contents of their payouts. How many transactions were new.

    Safe to repeat. Raises the gateway's errors about the platform; an account that fails holds up no other.
    """
    new = _fetch(session, gateway, None, _since(session, None))
    turn = Round(session, gateway)
    for account in turn.over(_accounts_in_play(session, limit)):
        with turn.one(account):
            new += _fetch(session, gateway, account, _since(session, account))
    for payout, account in turn.over(_payouts_without_contents(session, limit)):
        with turn.one(payout):
            contents = gateway.payout_contents(payout, account)
            new += keep_transactions(session, account, contents)
            _keep_contents(session, payout, contents)
    return new


@use_case
def keep_transactions(session: Session, account: str | None, found: Sequence[BalanceTransaction]) -> int:
    """Keep what is not kept yet; the number of these."""
    if not found:
        return 0
    rows = session.scalars(
        insert(StripeTransaction).on_conflict_do_nothing().returning(StripeTransaction.id),
        [_row(account, each) for each in sorted(found, key=lambda each: (each.created_at, each.id))],
    )
    return len(rows.all())


@use_case
def keep_balance(session: Session, account: str | None, balance: Balance) -> None:
    """Keep a balance as of now; a currency that Stripe names no longer is zero."""
    named = set(balance.available) | set(balance.pending)
    kept = session.scalars(sa.select(StripeBalance.currency).where(_of(StripeBalance.account, account)))
    for currency in named | set(kept):
        said = {
            "available": sum(balance.available.get(currency, {}).values()),
            "pending": balance.pending.get(currency, 0),
            "fetched_at": clock.now(),
        }
        session.execute(
            insert(StripeBalance)
            .values(account=account, currency=currency, **said)
            .on_conflict_do_update(index_elements=["account", "currency"], set_=said)
        )
    if account is None:
        _keep_funds(session, balance)


def _keep_funds(session: Session, balance: Balance) -> None:
    """Keep the platform's balance by source type; a part that Stripe names no longer is zero."""
    kept = session.execute(sa.select(StripeFunds.currency, StripeFunds.source_type))
    named = {(currency, kind) for currency, kind in kept}
    for side in (balance.available, balance.coming):
        named |= {(currency, kind) for currency, kinds in side.items() for kind in kinds}
    for currency, kind in sorted(named):
        said = {
            "available": balance.available.get(currency, {}).get(kind, 0),
            "pending": balance.coming.get(currency, {}).get(kind, 0),
            "fetched_at": clock.now(),
        }
        session.execute(
            insert(StripeFunds)
            .values(currency=currency, source_type=kind, **said)
            .on_conflict_do_update(index_elements=["currency", "source_type"], set_=said)
        )


def _fetch(session: Session, gateway: Gateway, account: str | None, since: datetime) -> int:
    """Transactions and the balance that belongs to them: nothing moved while both were read."""
    for _attempt in range(TRIES):
        before = gateway.balance(account)
        found = gateway.balance_transactions(account, since=since)
        balance = gateway.balance(account)
        if balance == before:
            break
    new = keep_transactions(session, account, found)
    keep_balance(session, account, balance)
    return new


def _since(session: Session, account: str | None) -> datetime:
    newest = session.scalar(
        sa.select(sa.func.max(StripeTransaction.created_at)).where(_of(StripeTransaction.account, account))
    )
    session.rollback()
    return newest - OVERLAP if newest else BEGINNING


def _accounts_in_play(session: Session, limit: int) -> list[str]:
    """Accounts with a transfer that is not settled, or with a balance, at Stripe or in the memo accounts."""
    moving = (
        sa.select(Transfer.destination)
        .join(PayoutItem, PayoutItem.id == Transfer.payout_item_id)
        .where(PayoutItem.state.in_(MOVING))
    )
    held = sa.select(StripeBalance.account).where(StripeBalance.available + StripeBalance.pending != 0)
    looked_at = (
        sa.select(StripeBalance.account, sa.func.min(StripeBalance.fetched_at).label("fetched_at"))
        .group_by(StripeBalance.account)
        .subquery()
    )
    query = (
        sa.select(ConnectedAccount.stripe_id)
        .join(ConnectedAccount.person)
        .outerjoin(looked_at, looked_at.c.account == ConnectedAccount.stripe_id)
        .where(
            sa.or_(
                ConnectedAccount.stripe_id.in_(moving),
                ConnectedAccount.stripe_id.in_(held),
                _memo_key().in_(_memo_keys_with_balance()),
            )
        )
        .order_by(looked_at.c.fetched_at.nulls_first(), ConnectedAccount.id)
        .limit(limit)
    )
    accounts = [account for account in session.scalars(query) if account]
    session.rollback()
    return accounts


def _memo_key() -> sa.ColumnElement[str]:
    return sa.func.concat("expert:", sa.cast(Person.public_id, sa.Text), ":held")


def _memo_keys_with_balance() -> sa.Select[str]:
    return (
        sa.select(LedgerAccount.key)
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code == "9110")
        .group_by(LedgerAccount.key)
        .having(sa.func.sum(LedgerBalance.amount) != 0)
    )


def _payouts_without_contents(session: Session, limit: int) -> list[tuple[str, str]]:
    """Payouts that Stripe has itemised and the mirror does not name on any transaction yet."""
    named = sa.exists().where(StripeTransaction.payout == ConnectedPayout.stripe_id)
    rows = session.execute(
        sa.select(ConnectedPayout.stripe_id, ConnectedAccount.stripe_id)
        .join(ConnectedPayout.account)
        .where(ConnectedPayout.reconciliation_status == RECONCILED, ~named)
        .order_by(ConnectedPayout.id)
        .limit(limit)
    )
    found = [(payout, account) for payout, account in rows if account]
    session.rollback()
    return found


@use_case
def _keep_contents(session: Session, payout: str, contents: Sequence[BalanceTransaction]) -> None:
    session.execute(
        sa.update(StripeTransaction)
        .where(
            StripeTransaction.stripe_id.in_([each.id for each in contents]),
            StripeTransaction.payout.is_(None),
        )
        .values(payout=payout)
    )


def _row(account: str | None, found: BalanceTransaction) -> dict[str, Any]:
    return {
        "stripe_id": found.id,
        "account": account,
        "type": found.type,
        "reporting_category": found.reporting_category,
        "amount": found.amount,
        "fee": found.fee,
        "net": found.net,
        "currency": found.currency,
        "source": found.source,
        "created_at": found.created_at,
        "available_on": found.available_on,
    }


def _of(column: Any, account: str | None) -> sa.ColumnElement[bool]:
    matches: sa.ColumnElement[bool] = column.is_(None) if account is None else column == account
    return matches
