"""A statement of reasons, and the appeal against it."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.db import Base, Json, Key, Public, Word


class Decision(StrEnum):
    """What was decided against a person."""

    REJECTED = "rejected"
    DECLINED = "declined"
    RETURNED = "returned"
    WITHHELD = "withheld"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    ENDED = "ended"
    REMOVED = "removed"
    NOT_PASSED = "not_passed"


class Outcome(StrEnum):
    """Of an appeal: upheld, so that the decision falls; or dismissed, so that it stands."""

    UPHELD = "upheld"
    DISMISSED = "dismissed"


class Statement(Public, Base):
    """Why something was decided against a person, by whom, on what evidence. Never changed or removed.

    `evidence` maps what it is to where it can be seen. `rule_version` names the rules in force that day.
    """

    __tablename__ = "statements_of_reasons"
    __table_args__ = (
        sa.Index("ix_statements_of_reasons_person_id", "person_id", "id"),
        sa.Index("ix_statements_of_reasons_subject", "subject_kind", "subject_id"),
    )

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    subject_kind: Mapped[str]
    subject_id: Mapped[uuid.UUID]
    decision: Mapped[Decision] = mapped_column(Word(Decision))
    reason_code: Mapped[str]
    rule_version: Mapped[str]
    explanation: Mapped[str]
    evidence: Mapped[Json]
    decided_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    decided_at: Mapped[datetime]
    appeal_until: Mapped[datetime]

    person: Mapped[Person] = relationship(foreign_keys=person_id, lazy="raise")
    decider: Mapped[Person] = relationship(foreign_keys=decided_by, lazy="raise")
    appeal: Mapped[Appeal | None] = relationship(back_populates="statement", lazy="joined")


class Appeal(Public, Base):
    """A person's answer to a statement. Who decides it is neither they nor who decided first.

    Left undecided at `decide_by`, it is upheld by the site, and `decided_by` stays None.
    """

    __tablename__ = "appeals"
    __table_args__ = (
        sa.Index("ix_appeals_decide_by", "decide_by", postgresql_where=sa.text("outcome IS NULL")),
    )

    id: Mapped[Key]
    statement_id: Mapped[int] = mapped_column(sa.ForeignKey("statements_of_reasons.id"), unique=True)
    text: Mapped[str]
    opened_at: Mapped[datetime]
    decide_by: Mapped[datetime]
    outcome: Mapped[Outcome | None] = mapped_column(Word(Outcome))
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]
    answer: Mapped[str | None]

    statement: Mapped[Statement] = relationship(back_populates="appeal", lazy="joined", innerjoin=True)
