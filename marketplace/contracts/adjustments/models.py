"""Adjustments of the pay of a contract, as a client makes or proposes them."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.actor import Actor
from marketplace.contracts.models import Contract, Timesheet
from marketplace.contracts.states import OfferState
from marketplace.contracts.taxes.models import TaxDecision
from marketplace.db import Base, Key, Public, Word
from marketplace.money import Money


class Kind(StrEnum):
    """A bonus is a present for work; a correction mends pay that was wrong, either way."""

    BONUS = "bonus"
    CORRECTION = "correction"


class Adjustment(Public, Base):
    """`amount` of pay, its `fee_amount` and the `tax_amount` on that, minor units of the contract's currency;
    below zero for less pay. `tax_decision_id` says which tax it is; None where none was ever decided.

    More pay is given as it is made; less waits for the expert's signature. Once decided it never changes.
    `key` is the form's own, so that a second click gives nothing.
    """

    __tablename__ = "adjustments"

    id: Mapped[Key]
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"), index=True)
    timesheet_id: Mapped[int | None] = mapped_column(sa.ForeignKey("timesheets.id"))
    kind: Mapped[Kind] = mapped_column(Word(Kind))
    reason_code: Mapped[str]
    explanation: Mapped[str]
    amount: Mapped[int]
    fee_amount: Mapped[int]
    tax_amount: Mapped[int] = mapped_column(server_default="0", default=0)
    tax_decision_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tax_decisions.id"))
    state: Mapped[OfferState] = mapped_column(Word(OfferState))
    expires_at: Mapped[datetime | None]
    made_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    signed_name: Mapped[str | None]
    key: Mapped[uuid.UUID]

    contract: Mapped[Contract] = relationship()
    timesheet: Mapped[Timesheet | None] = relationship()
    maker: Mapped[Person] = relationship()
    tax_decision: Mapped[TaxDecision | None] = relationship()

    __table_args__ = (
        sa.UniqueConstraint("contract_id", "key"),
        sa.Index("ix_adjustments_expires_at", "expires_at", postgresql_where=sa.text("state = 'made'")),
    )

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """Those who may see its contract."""
        return cls.contract_id.in_(sa.select(Contract.id).where(Contract.visible_to(actor)))

    @property
    def is_less(self) -> bool:
        """Does it take from the expert's pay?"""
        return self.amount < 0

    @property
    def pay(self) -> Money:
        """What the expert gets; below zero for less."""
        return Money(self.amount, self.contract.currency)

    @property
    def fee(self) -> Money:
        """The fee on it; below zero when it is returned."""
        return Money(self.fee_amount, self.contract.currency)

    @property
    def tax(self) -> Money:
        """The tax on that fee; below zero when it is returned."""
        return Money(self.tax_amount, self.contract.currency)

    @property
    def total(self) -> Money:
        """What the client pays; below zero for what comes back."""
        return self.pay + self.fee + self.tax
