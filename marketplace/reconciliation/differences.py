"""The sides held against each other, per currency: what each says, and what explains the difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.ledger import chart, queries
from marketplace.money import Money
from marketplace.reconciliation import sql
from marketplace.reconciliation.bank_accounts import all_accounts, last_statement, opening_of, opening_source
from marketplace.reconciliation.models import BankAccount, StatementLine, StripeBalance
from marketplace.reconciliation.states import NOT_EXPLAINED, Kind
from marketplace.reconciliation.subjects import BANK_SIDES, STRIPE_SIDE

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
class BankPart:
    """What ledger 1010, or 1020, says of one bank account against the closing balance of its last statement.

    In minor units, up to `as_of`. `unexplained` are bank lines that nothing explains, `opening` what the
    account held before its first statement and nobody booked.
    """

    account: BankAccount
    ledger: int
    bank: int
    unexplained: int
    opening: int
    as_of: date | None

    @property
    def currency(self) -> str:
        return self.account.currency

    @property
    def difference(self) -> int:
        return self.ledger - self.bank

    @property
    def remainder(self) -> int:
        """What no single line explains."""
        return self.difference + self.unexplained + self.opening


@dataclass(frozen=True)
class BankSide:
    """All of ledger 1010, or of 1020, in one currency against its bank accounts, in minor units.

    `in_transit` is what left Stripe and is not on a statement; `not_shown` what was booked on 1020 and is on
    none yet.
    """

    currency: str
    ledger: int
    in_transit: int
    parts: list[BankPart]
    code: str = chart.bank_operating().code
    not_shown: int = 0

    @property
    def bank(self) -> int:
        return sum(part.bank for part in self.parts)

    @property
    def unexplained(self) -> int:
        return sum(part.unexplained for part in self.parts)

    @property
    def opening(self) -> int:
        return sum(part.opening for part in self.parts)

    @property
    def as_of(self) -> date | None:
        """Up to when every account with a statement is known."""
        return min((part.as_of for part in self.parts if part.as_of), default=None)

    @property
    def difference(self) -> int:
        return self.ledger - self.bank

    @property
    def of_no_account(self) -> int:
        """What was booked at the bank and is on no account's statements."""
        return self.ledger - sum(part.ledger for part in self.parts)

    @property
    def remainder(self) -> int:
        """What no single line explains."""
        return self.difference + self.unexplained + self.opening - self.not_shown


@dataclass(frozen=True)
class AccountSide:
    """Memo 9110 of an expert against the balance of the connected account, in minor units.

    `key` names the ledger account; there is none before its first posting.
    """

    account: str
    name: str
    key: str | None
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

ACCOUNTS = (
    sa.text(f"""
        WITH {sql.UNCONFIRMED}, newer AS (
            SELECT account_key, currency, sum(amount) AS amount FROM unconfirmed
            WHERE code = '9110' AND occurred_at > fetched_at GROUP BY account_key, currency
        ), held AS (
            SELECT a.key, a.currency, sum(b.amount) AS amount FROM ledger_accounts a
            JOIN ledger_balances b ON b.account_id = a.id WHERE a.code = '9110' GROUP BY a.id
        )
        SELECT b.id, b.account, p.full_name AS name, h.key, b.currency, coalesce(h.amount, 0) AS ledger,
            b.available + b.pending AS stripe, coalesce(n.amount, 0) AS newer, b.fetched_at AS as_of
        FROM stripe_balances b
        JOIN connected_accounts c ON c.stripe_id = b.account
        JOIN people p ON p.id = c.person_id
        LEFT JOIN held h ON h.key = 'expert\\:' || p.public_id || '\\:held' AND h.currency = b.currency
        LEFT JOIN newer n ON n.account_key = h.key AND n.currency = b.currency
    """)  # noqa: S608
    .columns(
        sa.column("id", sa.BigInteger),
        sa.column("account", sa.Text),
        sa.column("name", sa.Text),
        sa.column("key", sa.Text),
        sa.column("currency", sa.Text),
        sa.column("ledger", sa.BigInteger),
        sa.column("stripe", sa.BigInteger),
        sa.column("newer", sa.BigInteger),
        sa.column("as_of", sa.DateTime(timezone=True)),
    )
    .subquery("accounts")
)
DIFFERS = ACCOUNTS.c.ledger - ACCOUNTS.c.newer != ACCOUNTS.c.stripe

NOT_SHOWN_YET = sa.text(f"""
    WITH {sql.NOT_ON_STATEMENT} SELECT currency, sum(amount) FROM not_on_statement GROUP BY currency
""")  # noqa: S608

