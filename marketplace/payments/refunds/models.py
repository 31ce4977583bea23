"""What is left of a project that has ended, on its way back to its client."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.db import Base, Key, Public, Word
from marketplace.gigs.models import Project
from marketplace.money import Money
from marketplace.payments.models import Funding, Tried
from marketplace.payments.states import RefundState, WayOut


class Refund(Tried, Public, Base):
    """`amount` minor units of a lot go back by the way they came; without a lot, or once Stripe could not do
    it, finance pays them out by hand and writes down the bank's `reference`.

    `asked_by` ended the project. `second_by` released it too, where so much needs two. Stripe asks for the
    account of a bank transfer at `instructions_email`. What Stripe refused goes the `way_out` that two chose.
    """

    __tablename__ = "refunds"

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("projects.id"), index=True)
    funding_id: Mapped[int | None] = mapped_column(sa.ForeignKey("fundings.id"), index=True)
    amount: Mapped[int]
    currency: Mapped[str]
    settled_currency: Mapped[str | None]
    settled_amount: Mapped[int | None]
    state: Mapped[RefundState] = mapped_column(Word(RefundState), default=RefundState.PREPARED)
    asked_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    prepared_at: Mapped[datetime]
    released_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    released_at: Mapped[datetime | None]
    second_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    second_at: Mapped[datetime | None]
    instructions_email: Mapped[str | None]
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    looked_at: Mapped[datetime | None]
    way_out: Mapped[WayOut | None] = mapped_column(Word(WayOut))
    way_out_reason: Mapped[str | None]
    way_out_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    way_out_at: Mapped[datetime | None]
    way_out_second: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    way_out_second_at: Mapped[datetime | None]
    reference: Mapped[str | None]
    noted_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    noted_at: Mapped[datetime | None]
    confirmed_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    confirmed_at: Mapped[datetime | None]

    project: Mapped[Project] = relationship()
    funding: Mapped[Funding | None] = relationship()
    asker: Mapped[Person] = relationship(foreign_keys=asked_by)
    releaser: Mapped[Person | None] = relationship(foreign_keys=released_by)
    second: Mapped[Person | None] = relationship(foreign_keys=second_by)
    chooser: Mapped[Person | None] = relationship(foreign_keys=way_out_by)
    way_out_confirmer: Mapped[Person | None] = relationship(foreign_keys=way_out_second)
    noter: Mapped[Person | None] = relationship(foreign_keys=noted_by)
    confirmer: Mapped[Person | None] = relationship(foreign_keys=confirmed_by)

    @property
    def money(self) -> Money:
        """What goes back."""
        return Money(self.amount, self.currency)


# In these the money lies in the project's funds.
NOT_BOOKED = (RefundState.PREPARED, RefundState.CANCELLED)
# In these it was released, and nobody has its last word yet.
IN_FLIGHT = (RefundState.RELEASED, RefundState.SENDING, RefundState.UNKNOWN, RefundState.REFUSED)
