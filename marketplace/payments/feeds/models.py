"""The secret addresses. Only a hash of each is kept."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.db import Base, Key


class CalendarFeed(Base):
    """An address at which a person's calendar is read until `ended_at`; each person has one at a time."""

    __tablename__ = "calendar_feeds"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    token_sha256: Mapped[bytes] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship()

    __table_args__ = (
        sa.Index(
            "uq_calendar_feeds_live", "person_id", unique=True, postgresql_where=sa.text("ended_at IS NULL")
        ),
    )
