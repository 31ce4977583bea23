"""Events and their seals. Both are append-only: the database refuses a change."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.db import Base, Json, Key


class AuditEvent(Base):
    """One act. `facts` hold ids, states and amounts; never names, addresses or numbers of people."""

    __tablename__ = "audit_events"

    id: Mapped[Key]
    at: Mapped[datetime]
    person_id: Mapped[int | None] = mapped_column(index=True)
    verb: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[uuid.UUID] = mapped_column(index=True)
    request_id: Mapped[str]
    facts: Mapped[Json]


class AuditSeal(Base):
    """The place of an event in the chain: `hash` covers the event and the hash before it."""

    __tablename__ = "audit_seals"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("audit_events.id"), unique=True)
    hash: Mapped[bytes]
    previous_hash: Mapped[bytes]
