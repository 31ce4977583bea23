"""What an operator and a second person let a client owe."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Organization, Person
from marketplace.db import Base, Key, Public
from marketplace.money import Money


class CreditLine(Public, Base):
    """`amount` minor units that a client's projects in `currency` may take together beyond what was paid in,
    from the day `from_on` up to and including `until_on` (days of the books). It counts once `confirmed_by`
    somebody else, until it is over or ended. Several lines add up.
    """

    __tablename__ = "credit_lines"

    id: Mapped[Key]
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"), index=True)
    currency: Mapped[str]
    amount: Mapped[int]
    from_on: Mapped[date]
    until_on: Mapped[date]
    reason: Mapped[str]
    prepared_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    prepared_at: Mapped[datetime]
    confirmed_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    confirmed_at: Mapped[datetime | None]
    ended_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]

    organization: Mapped[Organization] = relationship()
    preparer: Mapped[Person] = relationship(foreign_keys=prepared_by)
    confirmer: Mapped[Person | None] = relationship(foreign_keys=confirmed_by)
    ender: Mapped[Person | None] = relationship(foreign_keys=ended_by)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)
