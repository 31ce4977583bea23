"""Two people for a week above an amount: from when that holds, and what the first of them decided."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.contracts.disputes.opening import Question
from marketplace.contracts.models import Timesheet
from marketplace.credentials.models import IdentityPasskey
from marketplace.db import Base, Key, Public, Word
from marketplace.money import Money


class EndedAs(StrEnum):
    """What became of a first approval; `returned` and `changed` mean that it holds no more."""

    CONFIRMED = "confirmed"
    SENT_BACK = "sent_back"
    TAKEN_BACK = "taken_back"
    RETURNED = "returned"
    CHANGED = "changed"
    DEADLINE = "deadline"


class ApprovalRule(Base):
    """From what pay and fee of a week together (minor units of `currency`) a client needs two people to
    approve it; None for never. The latest counts, for weeks that are submitted after it."""

    __tablename__ = "approval_rules"
    __table_args__ = (sa.Index("ix_approval_rules_organization_id", "organization_id", "id"),)

    id: Mapped[Key]
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"))
    currency: Mapped[str]
    amount: Mapped[int | None]
    set_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    set_at: Mapped[datetime]

    person: Mapped[Person] = relationship()

    @property
    def money(self) -> Money | None:
        """The amount with its currency."""
        return None if self.amount is None else Money(self.amount, self.currency)


class FirstApproval(Public, Base):
    """What the first of two decided about the `version` of a week that they saw, by its lines' fingerprint.

    It moves no money. `questions` are those about lines, as they take effect with the second. It was given
    for `for_person_id` when they were away.
    """

    __tablename__ = "first_approvals"
    __table_args__ = (
        sa.UniqueConstraint("id", "person_id", "timesheet_id", name="uq_first_approvals_who"),
        sa.Index("ix_first_approvals_timesheet_id", "timesheet_id"),
        sa.Index(
            "uq_first_approvals_standing",
            "timesheet_id",
            unique=True,
            postgresql_where=sa.text("ended_as IS NULL"),
        ),
    )

    id: Mapped[Key]
    timesheet_id: Mapped[int] = mapped_column(sa.ForeignKey("timesheets.id"))
    version: Mapped[int]
    lines_sha256: Mapped[bytes]
    questions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    for_person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    at: Mapped[datetime]
    ended_as: Mapped[EndedAs | None] = mapped_column(Word(EndedAs))
    ended_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]
    note: Mapped[str | None]

    timesheet: Mapped[Timesheet] = relationship()
    person: Mapped[Person] = relationship(foreign_keys=[person_id])
    for_person: Mapped[Person | None] = relationship(foreign_keys=[for_person_id])
    ender: Mapped[Person | None] = relationship(foreign_keys=[ended_by])

    @property
    def asked(self) -> list[Question]:
        """The questions, as an approval takes them."""
        return [Question(**{**each, "entry": uuid.UUID(each["entry"])}) for each in self.questions]


class WeekConfirmation(Base):
    """The answer of the passkey bound to the expert's identity, to the challenge for one version of a week.

    `at` is the moment of the submission that it confirmed. The answer is kept whole, so that it can be
    verified again with the key that the passkey's row holds.
    """

    __tablename__ = "week_confirmations"
    __table_args__ = (sa.UniqueConstraint("timesheet_id", "at"),)

    id: Mapped[Key]
    timesheet_id: Mapped[int] = mapped_column(sa.ForeignKey("timesheets.id"))
    version: Mapped[int]
    passkey_id: Mapped[int] = mapped_column(sa.ForeignKey("identity_passkeys.id"))
    at: Mapped[datetime]
    challenge: Mapped[bytes] = mapped_column(unique=True)
    answer: Mapped[str]

    passkey: Mapped[IdentityPasskey] = relationship()
