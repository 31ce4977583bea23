"""New rates, as a client proposes them for a contract that runs."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.actor import Actor
from marketplace.contracts.models import Contract
from marketplace.contracts.states import OfferState
from marketplace.db import Base, Key, Public, Word
from marketplace.money import Money


class RateProposal(Public, Base):
    """A rate for an hour, from a moment that had not come when it was proposed. `rate_before` is the one that
    would go on. A raise is agreed as it is made; a lower rate once its expert has signed it with their name.
    """

    __tablename__ = "rate_proposals"

    id: Mapped[Key]
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"), index=True)
    rate_before: Mapped[int]
    rate: Mapped[int]
    from_at: Mapped[datetime]
    why: Mapped[str]
    state: Mapped[OfferState] = mapped_column(Word(OfferState))
    expires_at: Mapped[datetime]
    made_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    signed_name: Mapped[str | None]

    contract: Mapped[Contract] = relationship()

    __table_args__ = (
        sa.Index(
            "uq_rate_proposals_made", "contract_id", unique=True, postgresql_where=sa.text("state = 'made'")
        ),
        sa.Index("ix_rate_proposals_expires_at", "expires_at", postgresql_where=sa.text("state = 'made'")),
    )

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """Those who may see its contract."""
        return cls.contract_id.in_(sa.select(Contract.id).where(Contract.visible_to(actor)))

    @property
    def is_raise(self) -> bool:
        """Is it more than before?"""
        return self.rate > self.rate_before

    @property
    def before(self) -> Money:
        """What an hour is paid without it."""
        return Money(self.rate_before, self.contract.currency)

    @property
    def after(self) -> Money:
        """What an hour would be paid."""
        return Money(self.rate, self.contract.currency)

    @property
    def from_on(self) -> date:
        """Its first day, in the contract's zone."""
        return self.from_at.astimezone(self.contract.zone).date()
