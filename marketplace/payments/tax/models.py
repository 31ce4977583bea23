"""Tax forms and what follows from them. What was signed, noted or decided stays as it was."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person
from marketplace.contracts.states import OfferState
from marketplace.crypto import Sealed
from marketplace.db import Base, Key, Public, Word
from marketplace.money import Money
from marketplace.payments.models import PayoutItem
from marketplace.payments.tax.states import (
    Classification,
    FormKind,
    FormState,
    NumberKind,
    RemittanceState,
    Why,
)


class TaxForm(Public, Base):
    """A W-9 or W-8BEN as it was signed. `number` and `details` (JSON: address, day of birth, treaty) are
    encrypted; `number_end` are the last four characters of the number, all that is shown.

    `text_version` names the certification that was signed; `valid_until` is the last day on which a W-8BEN
    counts, and None for a W-9. `told` is the last warning (60, 30 or 7 days) before that. `decided_by` is who
    of finance refused it, or let one count that waited.
    """

    __tablename__ = "tax_forms"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    kind: Mapped[FormKind] = mapped_column(Word(FormKind))
    state: Mapped[FormState] = mapped_column(Word(FormState), default=FormState.ACCEPTED)
    name: Mapped[str]
    business_name: Mapped[str | None]
    classification: Mapped[Classification | None] = mapped_column(Word(Classification))
    country: Mapped[str]
    number_kind: Mapped[NumberKind] = mapped_column(Word(NumberKind))
    number: Mapped[str | None] = mapped_column(Sealed("tax_forms.number"))
    number_end: Mapped[str | None]
    details: Mapped[str] = mapped_column(Sealed("tax_forms.details"))
    told_by_irs: Mapped[bool]
    signed_name: Mapped[str]
    signed_at: Mapped[datetime]
    text_version: Mapped[str]
    valid_until: Mapped[date | None]
    told: Mapped[int | None]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]
    reason: Mapped[str | None]

    person: Mapped[Person] = relationship(foreign_keys=person_id)
    decider: Mapped[Person | None] = relationship(foreign_keys=decided_by)

    @property
    def masked(self) -> str:
        """The number as it is shown: its last four characters."""
        return f"••• {self.number_end}" if self.number_end else ""


class BNotice(Public, Base):
    """The tax office told us that name and number of a person do not match (a B-notice); until it is `ended`,
    with what showed that it is mended, 24 % is withheld."""

    __tablename__ = "tax_b_notices"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    received_on: Mapped[date]
    note: Mapped[str]
    recorded_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    recorded_at: Mapped[datetime]
    ended_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None]

    person: Mapped[Person] = relationship(foreign_keys=person_id)
    recorder: Mapped[Person] = relationship(foreign_keys=recorded_by)


class UsWork(Public, Base):
    """Days (of the contract's zone, both included) on which a foreign person works in the US. `rate_bps` of
    the pay for them is withheld: 3000, or what finance noted from an accepted Form 8233. Finance may make
    them fewer, or end them altogether, with a reason."""

    __tablename__ = "tax_us_work"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    from_on: Mapped[date]
    until_on: Mapped[date]
    rate_bps: Mapped[int]
    declared_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    declared_at: Mapped[datetime]
    rate_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    rate_reason: Mapped[str | None]
    changed_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    change_reason: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(foreign_keys=person_id)
    rater: Mapped[Person | None] = relationship(foreign_keys=rate_by)
    changer: Mapped[Person | None] = relationship(foreign_keys=changed_by)


class TaxThreshold(Public, Base):
    """From the tax year `from_year` on, until the next row of the same form: payments to somebody of at least
    `amount` (1099-NEC), or of more than `amount` in more than `transactions` (1099-K), in cents, are
    reported. Counts once a second person of finance has accepted it; whoever proposed it owns it."""

    __tablename__ = "tax_thresholds"

    id: Mapped[Key]
    form: Mapped[str]
    from_year: Mapped[int]
    amount: Mapped[int]
    transactions: Mapped[int]
    source: Mapped[str]
    state: Mapped[OfferState] = mapped_column(Word(OfferState))
    made_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    made_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]

    maker: Mapped[Person | None] = relationship(foreign_keys=made_by)
    decider: Mapped[Person | None] = relationship(foreign_keys=decided_by)


class ReportedYear(Base):
    """On which form a year's payments were first taken along to be reported: never on a second one."""

    __tablename__ = "tax_reported_years"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    form: Mapped[str]
    first_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    first_at: Mapped[datetime]


class Remittance(Public, Base):
    """Withheld tax that is paid to the tax office from our own bank account: that of payments to experts
    which were sent up to the end of a day. One prepares it; another confirms the bank line that paid it,
    which books it. Two people may take it back."""

    __tablename__ = "tax_remittances"

    id: Mapped[Key]
    why: Mapped[Why] = mapped_column(Word(Why))
    currency: Mapped[str]
    amount: Mapped[int]
    until_on: Mapped[date]
    reference: Mapped[str]
    state: Mapped[RemittanceState] = mapped_column(Word(RemittanceState), default=RemittanceState.PREPARED)
    prepared_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    prepared_at: Mapped[datetime]
    booked_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    booked_at: Mapped[datetime | None]

    preparer: Mapped[Person] = relationship(foreign_keys=prepared_by)
    booker: Mapped[Person | None] = relationship(foreign_keys=booked_by)
    items: Mapped[list[RemittanceItem]] = relationship(back_populates="remittance")

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class RemittanceItem(Base):
    """A payment whose withheld tax a remittance takes; at most one live remittance takes it."""

    __tablename__ = "tax_remittance_items"

    remittance_id: Mapped[int] = mapped_column(sa.ForeignKey("tax_remittances.id"), primary_key=True)
    payout_item_id: Mapped[int] = mapped_column(sa.ForeignKey("payout_items.id"), primary_key=True)
    amount: Mapped[int]
    ended_at: Mapped[datetime | None]

    remittance: Mapped[Remittance] = relationship(back_populates="items")
    item: Mapped[PayoutItem] = relationship()


def details_of(form: TaxForm) -> dict[str, Any]:
    """The encrypted part of a form: strings by the names of its lines."""
    found: dict[str, Any] = json.loads(form.details)
    return found
