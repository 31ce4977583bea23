"""What Stripe and the bank said, which of it explains what, and what nothing explains yet."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.db import Base, Key, Public, Word
from marketplace.ledger import chart
from marketplace.ledger.models import Posting
from marketplace.money import Money
from marketplace.payments.models import ConnectedPayout, Funding, Sweep
from marketplace.reconciliation.states import (
    DecisionKind,
    DecisionState,
    ItemState,
    Kind,
    Leg,
    LineState,
    MatchState,
    StatementState,
)


class StripeTransaction(Base):
    """A balance transaction as Stripe gave it; `account` is None for the platform's own balance.

    `payout` is the automatic payout that carries it, once Stripe has said so.
    """

    __tablename__ = "stripe_transactions"

    id: Mapped[Key]
    stripe_id: Mapped[str] = mapped_column(sa.Text(collation="C"), unique=True)
    account: Mapped[str | None] = mapped_column(sa.Text(collation="C"))
    type: Mapped[str]
    reporting_category: Mapped[str]
    amount: Mapped[int]
    fee: Mapped[int]
    net: Mapped[int]
    currency: Mapped[str]
    source: Mapped[str | None] = mapped_column(sa.Text(collation="C"), index=True)
    payout: Mapped[str | None] = mapped_column(sa.Text(collation="C"), index=True)
    created_at: Mapped[datetime]
    available_on: Mapped[datetime]


class StripeBalance(Base):
    """A balance as last fetched together with its transactions, in minor units."""

    __tablename__ = "stripe_balances"
    __table_args__ = (sa.UniqueConstraint("account", "currency", postgresql_nulls_not_distinct=True),)

    id: Mapped[Key]
    account: Mapped[str | None] = mapped_column(sa.Text(collation="C"))
    currency: Mapped[str]
    available: Mapped[int]
    pending: Mapped[int]
    fetched_at: Mapped[datetime]


class StripeFunds(Base):
    """The platform's balance in one currency by Stripe's source type, in minor units, as last fetched: what
    may be sent now, and what becomes available later."""

    __tablename__ = "stripe_funds"

    currency: Mapped[str] = mapped_column(primary_key=True)
    source_type: Mapped[str] = mapped_column(primary_key=True)
    available: Mapped[int]
    pending: Mapped[int]
    fetched_at: Mapped[datetime]


class SetAside:
    """Gives a table who set a row aside, when and why; all of it or nothing."""

    set_aside_at: Mapped[datetime | None]
    set_aside_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    set_aside_reason: Mapped[str | None]

    @declared_attr
    def set_aside_person(cls) -> Mapped[Person | None]:  # noqa: N805 (SQLAlchemy calls it with the class)
        """Who did it."""
        return relationship(foreign_keys=[cls.set_aside_by])  # type: ignore[list-item]


class BankAccount(Base, Public, SetAside):
    """An account of the operator at a bank, known by the number that its statements carry.

    `client_money`: it holds clients' money, account 1020; else the operator's own, account 1010.
    """

    __tablename__ = "bank_accounts"
    __table_args__ = (sa.UniqueConstraint("number", "currency"),)

    id: Mapped[Key]
    number: Mapped[str]
    currency: Mapped[str]
    opened_at: Mapped[datetime]
    client_money: Mapped[bool] = mapped_column(default=False, server_default=sa.false())

    @property
    def ledger_account(self) -> chart.Account:
        """Where the books keep it."""
        return chart.bank_client() if self.client_money else chart.bank_operating()

    @property
    def mask(self) -> str:
        return "…" + self.number[-4:]


class StatementFile(Base, Public):
    """A file that somebody imported; the same bytes come in once.

    `superseded` when they came in again, because what they had brought was set aside.
    """

    __tablename__ = "statement_files"

    id: Mapped[Key]
    sha256: Mapped[bytes]
    name: Mapped[str]
    format: Mapped[str]
    new_lines: Mapped[int]
    known_lines: Mapped[int]
    imported_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    imported_at: Mapped[datetime]
    superseded: Mapped[bool] = mapped_column(default=False, server_default=sa.false())

    statements: Mapped[list[BankStatement]] = relationship(back_populates="file", order_by="BankStatement.id")


class BankStatement(Base, Public, SetAside):
    """A statement: opening balance, lines, closing balance. `problems` are sentences about what is wrong.

    `set_aside_from` is the state that it was set aside from. `lines` are those that it brought first.
    """

    __tablename__ = "bank_statements"

    id: Mapped[Key]
    file_id: Mapped[int] = mapped_column(sa.ForeignKey("statement_files.id"), index=True)
    bank_account_id: Mapped[int] = mapped_column(sa.ForeignKey("bank_accounts.id"), index=True)
    number: Mapped[str]
    opening: Mapped[int | None]
    closing: Mapped[int | None]
    from_on: Mapped[date]
    to_on: Mapped[date]
    state: Mapped[StatementState] = mapped_column(Word(StatementState))
    problems: Mapped[list[str]] = mapped_column(JSONB, default=list)
    set_aside_from: Mapped[StatementState | None] = mapped_column(Word(StatementState))

    file: Mapped[StatementFile] = relationship(back_populates="statements")
    account: Mapped[BankAccount] = relationship()
    lines: Mapped[list[StatementLine]] = relationship(back_populates="statement", order_by="StatementLine.id")


class StatementContent(Base):
    """A statement holds a line, whichever statement brought it first."""

    __tablename__ = "statement_contents"

    statement_id: Mapped[int] = mapped_column(sa.ForeignKey("bank_statements.id"), primary_key=True)
    line_id: Mapped[int] = mapped_column(sa.ForeignKey("statement_lines.id"), primary_key=True, index=True)


class StatementLine(Base, Public):
    """One line, signed as the account sees it; `line_key` makes it the same line in every file.
    `creditor_ref` is what the payer gave as a structured reference.

    The key is unique in the account among the lines that are not set aside.
    """

    __tablename__ = "statement_lines"

    id: Mapped[Key]
    statement_id: Mapped[int] = mapped_column(sa.ForeignKey("bank_statements.id"), index=True)
    bank_account_id: Mapped[int] = mapped_column(sa.ForeignKey("bank_accounts.id"))
    line_key: Mapped[str] = mapped_column(sa.Text(collation="C"))
    booked_on: Mapped[date]
    value_on: Mapped[date | None]
    amount: Mapped[int]
    currency: Mapped[str]
    bank_ref: Mapped[str]
    end_to_end: Mapped[str]
    counterparty: Mapped[str]
    text: Mapped[str]
    creditor_ref: Mapped[str] = mapped_column(default="", server_default="")
    counterparty_account: Mapped[str] = mapped_column(default="", server_default="")
    state: Mapped[LineState] = mapped_column(Word(LineState), default=LineState.IMPORTED)

    statement: Mapped[BankStatement] = relationship(back_populates="lines")

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class StatementMatch(Base, Public):
    """Things that explain each other, by which pass (0 is by hand), and why, as codes that `words` says."""

    __tablename__ = "statement_matches"

    id: Mapped[Key]
    pass_number: Mapped[int] = mapped_column("pass", sa.SmallInteger)
    leg: Mapped[Leg] = mapped_column(Word(Leg))
    state: Mapped[MatchState] = mapped_column(Word(MatchState))
    reasons: Mapped[list[str]] = mapped_column(JSONB)
    note: Mapped[str] = mapped_column(default="")
    matched_at: Mapped[datetime]
    confirmed_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    undone_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    undone_at: Mapped[datetime | None]

    lines: Mapped[list[StatementMatchLine]] = relationship(
        back_populates="match", order_by="StatementMatchLine.id"
    )


class StatementMatchLine(Base):
    """One of the things that a match joins: exactly one reference is set.

    `live` while the match is confirmed: a thing has one live match on each leg, which the database keeps.
    """

    __tablename__ = "statement_match_lines"

    id: Mapped[Key]
    match_id: Mapped[int] = mapped_column(sa.ForeignKey("statement_matches.id"), index=True)
    leg: Mapped[Leg] = mapped_column(Word(Leg))
    live: Mapped[bool]
    statement_line_id: Mapped[int | None] = mapped_column(sa.ForeignKey("statement_lines.id"))
    stripe_transaction_id: Mapped[int | None] = mapped_column(sa.ForeignKey("stripe_transactions.id"))
    posting_id: Mapped[int | None] = mapped_column(sa.ForeignKey("postings.id"))
    connected_payout_id: Mapped[int | None] = mapped_column(sa.ForeignKey("connected_payouts.id"))
    sweep_id: Mapped[int | None] = mapped_column(sa.ForeignKey("sweeps.id"))
    funding_id: Mapped[int | None] = mapped_column(sa.ForeignKey("fundings.id"))

    match: Mapped[StatementMatch] = relationship(back_populates="lines")
    statement_line: Mapped[StatementLine | None] = relationship()
    stripe_transaction: Mapped[StripeTransaction | None] = relationship()
    posting: Mapped[Posting | None] = relationship()
    connected_payout: Mapped[ConnectedPayout | None] = relationship()
    sweep: Mapped[Sweep | None] = relationship()
    funding: Mapped[Funding | None] = relationship()


class Decision(Base, Public):
    """One person's proposal to move clients' wired money, which another confirms: to undo `match`, to apply
    `line` to the request `funding`, or to say that `line` gave the unapplied money of `source` back.

    A line has one that waits. The proposal and the decision stay as they are.
    """

    __tablename__ = "client_money_decisions"

    id: Mapped[Key]
    kind: Mapped[DecisionKind] = mapped_column(Word(DecisionKind))
    statement_line_id: Mapped[int] = mapped_column(sa.ForeignKey("statement_lines.id"), index=True)
    match_id: Mapped[int | None] = mapped_column(sa.ForeignKey("statement_matches.id"))
    funding_id: Mapped[int | None] = mapped_column(sa.ForeignKey("fundings.id"))
    source: Mapped[str | None] = mapped_column(sa.Text(collation="C"))
    reason: Mapped[str]
    state: Mapped[DecisionState] = mapped_column(Word(DecisionState), default=DecisionState.PROPOSED)
    proposed_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    proposed_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]

    line: Mapped[StatementLine] = relationship()
    match: Mapped[StatementMatch | None] = relationship()
    funding: Mapped[Funding | None] = relationship()
    proposer: Mapped[Person] = relationship(foreign_keys=[proposed_by])
    decider: Mapped[Person | None] = relationship(foreign_keys=[decided_by])


class OpenItem(Base, Public):
    """What nothing explains: of one kind, with its amount, since when, and whose it is to clear."""

    __tablename__ = "open_items"

    id: Mapped[Key]
    kind: Mapped[Kind] = mapped_column(Word(Kind))
    subject: Mapped[str] = mapped_column(sa.Text(collation="C"))
    amount: Mapped[int]
    currency: Mapped[str]
    since: Mapped[date]
    opened_at: Mapped[datetime]
    state: Mapped[ItemState] = mapped_column(Word(ItemState), default=ItemState.OPEN)
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    resolved_at: Mapped[datetime | None]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def subject_id(self) -> uuid.UUID | None:
        """The public id inside the subject, when it has one."""
        try:
            return uuid.UUID(self.subject.partition(":")[2])
        except ValueError:
            return None
