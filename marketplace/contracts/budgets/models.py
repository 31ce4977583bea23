"""What was told about a project's budget, what a client caps, and that a project has ended."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.db import Base, Key
from marketplace.gigs.models import Project


class BudgetAlert(Base):
    """So much of a project's funds was spent or set aside: `threshold` in per cent of `funded` (minor units).

    It is told again only after `rearmed_at`, when more was paid in and the share was no longer reached.
    """

    __tablename__ = "budget_alerts"

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("projects.id"), index=True)
    threshold: Mapped[int] = mapped_column(sa.SmallInteger)
    used: Mapped[int]
    funded: Mapped[int]
    at: Mapped[datetime]
    rearmed_at: Mapped[datetime | None]

    __table_args__ = (
        sa.Index(
            "uq_budget_alerts_armed",
            "project_id",
            "threshold",
            unique=True,
            postgresql_where=sa.text("rearmed_at IS NULL"),
        ),
    )


class WeeklyCap(Base):
    """From the week of `from_on` (a Monday) on, the weeks of a project's contracts take at most `amount` (pay
    and fee, minor units) and `minutes` together; None is no cap. The newest row of a week counts."""

    __tablename__ = "weekly_caps"

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("projects.id"), index=True)
    from_on: Mapped[date]
    amount: Mapped[int | None]
    minutes: Mapped[int | None]
    set_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    set_at: Mapped[datetime]


class ProjectEnding(Base):
    """A project that its client ended while so many `contracts` ran; what is left of its money goes back."""

    __tablename__ = "project_endings"

    project_id: Mapped[int] = mapped_column(sa.ForeignKey("projects.id"), primary_key=True)
    ended_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    ended_at: Mapped[datetime]
    contracts: Mapped[int]

    project: Mapped[Project] = relationship()
    person: Mapped[Person] = relationship()
