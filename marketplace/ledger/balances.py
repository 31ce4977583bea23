"""Kept balances, and the check that what is authorised is covered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import Refused
from marketplace.i18n import gettext as _
from marketplace.ledger.chart import Account
from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.money import Money


class NotCovered(Refused):
    """An account does not hold what was to be taken from it."""


def balance(session: Session, account: Account, currency: str) -> int:
    """The account's balance in minor units, debit positive; 0 before its first posting."""
    return balances(session, [account], currency)[account.key]


def balances(session: Session, accounts: Iterable[Account], currency: str) -> dict[str, int]:
    """Balances by key, debit positive, for many accounts at the cost of one."""
    keys = [account.key for account in accounts]
    rows = session.execute(
        sa.select(LedgerAccount.key, sa.func.sum(LedgerBalance.amount))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.key == _any_of(keys), LedgerAccount.currency == currency)
        .group_by(LedgerAccount.key)
    )
    return dict.fromkeys(keys, 0) | {key: int(amount) for key, amount in rows}


def require_cover(session: Session, account: Account, currency: str, amount: int) -> None:
    """Make sure that the account's credit balance covers `amount`, and keep it so until the transaction ends.

    For entries that authorise: whoever else authorises from this account waits. Raises NotCovered.
    """
    require_covers(session, currency, {account: amount})


def require_covers(session: Session, currency: str, needs: Mapping[Account, int]) -> None:
    """As `require_cover`, for several accounts, which are locked in order of their ids by everybody."""
    hold(session, needs, currency)
    held = balances(session, needs, currency)
    for account, amount in needs.items():
        if amount > -held[account.key]:
            raise NotCovered(
                _(
                    "%(account)s holds %(held)s, and this needs %(amount)s.",
                    account=account.name,
                    held=Money(-held[account.key], currency),
                    amount=Money(amount, currency),
                )
            )


def hold(session: Session, accounts: Iterable[Account], currency: str) -> None:
    """Let nobody else authorise from these accounts until this transaction ends."""
    keys = [account.key for account in accounts]
    # NO KEY UPDATE: it stops others who authorise, and lets what merely records (its foreign key) pass.
    session.execute(
        sa.select(LedgerAccount.id)
        .where(LedgerAccount.key == _any_of(keys), LedgerAccount.currency == currency)
        .order_by(LedgerAccount.id)
        .with_for_update(key_share=True)
    )


def _any_of(keys: Sequence[str]) -> sa.CollectionAggregate[bool]:
    """One of these, as one parameter however many they are."""
    return sa.any_(sa.cast(list(keys), sa.ARRAY(sa.Text(collation="C"))))
