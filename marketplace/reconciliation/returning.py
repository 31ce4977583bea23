"""Clients' money that leaves the bank again without a refund: unapplied cash that went back to its sender.

A recall of a wire that was credited is undone first; then its money is unapplied, and this says that it left.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import ledger, text
from marketplace.actor import FINANCE, Actor
from marketplace.db import use_case
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.reconciliation import bank_accounts, booking, joining, wires
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.models import BankAccount, StatementLine, StatementMatch


@dataclass(frozen=True)
class Held:
    """Unapplied money: under which source the books keep it, since when, and what the bank said of it."""

    source: str
    money: Money
    since: date | None
    said: str


@use_case
def book_returned(
    session: Session, actor: Actor, line_public_id: uuid.UUID, source: str, reason: str
) -> StatementMatch:
    """Say that a line gave the unapplied money of `source` back, with a fresh second factor.

    Raises Invalid for what it cannot be; Refused above the limit, where two people decide (`decisions`).
    """
    actor.require(*FINANCE)
    line = to_return(session, line_public_id, source)
    joining.alone_may(actor, line)
    return settle(session, actor, line, source, reason)


def to_return(session: Session, line_public_id: uuid.UUID, source: str) -> StatementLine:
    """The line, locked, which may have given the money of `source` back. Takes the matching lock.

    Raises Invalid, NotFound or Refused.
    """
    joining.alone(session)
    line = joining.locked_line(session, line_public_id)
    if source not in (each.source for each in held_for(session, line)):
        raise Invalid(
            _("That money is not unapplied any more, or is of another amount. Look again."), field="source"
        )
    return line


def settle(session: Session, actor: Actor, line: StatementLine, source: str, reason: str) -> StatementMatch:
    """Book what `to_return` gave, whoever decided so: Dr 2030 / Cr 1020."""
    said = text.line(reason)
    if not said:
        raise Invalid(_("Say why it went back, for whoever reads the books later."), field="reason")
    kept = chart.unapplied(source)
    ledger.require_cover(session, kept, line.currency, -line.amount)
    return booking.book_against(session, actor, line, BookAs.RETURNED, kept, said)


def held_for(session: Session, line: StatementLine) -> list[Held]:
    """The unapplied money that the line may have given back: a line's whole, or of an opening balance."""
    if line.amount >= 0 or not line.statement.account.client_money:
        return []
    left = Money(-line.amount, line.currency)
    whole = [each for each in wires.unapplied(session) if each.money == left]
    lines = [
        Held(
            f"statement_line:{each.public_id}",
            each.money,
            each.booked_on,
            " · ".join(part for part in (each.counterparty, each.text) if part),
        )
        for each in whole
    ]
    opened = [each for _account, each in openings(session) if each.money.currency == line.currency]
    return lines + [each for each in opened if each.money.amount >= left.amount]


def openings(session: Session) -> list[tuple[BankAccount, Held]]:
    """What lay on clients' accounts before their first statements, and is unapplied still."""
    found = []
    accounts = sa.select(BankAccount).where(BankAccount.client_money).order_by(BankAccount.id)
    for account in session.scalars(accounts):
        source = bank_accounts.opening_source(account)
        held = -ledger.balance(session, chart.unapplied(source), account.currency)
        first = bank_accounts.first_statement(session, account)
        if held > 0:
            said = _("Before the first statement of account %(mask)s", mask=account.mask)
            found.append(
                (account, Held(source, Money(held, account.currency), first.from_on if first else None, said))
            )
    return found
