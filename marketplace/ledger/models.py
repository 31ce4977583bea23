"""Periods, accounts, entries, postings, kept balances and seals. Entries are append-only."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.db import Base, Key, Public, Word
from marketplace.ledger import chart
from marketplace.ledger.chart import Kind
from marketplace.ledger.states import PeriodState
from marketplace.money import Money

BY_DEBIT = (Kind.ASSET, Kind.EXPENSE, Kind.MEMO)


class Period(Base, Public):
    """A month of the books, in the books' zone. On hold, what happens is booked in the next month."""

    __tablename__ = "ledger_periods"

    id: Mapped[Key]
    month: Mapped[date] = mapped_column(unique=True)
    state: Mapped[PeriodState] = mapped_column(Word(PeriodState), default=PeriodState.OPEN)
    opened_at: Mapped[datetime]
    prepared_by: Mapped[int | None]
    prepared_at: Mapped[datetime | None]
    closed_by: Mapped[int | None]
    closed_at: Mapped[datetime | None]


class LedgerAccount(Base):
    """One key of the chart in one currency. It is made by its first posting."""

    __tablename__ = "ledger_accounts"
    __table_args__ = (
        sa.UniqueConstraint("key", "currency"),
        sa.UniqueConstraint("id", "currency"),
        sa.Index("ix_ledger_accounts_code", "code", "currency"),
    )

    id: Mapped[Key]
    key: Mapped[str] = mapped_column(sa.Text(collation="C"))
    currency: Mapped[str]
    code: Mapped[str]
    kind: Mapped[Kind] = mapped_column(Word(Kind))
    hot: Mapped[bool]

    @property
    def name(self) -> str:
        return chart.name_of(self.code)

    def usual(self, amount: int) -> Money:
        """A balance (debit positive) as people say it: positive on the account's usual side."""
        return Money(amount if self.kind in BY_DEBIT else -amount, self.currency)


class LedgerBalance(Base):
    """What a trigger keeps: the sum of an account's postings is the sum of its shards, debit positive."""

    __tablename__ = "ledger_balances"

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("ledger_accounts.id"), primary_key=True)
    shard: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int]


class JournalEntry(Base, Public):
    """One thing that happened, once for each (source, event).

    `occurred_at` is when it happened (UTC); `booked_on` the day of the books that carries it, which is the
    first of the next open month when its own month was no longer open.
    """

    __tablename__ = "journal_entries"
    __table_args__ = (
        sa.UniqueConstraint("source", "event"),
        sa.Index("ix_journal_entries_booked_on", "booked_on", "id"),
    )

    id: Mapped[Key]
    source: Mapped[str] = mapped_column(sa.Text(collation="C"))
    event: Mapped[str]
    occurred_at: Mapped[datetime]
    booked_on: Mapped[date]
    memo: Mapped[str]
    person_id: Mapped[int | None]
    request_id: Mapped[str]
    reverses_id: Mapped[int | None] = mapped_column(sa.ForeignKey("journal_entries.id"), unique=True)
    postings: Mapped[list[Posting]] = relationship(order_by="Posting.id", viewonly=True)

    @property
    def total(self) -> Money:
        """What either side makes."""
        debits = [posting for posting in self.postings if posting.amount > 0]
        return Money(sum(posting.amount for posting in debits), debits[0].currency)


class Posting(Base):
    """One line of an entry: `amount` in minor units, debit positive, credit negative, never zero."""

    __tablename__ = "postings"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["account_id", "currency"], ["ledger_accounts.id", "ledger_accounts.currency"]
        ),
        sa.Index("ix_postings_account_id", "account_id", "id", postgresql_include=["amount"]),
    )

    id: Mapped[Key]
    entry_id: Mapped[int] = mapped_column(sa.ForeignKey("journal_entries.id"), index=True)
    account_id: Mapped[int]
    amount: Mapped[int]
    currency: Mapped[str]
    account: Mapped[LedgerAccount] = relationship(viewonly=True)
    entry: Mapped[JournalEntry] = relationship(viewonly=True)

    @property
    def booked_on(self) -> date:
        """The day of the books of its entry."""
        return self.entry.booked_on

    @property
    def debit(self) -> Money | None:
        return Money(self.amount, self.currency) if self.amount > 0 else None

    @property
    def credit(self) -> Money | None:
        return Money(-self.amount, self.currency) if self.amount < 0 else None


class JournalSeal(Base):
    """The place of a committed entry in the chain: `hash` covers the entry and the hash before it. The books
    know the entry since `sealed_at` (UTC), which never falls along the chain."""

    __tablename__ = "journal_seals"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(sa.ForeignKey("journal_entries.id"), unique=True)
    hash: Mapped[bytes]
    previous_hash: Mapped[bytes]
    sealed_at: Mapped[datetime]
