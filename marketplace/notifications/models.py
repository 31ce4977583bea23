"""A notification: one sentence about what happened, and the page that shows it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.db import Base, Key, Public


class Notification(Public, Base):
    """Told to one person; `path` is a page of this site."""

    __tablename__ = "notifications"
    __table_args__ = (
        sa.Index("ix_notifications_person_id", "person_id", "id"),
        sa.Index("ix_notifications_unread", "person_id", postgresql_where=sa.text("read_at IS NULL")),
    )

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    kind: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    path: Mapped[str]
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
