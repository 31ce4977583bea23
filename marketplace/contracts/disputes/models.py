"""A questioned line of a week, and what was said about it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.actor import Actor
from marketplace.contracts.models import Contract, TimeEntry, Timesheet
from marketplace.contracts.states import DisputeState, SettledBy, TurnAct
from marketplace.contracts.taxes.models import TaxDecision
from marketplace.db import Base, Key, Public, Word
from marketplace.money import Money


class TimeDispute(Public, Base):
    """An entry that the client does not approve as it is, with pay, fee and tax in minor units as entered.

    `offered_minutes` is what the client would pay for, `asked_minutes` what the expert would be content with;
    `due_at` is when whoever's turn it is has to have answered. Of what was awarded only the rest goes back.
    """

    __tablename__ = "time_disputes"

    id: Mapped[Key]
    timesheet_id: Mapped[int] = mapped_column(sa.ForeignKey("timesheets.id"), index=True)
    time_entry_id: Mapped[int] = mapped_column(sa.ForeignKey("time_entries.id"), unique=True)
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"), index=True)
    opened_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    opened_at: Mapped[datetime]
    minutes: Mapped[int]
    rate: Mapped[int]
    expert_amount: Mapped[int]
    fee_amount: Mapped[int]
    tax_amount: Mapped[int] = mapped_column(server_default="0", default=0)
    tax_decision_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tax_decisions.id"))
    offered_minutes: Mapped[int]
    asked_minutes: Mapped[int]
    state: Mapped[DisputeState] = mapped_column(Word(DisputeState))
    due_at: Mapped[datetime | None]
    awarded_minutes: Mapped[int | None]
    settled_by: Mapped[SettledBy | None] = mapped_column(Word(SettledBy))
    settled_at: Mapped[datetime | None]

    contract: Mapped[Contract] = relationship()
    timesheet: Mapped[Timesheet] = relationship()
    entry: Mapped[TimeEntry] = relationship()
    tax_decision: Mapped[TaxDecision | None] = relationship()
    turns: Mapped[list[Turn]] = relationship(order_by="Turn.id")

    __table_args__ = (
        sa.Index("ix_time_disputes_due_at", "due_at", postgresql_where=sa.text("state <> 'settled'")),
    )

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """Those who may see its contract."""
        return cls.contract_id.in_(sa.select(Contract.id).where(Contract.visible_to(actor)))

    @property
    def pay(self) -> Money:
        """The pay of the whole line."""
        return Money(self.expert_amount, self.contract.currency)

    @property
    def is_open(self) -> bool:
        """Is it still to be said how much of it is paid?"""
        return self.awarded_minutes is None


class Turn(Base):
    """One thing that was said or done in a dispute; `person_id` is empty for the site. Never changed."""

    __tablename__ = "time_dispute_turns"

    id: Mapped[Key]
    dispute_id: Mapped[int] = mapped_column(sa.ForeignKey("time_disputes.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    at: Mapped[datetime]
    act: Mapped[TurnAct] = mapped_column(Word(TurnAct))
    text: Mapped[str]
    minutes: Mapped[int | None]

    person: Mapped[Person | None] = relationship()
