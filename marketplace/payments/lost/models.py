"""A transfer that Stripe made for us and that the books do not know, and what two people decided about it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.db import Base, Key, Public, Word
from marketplace.money import Money
from marketplace.payments import facts
from marketplace.payments.models import PayoutItem


class Says(StrEnum):
    """It is the pay of an item that waits; or it pays nothing here."""

    PAID = "paid"
    NOT_OURS = "not_ours"


class LostTransfer(Public, Base):
    """What Stripe says of it never changes; `made_at` is Stripe's, `payout_item` what we told Stripe then.

    It stands until the books know it again (`known_at`), or until of two people the first asked (`asked_by`,
    what it `says`, for which `item`) and the second decided it so. All moments are UTC.
    """

    __tablename__ = "lost_transfers"

    id: Mapped[Key]
    stripe_id: Mapped[str] = mapped_column(unique=True)
    amount: Mapped[int]
    currency: Mapped[str]
    destination: Mapped[str]
    transfer_group: Mapped[str]
    destination_payment: Mapped[str | None]
    balance_transaction: Mapped[str]
    source_type: Mapped[str]
    payout_item: Mapped[str]
    made_at: Mapped[datetime]
    found_at: Mapped[datetime]
    known_at: Mapped[datetime | None]
    says: Mapped[Says | None] = mapped_column(Word(Says))
    item_id: Mapped[int | None] = mapped_column(sa.ForeignKey("payout_items.id"), unique=True)
    reason: Mapped[str | None]
    asked_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    asked_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]

    item: Mapped[PayoutItem | None] = relationship()
    asker: Mapped[Person | None] = relationship(foreign_keys=asked_by)
    decider: Mapped[Person | None] = relationship(foreign_keys=decided_by)

    @property
    def stands(self) -> bool:
        """Does nobody know yet what it pays?"""
        return self.known_at is None and self.decided_at is None

    @property
    def money(self) -> Money:
        """What Stripe sent."""
        return Money(self.amount, self.currency)

    @property
    def seen(self) -> str:
        """What is asked for, in one word, so that nobody confirms something else than they read."""
        return f"{self.says} {self.item.public_id if self.item else ''} {self.asked_at}"

    @property
    def sent(self) -> facts.SentTransfer:
        """As Stripe told it."""
        return facts.SentTransfer(
            self.stripe_id,
            self.amount,
            self.currency,
            self.destination,
            self.transfer_group,
            self.destination_payment,
            self.balance_transaction,
            self.source_type,
            self.payout_item,
            int(self.made_at.timestamp()),
        )


STANDS = sa.and_(LostTransfer.known_at.is_(None), LostTransfer.decided_at.is_(None))
