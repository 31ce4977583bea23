"""An alarm: a place where a proof does not hold."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.db import Base, Key, Public


class Alarm(Public, Base):
    """From `since`, when the proof (its `code` and `title`) first failed about `subject`, until `ended_at`,
    when it held again; nobody can end it otherwise. `expected` and `found` are of `seen_at`, the last look.

    Whoever looks into it says so: `looker`, from `looking_since`. All moments are UTC.
    """

    __tablename__ = "alarms"

    id: Mapped[Key]
    code: Mapped[str]
    title: Mapped[str]
    subject: Mapped[str]
    expected: Mapped[str]
    found: Mapped[str]
    since: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    looker_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    looking_since: Mapped[datetime | None]

    looker: Mapped[Person | None] = relationship()
