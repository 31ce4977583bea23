"""Invoices as they were issued. The database numbers them, and refuses every change."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Organization
from marketplace.actor import CLIENT, FINANCE, Actor, Role
from marketplace.db import Base, Key, Public
from marketplace.money import Money


class Invoice(Public, Base):
    """What a client was charged in a month and currency, over all projects. Amounts are minor units.

    `seller` and `buyer` are `{"name", "address", "tax_number"}` as they were then, and with the number under
    which tax was decided `"vat_id"`. `rounding` is what the client need not pay of its lines; `paid` was
    taken from the projects' funds. `sha256` covers all of it.

    `taxes` says how `tax` comes about, by rate and why: `{"basis", "name", "rate_bps", "base", "tax"}`, the
    base being our fee; it is empty where nothing was ever decided, and `tax_reason` says why.
    """

    __tablename__ = "invoices"

    id: Mapped[Key]
    number: Mapped[int] = mapped_column(unique=True, server_default=sa.FetchedValue())
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"))
    month: Mapped[date]
    currency: Mapped[str]
    issued_at: Mapped[datetime]
    issued_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    seller: Mapped[dict[str, str]] = mapped_column(JSONB)
    buyer: Mapped[dict[str, str]] = mapped_column(JSONB)
    tax_bps: Mapped[int]
    tax_reason: Mapped[str]
    taxes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]", default=list)
    pay: Mapped[int]
    fee: Mapped[int]
    rounding: Mapped[int]
    tax: Mapped[int]
    paid: Mapped[int]
    sha256: Mapped[bytes]

    organization: Mapped[Organization] = relationship()
    lines: Mapped[list[InvoiceLine]] = relationship(order_by="InvoiceLine.position")

    __table_args__ = (sa.UniqueConstraint("organization_id", "month", "currency"),)

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """The client's people, finance staff and operators."""
        if actor.has(Role.OPERATOR, *FINANCE):
            return sa.true()
        return cls.organization_id.in_(actor.organizations(*CLIENT))

    @property
    def name(self) -> str:
        """`INV-000012`."""
        return f"INV-{self.number:06}"

    @property
    def net(self) -> Money:
        return self.money(self.pay + self.fee + self.rounding)

    @property
    def total(self) -> Money:
        return self.net + self.money(self.tax)

    @property
    def due(self) -> Money:
        """What is still to be paid."""
        return self.total - self.money(self.paid)

    def money(self, amount: int) -> Money:
        """An amount in its currency."""
        return Money(amount, self.currency)


class InvoiceLine(Base):
    """Charges of one kind for one gig, taxed alike, as they were called then. Less than zero is a credit.

    `taxes` is as that of the invoice.
    """

    __tablename__ = "invoice_lines"

    id: Mapped[Key]
    invoice_id: Mapped[int] = mapped_column(sa.ForeignKey("invoices.id"))
    position: Mapped[int]
    kind: Mapped[str]
    project: Mapped[str]
    gig: Mapped[str]
    purchase_order: Mapped[str]
    cost_centre: Mapped[str]
    minutes: Mapped[int]
    pay: Mapped[int]
    fee: Mapped[int]
    tax: Mapped[int] = mapped_column(server_default="0", default=0)
    taxes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]", default=list)
    rounding: Mapped[int]

    charges: Mapped[list[InvoiceCharge]] = relationship()

    __table_args__ = (sa.UniqueConstraint("invoice_id", "position"),)


class InvoiceCharge(Base):
    """An entry of the journal that a line charges: no entry is on two invoices."""

    __tablename__ = "invoice_charges"

    journal_entry_id: Mapped[int] = mapped_column(sa.ForeignKey("journal_entries.id"), primary_key=True)
    line_id: Mapped[int] = mapped_column(sa.ForeignKey("invoice_lines.id"), index=True)


class InvoiceCounter(Base):
    """The last number that was given; only the database moves it on."""

    __tablename__ = "invoice_counter"

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    last: Mapped[int]
