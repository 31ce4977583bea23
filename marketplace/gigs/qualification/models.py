"""Paid tests of a client: what is asked, and the rubric by which answers are graded."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Organization
from marketplace.actor import CLIENT, Actor, Role
from marketplace.db import Base, Key, Public


class QualificationTest(Public, Base):
    """A paid test, which any gig of its client may ask for. `minutes` are given, `pass_points` are needed.

    From `fixed_at` on, when the first expert was asked to take it, it stays as it is: whoever passed has
    passed the same. `retired_at` is when it was put away, so that no gig can ask for it any more.
    """

    __tablename__ = "qualification_tests"

    id: Mapped[Key]
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"), index=True)
    title: Mapped[str]
    introduction: Mapped[str]
    minutes: Mapped[int] = mapped_column(sa.SmallInteger)
    pass_points: Mapped[int] = mapped_column(sa.SmallInteger)
    created_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    created_at: Mapped[datetime]
    fixed_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]

    organization: Mapped[Organization] = relationship()
    questions: Mapped[list[Question]] = relationship(
        order_by="Question.position", cascade="all, delete-orphan"
    )
    rubric: Mapped[list[RubricLine]] = relationship(
        order_by="RubricLine.position", cascade="all, delete-orphan"
    )

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """The client's own people, and operators."""
        if actor.has(Role.OPERATOR):
            return sa.true()
        return cls.organization_id.in_(actor.organizations(*CLIENT))

    @property
    def whole(self) -> int:
        """All points that there are."""
        return sum(each.points for each in self.rubric)


class Question(Base):
    """Something to answer in writing."""

    __tablename__ = "test_questions"

    id: Mapped[Key]
    test_id: Mapped[int] = mapped_column(sa.ForeignKey("qualification_tests.id"))
    position: Mapped[int] = mapped_column(sa.SmallInteger)
    text: Mapped[str]

    __table_args__ = (sa.UniqueConstraint("test_id", "position"),)


class RubricLine(Base):
    """One thing that answers are graded by, and the most points that it brings."""

    __tablename__ = "rubric_lines"

    id: Mapped[Key]
    test_id: Mapped[int] = mapped_column(sa.ForeignKey("qualification_tests.id"))
    position: Mapped[int] = mapped_column(sa.SmallInteger)
    text: Mapped[str]
    points: Mapped[int] = mapped_column(sa.SmallInteger)

    __table_args__ = (sa.UniqueConstraint("test_id", "position"),)
