"""Reading the books for pages and reports. Finance sees all of them, so nothing here is scoped by person."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, selectinload

from marketplace.errors import NotFound
from marketplace.i18n import gettext as _
from marketplace.ledger import knowledge
from marketplace.ledger.chart import name_of
from marketplace.ledger.models import JournalEntry, LedgerAccount, LedgerBalance, Posting
from marketplace.money import Money

# The order of the books: by their day, then as it was entered.
IN_TURN = (JournalEntry.booked_on, Posting.id)


@dataclass(frozen=True)
class TrialLine:
    """One code of the chart: `amount` in minor units, debit positive, over `accounts` accounts."""

    code: str
    currency: str
    amount: int
    accounts: int

    @property
    def name(self) -> str:
        return name_of(self.code)

    @property
    def memo(self) -> bool:
        return self.code.startswith("9")

    @property
    def debit(self) -> Money | None:
        return Money(self.amount, self.currency) if self.amount > 0 else None

    @property
    def credit(self) -> Money | None:
        return Money(-self.amount, self.currency) if self.amount < 0 else None


@dataclass(frozen=True)
class Turnover:
    """What both sides of an account took in."""

    debit: Money
    credit: Money


@dataclass(frozen=True)
class AccountLine:
    """A posting with the account's balance after it, in minor units, debit positive."""

    posting: Posting
    balance: int


def trial_balance(
    session: Session, currency: str, at: date | None = None, known: datetime | None = None
) -> list[TrialLine]:
    """The balance of every code at the end of day `at` of the books, or now; as it was `known` at a moment.

    Debits and credits are equal, of the memo accounts by themselves too. Walks back from the kept balances,
    so that a recent day costs what has happened since.
    """
    if known is not None:
        return _known_trial_balance(session, currency, at, known)
    total = sa.func.sum(LedgerBalance.amount)
    rows = session.execute(
        sa.select(LedgerAccount.code, total, sa.func.count(LedgerAccount.id.distinct()))
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.currency == currency)
        .group_by(LedgerAccount.code)
        .order_by(LedgerAccount.code)
    )
    since = _moved_since(session, currency, at) if at else {}
    return [
        TrialLine(code, currency, int(amount) - since.get(code, 0), accounts)
        for code, amount, accounts in rows
    ]


def _known_trial_balance(
    session: Session, currency: str, at: date | None, known: datetime
) -> list[TrialLine]:
    knowledge.wait(session)
    by_code: dict[str, list[int]] = {}
    for _id, code, amount in knowledge.sums(session, known, at, LedgerAccount.currency == currency):
        by_code.setdefault(code, []).append(amount)
    return [TrialLine(code, currency, sum(each), len(each)) for code, each in by_code.items()]


def currencies(session: Session) -> list[str]:
    """The currencies of the books."""
    return list(
        session.scalars(sa.select(LedgerAccount.currency).distinct().order_by(LedgerAccount.currency))
    )


def journal(
    *,
    code: str = "",
    text: str = "",
    since: date | None = None,
    until: date | None = None,
    known: datetime | None = None,
) -> sa.Select[JournalEntry]:
    """Entries with their postings: those that touch `code`, whose source begins with `text`.

    Booked from day `since` to day `until` of the books, both included; without either, all.
    """
    query = sa.select(JournalEntry).options(
        selectinload(JournalEntry.postings).joinedload(Posting.account, innerjoin=True)
    )
    query = query.where(*_within(since, until, known))
    if text:
        query = query.where(JournalEntry.source.startswith(text, autoescape=True))
    if code:
        touching = sa.select(Posting.entry_id).join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        query = query.where(JournalEntry.id.in_(touching.where(LedgerAccount.code == code)))
    return query


def find_entry(session: Session, public_id: uuid.UUID) -> JournalEntry:
    """The entry. Raises NotFound."""
    entry = session.scalar(journal().where(JournalEntry.public_id == public_id))
    if entry is None:
        raise NotFound(_("There is no such entry."))
    return entry


def find_account(session: Session, key: str, currency: str) -> LedgerAccount:
    """The account. Raises NotFound before its first posting."""
    account = session.scalar(
        sa.select(LedgerAccount).where(LedgerAccount.key == key, LedgerAccount.currency == currency)
    )
    if account is None:
        raise NotFound(_("Nothing was posted to such an account."))
    return account


def reversal_of(session: Session, entry: JournalEntry) -> JournalEntry | None:
    """The entry that took this one back."""
    return session.scalar(sa.select(JournalEntry).where(JournalEntry.reverses_id == entry.id))


def taken_back_by(session: Session, entry: JournalEntry) -> JournalEntry | None:
    """The entry that this one took back."""
    return session.get(JournalEntry, entry.reverses_id) if entry.reverses_id else None


