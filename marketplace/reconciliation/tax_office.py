"""A bank line that paid tax to a tax office, once two people said so: tax on our fees (2300), or a payment of
withheld tax (2310) that was written down before."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.actor import Actor
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.payments.tax import remitting
from marketplace.reconciliation import booking, joining
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.models import Decision, StatementLine, StatementMatch
from marketplace.reconciliation.states import DecisionKind, DecisionState

# Which tax, as a decision names it: this one, or a payment of withheld tax.
SOURCE = chart.tax_payable().key


def to_pay(session: Session, line_public_id: uuid.UUID, source: str = SOURCE) -> StatementLine:
    """The line, locked, if it can have paid that tax. Needs the matching lock.

    Raises NotFound; Refused when it is explained, brought money, is of clients' money, or more than is owed;
    for a payment of withheld tax, when it is another amount or day.
    """
    line = joining.locked_line(session, line_public_id)
    if line.amount > 0:
        raise Refused(_("Paying tax takes money away, but this line brings some."))
    if line.statement.account.client_money:
        raise Refused(_("Tax is paid from our own account, never with clients’ money."))
    if source == SOURCE:
        _require_owed(session, line)
    else:
        remitting.to_book(session, _named(source), Money(-line.amount, line.currency), line.booked_on)
    return line


def settle(
    session: Session, actor: Actor, line: StatementLine, reason: str, source: str = SOURCE
) -> StatementMatch:
    """Book the locked line: the tax to the bank. Raises NotAllowed to whoever prepared the payment."""
    if source == SOURCE:
        return booking.book_against(session, actor, line, BookAs.TAX, chart.tax_payable(), reason)
    paid = Money(-line.amount, line.currency)
    made = remitting.to_book(session, _named(source), paid, line.booked_on)
    owed = remitting.booked(session, actor, made)
    return booking.book_against(session, actor, line, BookAs.TAX, owed, reason, source)


def taken_back(session: Session, actor: Actor, match: StatementMatch) -> None:
    """The match of a line is undone, and its entry reversed: withheld tax that it paid waits again."""
    if paid_tax(match):
        query = sa.select(Decision).filter_by(
            statement_line_id=joining.line_of(match).id, kind=DecisionKind.TAX, state=DecisionState.CONFIRMED
        )
        last = session.scalars(query.order_by(Decision.id.desc()).limit(1)).one()
        if last.source and last.source != SOURCE:
            remitting.take_back(session, actor, _named(last.source))


def paid_tax(match: StatementMatch) -> bool:
    """Did two people say that the line of a match paid tax?"""
    return BookAs.TAX.value in match.reasons


def _require_owed(session: Session, line: StatementLine) -> None:
    owed = -ledger.balance(session, chart.tax_payable(), line.currency)
    if -line.amount > owed:
        raise Refused(
            _(
                "%(owed)s of tax is owed, and this line paid %(paid)s. Book what is more as what it is.",
                owed=Money(owed, line.currency),
                paid=Money(-line.amount, line.currency),
            )
        )


def _named(source: str) -> uuid.UUID:
    """The payment of withheld tax. Raises Invalid for what is none."""
    try:
        return uuid.UUID(source.removeprefix(remitting.PREFIX))
    except ValueError:
        raise Invalid(_("Choose which tax was paid."), field="book_as") from None
