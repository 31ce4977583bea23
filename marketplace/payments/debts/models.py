"""What a client owes us of one payment."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.db import Base, Key, Public
from marketplace.money import Money
from marketplace.payments.models import Funding


class ClientDebt(Public, Base):
    """Of a payment that failed late, what had left the project by then: `owed` minor units of `currency`. It
    is `paid` by later payments, `recovered` from weeks that were reserved and not worked, or `written_off` by
    two people, once; `bookings` counts the first two.
    """

    __tablename__ = "client_debts"

    id: Mapped[Key]
    funding_id: Mapped[int] = mapped_column(sa.ForeignKey("fundings.id"), unique=True)
    currency: Mapped[str]
    owed: Mapped[int]
    paid: Mapped[int] = mapped_column(default=0)
    recovered: Mapped[int] = mapped_column(default=0)
    written_off: Mapped[int] = mapped_column(default=0)
    bookings: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime]
    reason: Mapped[str | None]
    asked_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    asked_at: Mapped[datetime | None]
    written_off_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    written_off_at: Mapped[datetime | None]

    funding: Mapped[Funding] = relationship()
    asker: Mapped[Person | None] = relationship(foreign_keys=asked_by)
    writer: Mapped[Person | None] = relationship(foreign_keys=written_off_by)

    @property
    def left(self) -> int:
        """Minor units that are still owed."""
        return self.owed - self.paid - self.recovered - self.written_off

    @property
    def money(self) -> Money:
        """What is still owed."""
        return self.of(self.left)

    def of(self, amount: int) -> Money:
        """So many minor units of it."""
        return Money(amount, self.currency)

    @property
    def source(self) -> str:
        """How the journal names what became of it."""
        return f"client_debt:{self.public_id}"


LEFT = ClientDebt.owed - ClientDebt.paid - ClientDebt.recovered - ClientDebt.written_off
