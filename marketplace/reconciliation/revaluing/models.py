"""Dated rates of exchange, and what a month's end made of them. Rows are only ever added and decided."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.contracts.states import OfferState
from marketplace.db import Base, Key, Public, Word
from marketplace.money import Money


class ExchangeRate(Public, Base):
    """How much of the books' currency `to_currency` one whole unit of `currency` is worth, from day `from_on`
    of the books on, until the next one; of two of the same day the one that was accepted last.

    `source` says where it was read. It counts once a second person of finance has accepted it.
    """

    __tablename__ = "exchange_rates"

    id: Mapped[Key]
    currency: Mapped[str]
    to_currency: Mapped[str]
    rate: Mapped[Decimal]
    from_on: Mapped[date]
    source: Mapped[str]
    state: Mapped[OfferState] = mapped_column(Word(OfferState))
    made_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]

    maker: Mapped[Person] = relationship(foreign_keys=[made_by])
    decider: Mapped[Person | None] = relationship(foreign_keys=[decided_by])


class Revaluation(Public, Base):
    """What one person worked out for a month's last day and another booked. A month has a further one when
    something was booked in it later, and that books only the rest.

    `up_to` is the last entry (its internal id) that the books had when it was booked.
    """

    __tablename__ = "revaluations"

    id: Mapped[Key]
    month: Mapped[date]
    currency: Mapped[str]
    state: Mapped[OfferState] = mapped_column(Word(OfferState))
    up_to: Mapped[int | None]
    made_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]

    maker: Mapped[Person] = relationship(foreign_keys=[made_by])
    decider: Mapped[Person | None] = relationship(foreign_keys=[decided_by])
    lines: Mapped[list[RevaluationLine]] = relationship(
        back_populates="revaluation", order_by="RevaluationLine.currency"
    )

    @property
    def source(self) -> str:
        """What its entries come from."""
        return f"revaluation:{self.public_id}"

    @property
    def gain(self) -> Money:
        """What it books, below zero for a loss."""
        return Money(sum(line.amount for line in self.lines), self.currency)


class RevaluationLine(Base):
    """One currency: `position` (its own minor units, what we hold less what we owe), and in minor units of
    the books' currency what that stood at, its `value` at the rate, and what earlier ones of the month
    booked.
    """

    __tablename__ = "revaluation_lines"
    __table_args__ = (sa.UniqueConstraint("revaluation_id", "currency"),)

    id: Mapped[Key]
    revaluation_id: Mapped[int] = mapped_column(sa.ForeignKey("revaluations.id"))
    currency: Mapped[str]
    rate_id: Mapped[int] = mapped_column(sa.ForeignKey("exchange_rates.id"))
    position: Mapped[int]
    stood_at: Mapped[int]
    value: Mapped[int]
    booked_before: Mapped[int]
    amount: Mapped[int]

    revaluation: Mapped[Revaluation] = relationship(back_populates="lines")
    rate: Mapped[ExchangeRate] = relationship()