def accounts_of(
    code: str, currency: str, *, empty: bool = True, known: datetime | None = None
) -> sa.Select[LedgerAccount]:
    """The accounts of a code, for paging; without `empty` only those that hold something now; those that had
    postings which were `known` at a moment."""
    query = sa.select(LedgerAccount).where(LedgerAccount.code == code, LedgerAccount.currency == currency)
    if known is not None:
        had = sa.select(Posting.account_id).join(JournalEntry, JournalEntry.id == Posting.entry_id)
        return query.where(LedgerAccount.id.in_(had.where(knowledge.was_known(known))))
    if empty:
        return query
    held = (
        sa.select(LedgerBalance.account_id)
        .group_by(LedgerBalance.account_id)
        .having(sa.func.sum(LedgerBalance.amount) != 0)
    )
    return query.where(LedgerAccount.id.in_(held))


def balances_of(
    session: Session,
    accounts: Sequence[LedgerAccount],
    at: date | None = None,
    known: datetime | None = None,
) -> dict[int, int]:
    """Balances by internal id at the end of day `at` of the books, or now; debit positive. As it was `known`
    at a moment, if one is given."""
    ids = [account.id for account in accounts]
    if known is not None:
        knowledge.wait(session)
        found = knowledge.sums(session, known, at, LedgerAccount.id.in_(ids))
        return dict.fromkeys(ids, 0) | {account_id: amount for account_id, _code, amount in found}
    rows = session.execute(
        sa.select(LedgerBalance.account_id, sa.func.sum(LedgerBalance.amount))
        .where(LedgerBalance.account_id.in_(ids))
        .group_by(LedgerBalance.account_id)
    )
    since = _posted_since(session, ids, at) if at else {}
    return {account_id: int(amount) - since.get(account_id, 0) for account_id, amount in rows}


def balance_of_code(
    session: Session, code: str, currency: str, at: date | None = None, known: datetime | None = None
) -> int:
    """The balance of all accounts of a code together, as `balances_of`."""
    lines = trial_balance(session, currency, at, known)
    return next((line.amount for line in lines if line.code == code), 0)


def postings_of(
    account: LedgerAccount,
    until: date | None = None,
    since: date | None = None,
    known: datetime | None = None,
) -> sa.Select[Posting]:
    """The account's postings within days of the books, or all, with their entries, to be paged `IN_TURN`; of
    those that were `known` at a moment."""
    return (
        sa.select(Posting)
        .join(Posting.entry)
        .where(Posting.account_id == account.id, *_within(since, until, known))
        .options(contains_eager(Posting.entry))
    )


def moved(
    session: Session,
    account: LedgerAccount,
    since: date | None,
    until: date | None,
    known: datetime | None = None,
) -> Turnover:
    """What was debited and credited within days of the books, as `known` then."""
    amounts = postings_of(account, until, since, known).with_only_columns(Posting.amount).subquery()
    debit, credit = session.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(amounts.c.amount).filter(amounts.c.amount > 0), 0),
            sa.func.coalesce(-sa.func.sum(amounts.c.amount).filter(amounts.c.amount < 0), 0),
        )
    ).one()
    return Turnover(Money(int(debit), account.currency), Money(int(credit), account.currency))


def running(
    session: Session,
    account: LedgerAccount,
    postings: Sequence[Posting],
    until: date | None = None,
    known: datetime | None = None,
) -> list[AccountLine]:
    """The postings, the last of the books first, each with the balance after it; no later ones than `until`.

    The balance is that of the books' days: what was booked late for an earlier day comes before.
    """
    if not postings:
        return []
    first = sa.tuple_(sa.literal(postings[0].booked_on), sa.literal(postings[0].id))
    later = (
        postings_of(account, until, known=known)
        .where(sa.tuple_(*IN_TURN) > first)
        .with_only_columns(Posting.amount)
        .subquery()
    )
    newer = session.scalar(sa.select(sa.func.coalesce(sa.func.sum(later.c.amount), 0)))
    balance = balances_of(session, [account], until, known)[account.id] - int(newer or 0)
    lines = []
    for posting in postings:
        lines.append(AccountLine(posting, balance))
        balance -= posting.amount
    return lines


def _within(
    since: date | None, until: date | None, known: datetime | None = None
) -> list[sa.ColumnElement[bool]]:
    bounds = [knowledge.was_known(known)] if known else []
    if since:
        bounds.append(JournalEntry.booked_on >= since)
    if until:
        bounds.append(JournalEntry.booked_on <= until)
    return bounds


def _posted_since(session: Session, account_ids: Sequence[int], day: date) -> dict[int, int]:
    rows = session.execute(
        sa.select(Posting.account_id, sa.func.sum(Posting.amount))
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(Posting.account_id.in_(account_ids), JournalEntry.booked_on > day)
        .group_by(Posting.account_id)
    )
    return {account_id: int(amount) for account_id, amount in rows}


def _moved_since(session: Session, currency: str, day: date) -> dict[str, int]:
    rows = session.execute(
        sa.select(LedgerAccount.code, sa.func.sum(Posting.amount))
        .join(Posting, Posting.account_id == LedgerAccount.id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(LedgerAccount.currency == currency, JournalEntry.booked_on > day)
        .group_by(LedgerAccount.code)
    )
    return {code: int(amount) for code, amount in rows}
