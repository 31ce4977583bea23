"""Holds after a change of bank account, and what experts wish of their payouts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace import clock
from marketplace.accounts.models import Person
from marketplace.db import Base, Key, Public
from marketplace.payments.models import ConnectedAccount


class BankHold(Public, Base):
    """Nothing is sent to an account from `begun_at`, when a change of its bank account was learnt of, until
    `until`; once its holder `denied` the change, until two people end it: `ending_by`, then `ended_by`.

    The account's own payouts are manual from `manual_at` to `restored_at`; `schedule_before` is what they
    were. Moments are UTC.
    """

    __tablename__ = "bank_holds"

    id: Mapped[Key]
    connected_account_id: Mapped[int] = mapped_column(sa.ForeignKey("connected_accounts.id"), index=True)
    begun_at: Mapped[datetime]
    until: Mapped[datetime]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    denied_at: Mapped[datetime | None]
    ending_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    ending_at: Mapped[datetime | None]
    ending_reason: Mapped[str | None]
    ended_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]
    schedule_before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    manual_asked_at: Mapped[datetime | None]
    manual_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]
    retry_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    failure: Mapped[str | None]

    account: Mapped[ConnectedAccount] = relationship()
    asker: Mapped[Person | None] = relationship(foreign_keys=ending_by)
    ender: Mapped[Person | None] = relationship(foreign_keys=ended_by)

    @property
    def holds(self) -> bool:
        """Is anything held by it now?"""
        return self.ended_at is None and (self.denied_at is not None or self.until > clock.now())


class PayoutMinimum(Base):
    """From how many minor units on an expert wants to be paid; never less than the operator's least."""

    __tablename__ = "payout_minimums"

    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int]
    changed_at: Mapped[datetime]


class PayoutRequest(Public, Base):
    """An expert asks to be paid before the next pay day; `batch_id` is the batch that took it up."""

    __tablename__ = "payout_requests"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    asked_at: Mapped[datetime]
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("payout_batches.id"), index=True)
    withdrawn_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship()
