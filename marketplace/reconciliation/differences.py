"""The sides held against each other, per currency: what each says, and what explains the difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.ledger import chart, queries
from marketplace.money import Money
from marketplace.reconciliation import sql
from marketplace.reconciliation.bank_accounts import all_accounts, last_statement, opening_of, opening_source
from marketplace.reconciliation.models import BankAccount, StatementLine, StripeBalance
from marketplace.reconciliation.states import Kind, LineState

Remainder = tuple[Kind, str, str, int]


@dataclass(frozen=True)
class StripeSide:
    """Ledger 1100 against the platform's Stripe balance as fetched at `as_of`, in minor units.

    `newer` was booked after that and is not shown by Stripe yet; `not_booked` is at Stripe only, `not_shown`
    in the ledger only.
    """

    currency: str
    ledger: int
    stripe: int
    newer: int
    not_booked: int
    not_shown: int
    as_of: datetime | None

    @property
    def difference(self) -> int:
        """What the ledger says beyond Stripe, as of the fetch."""
        return self.ledger - self.newer - self.stripe

    @property
    def remainder(self) -> int:
        """What no single line explains."""
        return self.difference - self.not_shown + self.not_booked


@dataclass(frozen=True)
class BankSide:
    """Ledger 1010 against the closing balances of the last statements, up to `as_of`, in minor units.

    `unexplained` are bank lines that nothing explains, `opening` what the accounts held before their first
    statement and nobody booked, `in_transit` what left Stripe and is not on a statement.
    """

    currency: str
    ledger: int
    bank: int
    unexplained: int
    opening: int
    in_transit: int
    as_of: date | None

    @property
    def difference(self) -> int:
        return self.ledger - self.bank

    @property
    def remainder(self) -> int:
        """What no single line explains."""
        return self.difference + self.unexplained + self.opening


@dataclass(frozen=True)
class AccountSide:
    """Memo 9110 of an expert against the balance of the connected account, in minor units."""

    account: str
    currency: str
    ledger: int
    stripe: int
    newer: int
    as_of: datetime

    @property
    def difference(self) -> int:
        return self.ledger - self.newer - self.stripe


UNMATCHED_PLATFORM = sa.text(f"""
    WITH {sql.WAITING}
    SELECT currency, sum(net) FROM waiting WHERE account IS NULL GROUP BY currency
""")  # noqa: S608 (constants of our own)

UNSHOWN = sa.text(f"""
    WITH {sql.UNCONFIRMED}
    SELECT currency, sum(amount) FILTER (WHERE occurred_at > fetched_at),
        sum(amount) FILTER (WHERE occurred_at <= fetched_at)
    FROM unconfirmed WHERE code = '1100' GROUP BY currency
""")  # noqa: S608

ACCOUNTS = sa.text(f"""
    WITH {sql.UNCONFIRMED}, newer AS (
        SELECT account_key, currency, sum(amount) AS amount FROM unconfirmed
        WHERE code = '9110' AND occurred_at > fetched_at GROUP BY account_key, currency
    ), held AS (
        SELECT a.key, a.currency, sum(b.amount) AS amount FROM ledger_accounts a
        JOIN ledger_balances b ON b.account_id = a.id WHERE a.code = '9110' GROUP BY a.id
    )
    SELECT b.account, b.currency, coalesce(h.amount, 0), b.available + b.pending, coalesce(n.amount, 0),
        b.fetched_at
    FROM stripe_balances b
    JOIN connected_accounts c ON c.stripe_id = b.account
    JOIN people p ON p.id = c.person_id
    LEFT JOIN held h ON h.key = 'expert:' || p.public_id || '\\:held' AND h.currency = b.currency
    LEFT JOIN newer n ON n.account_key = h.key AND n.currency = b.currency
    ORDER BY b.account, b.currency
""")  # noqa: S608


def currencies(session: Session) -> list[str]:
    """Every currency that any side speaks of."""
    named = {*queries.currencies(session)}
    named |= set(session.scalars(sa.select(StripeBalance.currency).distinct()))
    named |= set(session.scalars(sa.select(BankAccount.currency).distinct()))
    return sorted(named)


def stripe_sides(session: Session) -> list[StripeSide]:
    """One for each currency."""
    waiting = {currency: int(net) for currency, net in session.execute(UNMATCHED_PLATFORM)}
    unshown = {currency: (int(new or 0), int(old or 0)) for currency, new, old in session.execute(UNSHOWN)}
    kept = {
        balance.currency: balance
        for balance in session.scalars(sa.select(StripeBalance).where(StripeBalance.account.is_(None)))
    }
    sides = []
    for currency in currencies(session):
        newer, not_shown = unshown.get(currency, (0, 0))
        balance = kept.get(currency)
        sides.append(
            StripeSide(
                currency=currency,
                ledger=_code(session, chart.stripe_balance().code, currency),
                stripe=balance.available + balance.pending if balance else 0,
                newer=newer,
                not_booked=waiting.get(currency, 0),
                not_shown=not_shown,
                as_of=balance.fetched_at if balance else None,
            )
        )
    return sides


def bank_sides(session: Session) -> list[BankSide]:
    """One for each currency."""
    return [_bank_side(session, currency) for currency in currencies(session)]


def account_sides(session: Session) -> list[AccountSide]:
    """One for each connected account and currency that was fetched, never summed over accounts."""
    return [
        AccountSide(account, currency, int(ledger), int(stripe), int(newer), as_of)
        for account, currency, ledger, stripe, newer, as_of in session.execute(ACCOUNTS)
    ]


def remainders(session: Session) -> list[Remainder]:
    """What no line explains, as open items: the opening of a bank account, and drift on any side."""
    openings = [
        (Kind.MISSING_INTERNAL, opening_source(account), account.currency, opening.rest.amount)
        for account in all_accounts(session)
        if (opening := opening_of(session, account)).rest
    ]
    drift = [
        (Kind.DRIFT, subject, side.currency, side.remainder)
        for subject, sides in (
            ("stripe:balance", stripe_sides(session)),
            ("bank:operating", bank_sides(session)),
        )
        for side in sides
        if side.as_of and side.remainder
    ]
    return [*openings, *drift]


def _bank_side(session: Session, currency: str) -> BankSide:
    accounts = session.scalars(sa.select(BankAccount).where(BankAccount.currency == currency)).all()
    last = [statement for account in accounts if (statement := last_statement(session, account))]
    unexplained = session.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(StatementLine.amount), 0)).where(
            StatementLine.currency == currency, StatementLine.state != LineState.MATCHED
        )
    )
    return BankSide(
        currency=currency,
        ledger=_code(session, chart.bank_operating().code, currency),
        bank=sum(statement.closing or 0 for statement in last),
        unexplained=int(unexplained or 0),
        opening=sum(opening_of(session, account).rest.amount for account in accounts),
        in_transit=_code(session, chart.payouts_in_transit().code, currency),
        as_of=min((statement.to_on for statement in last), default=None),
    )


def _code(session: Session, code: str, currency: str) -> int:
    lines = queries.trial_balance(session, currency)
    return next((line.amount for line in lines if line.code == code), 0)


def explained(side: StripeSide | BankSide) -> Iterator[tuple[str, Money]]:
    """What the ledger says beyond the other side, in parts that are not zero, as codes for the page."""
    if isinstance(side, StripeSide):
        parts = {"newer": side.newer, "not_shown": side.not_shown, "not_booked": -side.not_booked}
    else:
        parts = {"unexplained": -side.unexplained, "opening": -side.opening}
    for part, amount in {**parts, "remainder": side.remainder}.items():
        if amount:
            yield part, Money(amount, side.currency)