# By bank account: what the ledger says of its explained lines, and the sum of those that nothing explains.
EXPLAINED = sa.text("""
    SELECT s.bank_account_id, sum(p.amount)
    FROM statement_match_lines m
    JOIN postings p ON p.id = m.posting_id
    JOIN statement_match_lines o ON o.match_id = m.match_id AND o.live
    JOIN statement_lines s ON s.id = o.statement_line_id
    WHERE m.leg = 'bank' AND m.live
    GROUP BY s.bank_account_id
""")
UNEXPLAINED = (
    sa.select(StatementLine.bank_account_id, sa.func.sum(StatementLine.amount))
    .where(StatementLine.state.in_(NOT_EXPLAINED))
    .group_by(StatementLine.bank_account_id)
)


def currencies(session: Session) -> list[str]:
    """Every currency that any side speaks of."""
    named = {*queries.currencies(session)}
    named |= set(session.scalars(sa.select(StripeBalance.currency).distinct()))
    named |= {account.currency for account in all_accounts(session)}
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
    """One for each currency, and one more where there is an account for clients' money."""
    parts = bank_parts(session)
    not_shown = {currency: int(amount) for currency, amount in session.execute(NOT_SHOWN_YET)}
    sides = []
    for currency in currencies(session):
        own = [part for part in parts if part.currency == currency and not part.account.client_money]
        clients = [part for part in parts if part.currency == currency and part.account.client_money]
        operating, client = chart.bank_operating().code, chart.bank_client().code
        in_transit = _code(session, chart.payouts_in_transit().code, currency)
        sides.append(BankSide(currency, _code(session, operating, currency), in_transit, own))
        if clients:
            held = _code(session, client, currency)
            sides.append(BankSide(currency, held, 0, clients, client, not_shown.get(currency, 0)))
    return sides


def differing_accounts() -> sa.Select[StripeBalance]:
    """Balances of connected accounts that are not as remembered, for paging."""
    return sa.select(StripeBalance).where(StripeBalance.id.in_(sa.select(ACCOUNTS.c.id).where(DIFFERS)))


def account_sides(session: Session, balances: Sequence[StripeBalance] | None = None) -> list[AccountSide]:
    """Of these balances, or of all that differ; never summed over accounts."""
    which = DIFFERS if balances is None else ACCOUNTS.c.id.in_([each.id for each in balances])
    order = (ACCOUNTS.c.id.desc(),) if balances else (ACCOUNTS.c.account, ACCOUNTS.c.currency)
    rows = session.execute(sa.select(ACCOUNTS).where(which).order_by(*order))
    return [
        AccountSide(account, name, key, currency, int(ledger), int(stripe), int(newer), as_of)
        for _id, account, name, key, currency, ledger, stripe, newer, as_of in rows
    ]


def count_accounts(session: Session) -> tuple[int, int]:
    """How many connected accounts were looked at, and how many are not as remembered."""
    looked_at, off = session.execute(
        sa.select(sa.func.count(), sa.func.count().filter(DIFFERS)).select_from(ACCOUNTS)
    ).one()
    return int(looked_at), int(off)


def remainders(session: Session) -> list[Remainder]:
    """What no line explains, as open items: the opening of a bank account, and drift on any side."""
    openings = [
        (Kind.MISSING_INTERNAL, opening_source(account), account.currency, opening.rest.amount)
        for account in all_accounts(session)
        if (opening := opening_of(session, account)).rest
    ]
    sides: list[tuple[str, StripeSide | BankSide]] = [
        *((STRIPE_SIDE, side) for side in stripe_sides(session)),
        *((BANK_SIDES[side.code], side) for side in bank_sides(session)),
    ]
    drift = [
        (Kind.DRIFT, subject, side.currency, side.remainder)
        for subject, side in sides
        if side.as_of and side.remainder
    ]
    return [*openings, *drift]


def bank_parts(session: Session) -> list[BankPart]:
    """One for each bank account that counts."""
    explained = {account: int(amount) for account, amount in session.execute(EXPLAINED)}
    unexplained = {account: int(amount) for account, amount in session.execute(UNEXPLAINED)}
    parts = []
    for account in all_accounts(session):
        last, opening = last_statement(session, account), opening_of(session, account)
        parts.append(
            BankPart(
                account,
                ledger=opening.booked + explained.get(account.id, 0),
                bank=(last.closing or 0) if last else 0,
                unexplained=unexplained.get(account.id, 0),
                opening=opening.rest.amount,
                as_of=last.to_on if last else None,
            )
        )
    return parts


def _code(session: Session, code: str, currency: str) -> int:
    lines = queries.trial_balance(session, currency)
    return next((line.amount for line in lines if line.code == code), 0)


def explained(side: StripeSide | BankSide | BankPart) -> Iterator[tuple[str, Money]]:
    """What the ledger says beyond the other side, in parts that are not zero, as codes for the page."""
    if isinstance(side, StripeSide):
        parts = {"newer": side.newer, "not_shown": side.not_shown, "not_booked": -side.not_booked}
    else:
        parts = {"unexplained": -side.unexplained, "opening": -side.opening}
    for part, amount in {**parts, "remainder": side.remainder}.items():
        if amount:
            yield part, Money(amount, side.currency)
