"""Dated fees. Rows are only ever added: each is in force until the next one of the same scope begins."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Organization, Person
from marketplace.contracts.states import OfferState
from marketplace.db import Base, Key, Public, Word
from marketplace.gigs.models import Project


class FeeChange(Public, Base):
    """A fee for work from day `from_on` on (a day of the contract's zone), in hundredths of a per cent of the
    pay: of all clients, of one `organization`, or of one `project`.

    Without `fee_bps` it ends the scope's own fee, and the wider one applies. It counts once a second person
    of finance has accepted it; whoever made it owns it.
    """

    __tablename__ = "fee_changes"

    id: Mapped[Key]
    organization_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organizations.id"), index=True)
    project_id: Mapped[int | None] = mapped_column(sa.ForeignKey("projects.id"), index=True)
    from_on: Mapped[date]
    fee_bps: Mapped[int | None]
    reason: Mapped[str]
    state: Mapped[OfferState] = mapped_column(Word(OfferState))
    made_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]

    organization: Mapped[Organization | None] = relationship()
    project: Mapped[Project | None] = relationship()
    maker: Mapped[Person] = relationship(foreign_keys=[made_by])
    decider: Mapped[Person | None] = relationship(foreign_keys=[decided_by])

    @property
    def breadth(self) -> int:
        """0 for a project, 1 for a client, 2 for all: the narrowest that has a fee says it."""
        return 0 if self.project_id else 1 if self.organization_id else 2
