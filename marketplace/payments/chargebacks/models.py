"""Payments that a client's bank takes back, what moved for each, and what we say to the bank."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.db import Base, Key, Public, Word
from marketplace.money import Money
from marketplace.payments.models import Funding, Tried
from marketplace.payments.states import ChargebackState, EvidenceState


class Chargeback(Public, Base):
    """One dispute at Stripe, `stripe_id`, about one lot. `amount` is what the bank contests, in its currency.

    The rest is minor units of `currency` too: `held` of the project's free money is set aside while it is
    contested; once it is lost, `from_funds` came out of the project and `loss` is ours. `settled` counts how
    often that was booked. `trouble` says why a person has to look at Stripe first.
    """

    __tablename__ = "chargebacks"

    id: Mapped[Key]
    funding_id: Mapped[int] = mapped_column(sa.ForeignKey("fundings.id"), index=True)
    stripe_id: Mapped[str] = mapped_column(unique=True)
    state: Mapped[ChargebackState] = mapped_column(Word(ChargebackState))
    stripe_status: Mapped[str]
    reason: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    opened_at: Mapped[datetime]
    due_by: Mapped[datetime | None]
    held: Mapped[int] = mapped_column(default=0)
    from_funds: Mapped[int] = mapped_column(default=0)
    loss: Mapped[int] = mapped_column(default=0)
    settled: Mapped[int] = mapped_column(default=0)
    exchanged: Mapped[int] = mapped_column(default=0)
    holds: Mapped[int] = mapped_column(default=0)
    trouble: Mapped[str | None]
    looked_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    weeks_asked_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    weeks_asked_at: Mapped[datetime | None]
    weeks_freed_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    weeks_freed_at: Mapped[datetime | None]
    weeks_freed: Mapped[int | None]

    funding: Mapped[Funding] = relationship()
    moves: Mapped[list[ChargebackMove]] = relationship(order_by="ChargebackMove.id")
    evidence: Mapped[list[Evidence]] = relationship(order_by="Evidence.id", back_populates="chargeback")
    weeks_asker: Mapped[Person | None] = relationship(foreign_keys=weeks_asked_by)
    weeks_freer: Mapped[Person | None] = relationship(foreign_keys=weeks_freed_by)

    @property
    def money(self) -> Money:
        """What the bank contests."""
        return Money(self.amount, self.currency)

    @property
    def contested(self) -> int:
        """What left our balance for it and has not come back, without fees, in minor units. What it came back
        as at another rate is no part of it any more."""
        return -sum(each.amount for each in self.moves) - self.exchanged

    @property
    def fee(self) -> int:
        """What Stripe has taken for it, in minor units."""
        return sum(each.fee for each in self.moves)

    @property
    def waits_for_answer(self) -> bool:
        """Does the bank wait for ours? It does in an inquiry too, which a good answer may end."""
        asked = self.state is ChargebackState.INQUIRY and self.stripe_status == INQUIRY_WAITS
        return asked or self.state is ChargebackState.NEEDS_RESPONSE

    @property
    def answered(self) -> bool:
        """Is an answer to what the bank asks now written? One to its inquiry answers no chargeback."""
        inquiry = self.state is ChargebackState.INQUIRY
        return any(
            each.inquiry == inquiry and each.state is not EvidenceState.REFUSED for each in self.evidence
        )

    @property
    def is_open(self) -> bool:
        """Money is away, and nobody has said yet who gets it."""
        return self.state in OPEN


class ChargebackMove(Base):
    """A balance transaction of a chargeback, once: `net` is `amount` less `fee`, negative where it left."""

    __tablename__ = "chargeback_moves"

    id: Mapped[Key]
    chargeback_id: Mapped[int] = mapped_column(sa.ForeignKey("chargebacks.id"), index=True)
    balance_transaction: Mapped[str] = mapped_column(unique=True)
    amount: Mapped[int]
    fee: Mapped[int]
    net: Mapped[int]
    currency: Mapped[str]
    at: Mapped[datetime]


class LossClaim(Base):
    """Of a loss, what weeks of the project held when it was booked, in minor units: `open` until they give it
    back (`recovered`, in so many `bookings`) or are worked. Without a chargeback the payment failed late."""

    __tablename__ = "loss_claims"

    id: Mapped[Key]
    funding_id: Mapped[int] = mapped_column(sa.ForeignKey("fundings.id"), index=True)
    chargeback_id: Mapped[int | None] = mapped_column(sa.ForeignKey("chargebacks.id"), index=True)
    open: Mapped[int]
    recovered: Mapped[int]
    bookings: Mapped[int]
    since: Mapped[datetime]

    funding: Mapped[Funding] = relationship()
    chargeback: Mapped[Chargeback | None] = relationship()

    @property
    def source(self) -> str:
        """How the journal names what was lost."""
        if self.chargeback is None:
            return f"funding_failure:{self.funding.public_id}"
        return f"chargeback:{self.chargeback.public_id}"


class Evidence(Tried, Public, Base):
    """What one of finance says to the bank about a chargeback, or before that to its `inquiry`. Submitted
    once, it cannot be changed."""

    __tablename__ = "chargeback_evidence"

    id: Mapped[Key]
    chargeback_id: Mapped[int] = mapped_column(sa.ForeignKey("chargebacks.id"), index=True)
    inquiry: Mapped[bool]
    text: Mapped[str]
    state: Mapped[EvidenceState] = mapped_column(Word(EvidenceState), default=EvidenceState.RELEASED)
    written_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    written_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    chargeback: Mapped[Chargeback] = relationship(back_populates="evidence")
    writer: Mapped[Person] = relationship()


OPEN = (ChargebackState.NEEDS_RESPONSE, ChargebackState.UNDER_REVIEW)
# A lot with one of these cannot be refunded: its bank has the money, or may get it.
NOT_REFUNDABLE = (ChargebackState.INQUIRY, *OPEN, ChargebackState.LOST)
# Stripe's word for an inquiry that waits for our answer.
INQUIRY_WAITS = "warning_needs_response"
