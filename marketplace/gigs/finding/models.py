"""What people keep of their searching, and what they are to be told of."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.db import Base, Key, Public, Word
from marketplace.gigs.models import TEXTS, Gig


class Cadence(StrEnum):
    """How soon somebody is told."""

    AT_ONCE = "at_once"
    DAILY = "daily"
    WEEKLY = "weekly"
    NEVER = "never"


class HideReason(StrEnum):
    """Why somebody does not want to see a gig again."""

    PAY = "pay"
    WORK = "work"
    USE = "use"
    CLIENT = "client"
    TIME = "time"
    OTHER = "other"


class SavedSearch(Public, Base):
    """A search with a name. `query` is the end of its address; the rest is the same, for the database to
    compare with a gig. `rate` is in minor units of `currency`, `words` as `to_tsquery` reads them."""

    __tablename__ = "saved_searches"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    name: Mapped[str]
    query: Mapped[str]
    cadence: Mapped[Cadence] = mapped_column(Word(Cadence))
    domains: Mapped[list[str]] = mapped_column(TEXTS)
    tasks: Mapped[list[str]] = mapped_column(TEXTS)
    languages: Mapped[list[str]] = mapped_column(TEXTS)
    rate: Mapped[int | None]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    hours: Mapped[int | None]
    words: Mapped[str | None]
    created_at: Mapped[datetime]

    __table_args__ = (sa.UniqueConstraint("person_id", "name"),)


class HiddenGig(Base):
    """A gig that somebody does not want to see again."""

    __tablename__ = "hidden_gigs"

    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True)
    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"), primary_key=True)
    reason: Mapped[HideReason] = mapped_column(Word(HideReason))
    note: Mapped[str]
    hidden_at: Mapped[datetime]

    gig: Mapped[Gig] = relationship()


class AlertSetting(Base):
    """How soon somebody hears of gigs that suit them; daily for whoever has not chosen."""

    __tablename__ = "alert_settings"

    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True)
    cadence: Mapped[Cadence] = mapped_column(Word(Cadence))


class ExpertWatch(Public, Base):
    """Somebody of a client hears of experts who newly fit a gig.

    `query` is what they narrowed down to, as the end of an address; `known` are the experts (internal ids)
    who fitted before.
    """

    __tablename__ = "expert_watches"

    id: Mapped[Key]
    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    query: Mapped[str]
    cadence: Mapped[Cadence] = mapped_column(Word(Cadence))
    known: Mapped[list[int]] = mapped_column(ARRAY(sa.BigInteger))
    looked_at: Mapped[datetime]
    created_at: Mapped[datetime]

    gig: Mapped[Gig] = relationship(lazy="raise")

    __table_args__ = (sa.UniqueConstraint("gig_id", "person_id"),)


class AlertBatch(Base):
    """Whom a gig suits (internal ids), to be told with that cadence. The first `spread` of them have a
    `GigAlert` each by now; who comes last takes the row away."""

    __tablename__ = "gig_alert_batches"

    id: Mapped[Key]
    gig_id: Mapped[int]
    cadence: Mapped[Cadence] = mapped_column(Word(Cadence))
    people: Mapped[list[int]] = mapped_column(ARRAY(sa.BigInteger))
    spread: Mapped[int] = mapped_column(server_default="0")
    queued_at: Mapped[datetime]


class GigAlert(Base):
    """A gig that somebody is told of, once. `search_id` is the saved search that found it, None when it suits
    them."""

    __tablename__ = "gig_alerts"

    person_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    gig_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    search_id: Mapped[int | None]
    cadence: Mapped[Cadence] = mapped_column(Word(Cadence))
    queued_at: Mapped[datetime]
    told_at: Mapped[datetime | None]

    __table_args__ = (
        sa.Index(
            "ix_gig_alerts_waiting", "cadence", "person_id", postgresql_where=sa.text("told_at IS NULL")
        ),
    )
