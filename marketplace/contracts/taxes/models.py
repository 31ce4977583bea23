"""Dated tax. Rows are only ever added: a rate is in force until the next one of its place begins."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Organization, Person
from marketplace.actor import CLIENT, FINANCE, Actor, Role
from marketplace.contracts.states import OfferState
from marketplace.db import Base, Key, Public, Word


class Basis(StrEnum):
    """Why a fee bears the tax that it bears."""

    NONE = "none"
    UNSAID = "unsaid"
    DOMESTIC = "domestic"
    NO_NUMBER = "no_number"
    REVERSE = "reverse_charge"
    OUTSIDE = "outside"


class TaxRate(Public, Base):
    """What a place taxes, from day `from_on` on (a day of the contract's zone), in hundredths of a per cent
    of our fee; without `rate_bps` it ends, and a region's wider country applies.

    `region` is empty for a whole country. `source` says where the rate is written down. It counts once a
    second person of finance has accepted it.
    """

    __tablename__ = "tax_rates"

    id: Mapped[Key]
    country: Mapped[str]
    region: Mapped[str]
    name: Mapped[str]
    rate_bps: Mapped[int | None]
    from_on: Mapped[date]
    source: Mapped[str]
    state: Mapped[OfferState] = mapped_column(Word(OfferState))
    made_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]

    maker: Mapped[Person] = relationship(foreign_keys=[made_by])
    decider: Mapped[Person | None] = relationship(foreign_keys=[decided_by])

    @property
    def place(self) -> str:
        """`DE`, or `US-CA`."""
        return f"{self.country}-{self.region}" if self.region else self.country


class TaxProfile(Public, Base):
    """Where a client is for tax, by their admin's word; it counts from `from_on` on once finance confirmed.

    `vat_id` is compact, such as `FR40303265045`; its form was checked. `note` is what finance found, or why
    it was refused.
    """

    __tablename__ = "tax_profiles"

    id: Mapped[Key]
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"), index=True)
    country: Mapped[str]
    region: Mapped[str]
    business: Mapped[bool]
    vat_id: Mapped[str | None]
    state: Mapped[OfferState] = mapped_column(Word(OfferState))
    made_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]
    from_on: Mapped[date | None]
    note: Mapped[str | None]

    organization: Mapped[Organization] = relationship()
    maker: Mapped[Person] = relationship(foreign_keys=[made_by])
    decider: Mapped[Person | None] = relationship(foreign_keys=[decided_by])

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """The client's people, finance staff and operators."""
        if actor.has(Role.OPERATOR, *FINANCE):
            return sa.true()
        return cls.organization_id.in_(actor.organizations(*CLIENT))

    @property
    def place(self) -> str:
        """`DE`, or `US-CA`."""
        return f"{self.country}-{self.region}" if self.region else self.country


class TaxDecision(Base):
    """What applies to our fee for a client's work from day `from_on` on, worked out when a rate or a profile
    was accepted and never changed. Without an `organization_id` it is for clients that have none of their
    own.

    Everything that an invoice says is here as it was then: both places and both numbers.
    """

    __tablename__ = "tax_decisions"

    id: Mapped[Key]
    organization_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organizations.id"), index=True)
    from_on: Mapped[date]
    basis: Mapped[Basis] = mapped_column(Word(Basis))
    name: Mapped[str]
    rate_bps: Mapped[int]
    place: Mapped[str]
    vat_id: Mapped[str | None]
    our_place: Mapped[str]
    our_vat_id: Mapped[str | None]
    rate_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tax_rates.id"))
    profile_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tax_profiles.id"))
    decided_at: Mapped[datetime]
