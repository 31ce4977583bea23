"""A bank line that paid tax to a tax office: 2300 is less by it, once two people said so."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.actor import Actor
from marketplace.errors import Refused
from marketplace.i18n import gettext as _
from marketplace.ledger import chart
from marketplace.money import Money
from marketplace.reconciliation import booking, joining
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.models import StatementLine, StatementMatch

# Where the money went, as a decision names it.
SOURCE = chart.tax_payable().key


def to_pay(session: Session, line_public_id: uuid.UUID) -> StatementLine:
    """The line, locked, if it can have paid tax. Needs the matching lock.

    Raises NotFound; Refused when it is explained, brought money, is of clients' money, or more than is owed.
    """
    line = joining.locked_line(session, line_public_id)
    if line.amount > 0:
        raise Refused(_("Paying tax takes money away, but this line brings some."))
    if line.statement.account.client_money:
        raise Refused(_("Tax is paid from our own account, never with clients’ money."))
    owed = -ledger.balance(session, chart.tax_payable(), line.currency)
    if -line.amount > owed:
        raise Refused(
            _(
                "%(owed)s of tax is owed, and this line paid %(paid)s. Book what is more as what it is.",
                owed=Money(owed, line.currency),
                paid=Money(-line.amount, line.currency),
            )
        )
    return line


def settle(session: Session, actor: Actor, line: StatementLine, reason: str) -> StatementMatch:
    """Book the locked line: 2300 to the bank."""
    return booking.book_against(session, actor, line, BookAs.TAX, chart.tax_payable(), reason)
