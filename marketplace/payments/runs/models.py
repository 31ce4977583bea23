"""Who confirmed a batch before the one who released it, and when sending stood still."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.db import Base, Key, Public
from marketplace.money import Money
from marketplace.payments.models import PayoutBatch


class ReleaseConfirmation(Public, Base):
    """The first of two who release a batch above the limit: what was confirmed, as a hash of what was seen.

    It counts until `voided_at`: whatever changes in the batch voids it.
    """

    __tablename__ = "release_confirmations"

    id: Mapped[Key]
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("payout_batches.id"), index=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    at: Mapped[datetime]
    amount: Mapped[int]
    seen_sha256: Mapped[bytes]
    voided_at: Mapped[datetime | None]

    batch: Mapped[PayoutBatch] = relationship()
    person: Mapped[Person] = relationship()

    @property
    def money(self) -> Money:
        """What was to be paid."""
        return Money(self.amount, self.batch.currency)


class SendingPause(Public, Base):
    """From `paused_at` until `resumed_at` nothing of the batch is sent; nothing at all when it names none."""

    __tablename__ = "sending_pauses"

    id: Mapped[Key]
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("payout_batches.id"), index=True)
    reason: Mapped[str]
    paused_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    paused_at: Mapped[datetime]
    resumed_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    resumed_at: Mapped[datetime | None]

    batch: Mapped[PayoutBatch | None] = relationship()
    pauser: Mapped[Person] = relationship(foreign_keys=paused_by)
