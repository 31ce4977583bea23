"""Where the money is by our books, and what Stripe said of its part when it was last asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.ledger.models import LedgerAccount, LedgerBalance
from marketplace.money import Money
from marketplace.reconciliation.bank_accounts import all_accounts, last_statement
from marketplace.reconciliation.models import StripeBalance, StripeFunds

# Where cash lies or travels, in the order of a wire: from the bank to Stripe, and of fees back to the bank.
PLACES = ("1010", "1020", "1160", "1100", "1130", "1150")


@dataclass(frozen=True)
class Part:
    """A part of Stripe's balance by source type, in one currency, as Stripe said when it was last asked."""

    source_type: str
    available: Money
    pending: Money


@dataclass(frozen=True)
class Places:
    """Cash in one currency: by our books (`held`, by code of the chart), and by Stripe (`parts`)."""

    currency: str
    held: Mapping[str, Money]
    parts: Sequence[Part]

    @property
    def total(self) -> Money:
        return Money(sum(each.amount for each in self.held.values()), self.currency)


@dataclass(frozen=True)
class Ages:
    """As of when the last figures from outside are (UTC); the bank's is the last day of the statement that is
    furthest behind, None when any account has none."""

    stripe: datetime | None
    bank: date | None


def places(session: Session, books_currency: str) -> list[Places]:
    """One for each currency that has cash anywhere, the books' first."""
    held = _held(session)
    parts: dict[str, list[Part]] = {}
    for each in session.scalars(sa.select(StripeFunds).order_by(StripeFunds.source_type.desc())):
        money = (Money(amount, each.currency) for amount in (each.available, each.pending))
        parts.setdefault(each.currency, []).append(Part(each.source_type, *money))
    found = sorted({books_currency, *held, *parts}, key=lambda each: (each != books_currency, each))
    return [_of(currency, held.get(currency, {}), parts.get(currency, [])) for currency in found]


def ages(session: Session) -> Ages:
    """How old the last figures are."""
    stripe = session.scalar(
        sa.select(sa.func.max(StripeBalance.fetched_at)).where(StripeBalance.account.is_(None))
    )
    last = [last_statement(session, account) for account in all_accounts(session)]
    days = [each.to_on for each in last if each is not None]
    return Ages(stripe, min(days) if days and len(days) == len(last) else None)


def _of(currency: str, held: Mapping[str, int], parts: Sequence[Part]) -> Places:
    shown = {code: Money(held.get(code, 0), currency) for code in PLACES}
    return Places(currency, shown, [part for part in parts if part.available or part.pending])


def _held(session: Session) -> dict[str, dict[str, int]]:
    """Minor units by currency and code; a handful of accounts, whatever their history."""
    rows = session.execute(
        sa.select(LedgerAccount.currency, LedgerAccount.code, sa.func.sum(LedgerBalance.amount))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code.in_(PLACES))
        .group_by(LedgerAccount.currency, LedgerAccount.code)
    )
    held: dict[str, dict[str, int]] = {}
    for currency, code, amount in rows:
        held.setdefault(currency, {})[code] = int(amount)
    return {currency: codes for currency, codes in held.items() if any(codes.values())}
