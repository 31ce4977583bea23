"""What a labelling tool counted, as a client or an operator brought it."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.actor import Actor
from marketplace.contracts.models import Contract
from marketplace.db import Base, Key, Public


class UsageImport(Public, Base):
    """A file as somebody brought it. Until it is taken in, only they see it, and it counts for nothing.

    `text` is what it says until then. The rest is what became of its rows: how many said something new,
    something else than before, or the same, and how many were refused.
    """

    __tablename__ = "usage_imports"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    name: Mapped[str]
    sha256: Mapped[bytes]
    text: Mapped[str | None]
    at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    new_rows: Mapped[int | None]
    changed_rows: Mapped[int | None]
    same_rows: Mapped[int | None]
    refused_rows: Mapped[int | None]

    __table_args__ = (sa.Index("ix_usage_imports_at", "at", postgresql_where=sa.text("taken_at IS NULL")),)

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """Who brought it."""
        return cls.person_id == actor.person_id


class UsageDay(Base):
    """Minutes, and pieces if the tool counts them, of a day in the contract's zone. A later file puts another
    in its place; what was there before has `replaced_at`."""

    __tablename__ = "usage_days"

    id: Mapped[Key]
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"))
    import_id: Mapped[int] = mapped_column(sa.ForeignKey("usage_imports.id"), index=True)
    day: Mapped[date]
    minutes: Mapped[int]
    items: Mapped[int | None]
    replaced_at: Mapped[datetime | None]

    contract: Mapped[Contract] = relationship()

    __table_args__ = (
        sa.Index(
            "uq_usage_days_of_contract",
            "contract_id",
            "day",
            unique=True,
            postgresql_where=sa.text("replaced_at IS NULL"),
        ),
        sa.Index("ix_usage_days_contract_id_day", "contract_id", "day"),
    )
