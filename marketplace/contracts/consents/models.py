"""Consent to a new version of the statement on the use of the work, asked of whoever works under another."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.models import Contract
from marketplace.db import Base, Key, Public, Word
from marketplace.gigs.models import DataUse


class ConsentState(StrEnum):
    """`stopped`: the expert did not agree, and the contract ended. `void`: the question fell away, because
    the statement was changed again or the contract ended."""

    WAITING = "waiting"
    GIVEN = "given"
    STOPPED = "stopped"
    VOID = "void"


class Consent(Public, Base):
    """The question whether a contract goes on under another version. Once answered it stays as it is."""

    __tablename__ = "data_use_consents"

    id: Mapped[Key]
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"), index=True)
    data_use_id: Mapped[int] = mapped_column(sa.ForeignKey("data_uses.id"))
    asked_at: Mapped[datetime]
    answer_by: Mapped[datetime]
    state: Mapped[ConsentState] = mapped_column(Word(ConsentState))
    answered_at: Mapped[datetime | None]
    signed_name: Mapped[str | None]

    contract: Mapped[Contract] = relationship()
    data_use: Mapped[DataUse] = relationship()

    __table_args__ = (
        sa.Index(
            "uq_data_use_consents_waiting",
            "contract_id",
            unique=True,
            postgresql_where=sa.text("state = 'waiting'"),
        ),
    )

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """Those who may see its contract."""
        return cls.contract_id.in_(sa.select(Contract.id).where(Contract.visible_to(actor)))

    @property
    def is_late(self) -> bool:
        """Is the time over in which work goes on without an answer?"""
        return self.state is ConsentState.WAITING and self.answer_by <= clock.now()
