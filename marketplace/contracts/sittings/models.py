"""Paid tests as they are taken and graded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.actor import CLIENT, Actor, Role
from marketplace.contracts.models import Contract
from marketplace.contracts.states import ContractState, SittingState
from marketplace.credentials.gate import Requirement
from marketplace.db import Base, Key, Public, Word
from marketplace.gigs.qualification.models import QualificationTest, Question, RubricLine


class Sitting(Public, Base):
    """An expert takes a test, on a contract of its own. `points` are those of all its grades.

    `requirements` are what the gig asked for on that day, which whoever grades must hold too. `version`
    counts how often answers were kept.
    """

    __tablename__ = "sittings"

    id: Mapped[Key]
    contract_id: Mapped[int] = mapped_column(sa.ForeignKey("contracts.id"), unique=True)
    test_id: Mapped[int] = mapped_column(sa.ForeignKey("qualification_tests.id"))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    state: Mapped[SittingState] = mapped_column(Word(SittingState))
    requirements: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    begun_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    version: Mapped[int]
    handed_in_at: Mapped[datetime | None]
    grade_by: Mapped[datetime | None]
    graded_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    graded_at: Mapped[datetime | None]
    points: Mapped[int | None] = mapped_column(sa.SmallInteger)

    contract: Mapped[Contract] = relationship()
    test: Mapped[QualificationTest] = relationship()
    person: Mapped[Person] = relationship(foreign_keys=[person_id])
    grader: Mapped[Person | None] = relationship(foreign_keys=[graded_by])

    __table_args__ = (sa.CheckConstraint("graded_by <> person_id", name="graded_by_another"),)

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """Who took it, the client's people, operators; and those who grade, once it is handed in."""
        if actor.has(Role.OPERATOR):
            return sa.true()
        ours = sa.select(QualificationTest.id).where(
            QualificationTest.organization_id.in_(actor.organizations(*CLIENT))
        )
        return sa.or_(cls.person_id == actor.person_id, cls.test_id.in_(ours), cls.graded_in_turn_by(actor))

    @classmethod
    def graded_in_turn_by(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """Those that this person may be asked to grade, or has graded: never their own."""
        graded = sa.select(Grader.test_id).where(Grader.person_id == actor.person_id, Grader.at_work(actor))
        return sa.and_(
            cls.test_id.in_(graded), cls.person_id != actor.person_id, cls.state != SittingState.BEGUN
        )

    @property
    def asked(self) -> list[Requirement]:
        """What the gate asks of who takes it, and of who grades it."""
        return [Requirement(**each) for each in self.requirements]


class Answer(Base):
    """What was written to a question."""

    __tablename__ = "sitting_answers"

    sitting_id: Mapped[int] = mapped_column(sa.ForeignKey("sittings.id"), primary_key=True)
    question_id: Mapped[int] = mapped_column(sa.ForeignKey("test_questions.id"), primary_key=True)
    text: Mapped[str]

    question: Mapped[Question] = relationship()


class Grade(Base):
    """Points for one line of the rubric, and what is missing where they are not all."""

    __tablename__ = "sitting_grades"

    sitting_id: Mapped[int] = mapped_column(sa.ForeignKey("sittings.id"), primary_key=True)
    rubric_line_id: Mapped[int] = mapped_column(sa.ForeignKey("rubric_lines.id"), primary_key=True)
    points: Mapped[int] = mapped_column(sa.SmallInteger)
    comment: Mapped[str]

    line: Mapped[RubricLine] = relationship()


class Grader(Base):
    """Somebody whom the client asks to grade a test, as part of their work for it."""

    __tablename__ = "graders"

    test_id: Mapped[int] = mapped_column(sa.ForeignKey("qualification_tests.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True, index=True)
    chosen_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    chosen_at: Mapped[datetime]

    person: Mapped[Person] = relationship(foreign_keys=[person_id])

    @classmethod
    def at_work(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """The tests of clients for whom this person works now, or acts."""
        works = sa.select(Contract.organization_id).where(
            Contract.person_id == actor.person_id,
            Contract.state == ContractState.ACTIVE,
            Contract.test_id.is_(None),
        )
        client = QualificationTest.organization_id
        theirs = client.in_(works) | client.in_(actor.organizations(*CLIENT))
        return cls.test_id.in_(sa.select(QualificationTest.id).where(theirs))
