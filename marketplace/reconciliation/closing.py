"""What finance has to have done at the bank and with the open items before a month closes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.i18n import day, ngettext
from marketplace.i18n import gettext as _
from marketplace.ledger.periods import last_day
from marketplace.reconciliation.bank_accounts import all_accounts, first_statement, last_statement
from marketplace.reconciliation.models import OpenItem
from marketplace.reconciliation.open_items import kind_name
from marketplace.reconciliation.states import ItemState, Kind

# What is on its way clears itself, and what an expert's account holds now is no matter of a month.
NOT_OF_A_MONTH = (Kind.TIMING, Kind.NEGATIVE_CONNECTED_BALANCE, Kind.ORPHAN_ACCOUNT_BALANCE)


def statements_reach_the_end(session: Session, month: date) -> Iterator[str]:
    """Each account that had a statement by then has one that reaches the month's last day, or goes beyond.

    Whether one is missing in between is asked by a proof.
    """
    end = last_day(month)
    for account in all_accounts(session):
        first, last = first_statement(session, account), last_statement(session, account)
        if first and last and first.from_on <= end > last.to_on:
            yield _(
                "The statements of bank account %(mask)s end on %(last)s. "
                "Import those up to %(end)s, or the next one after it.",
                mask=account.mask,
                last=day(last.to_on),
                end=day(end),
            )


def items_are_cleared(session: Session, month: date) -> Iterator[str]:
    """Nothing that happened by the month's last day is an open item."""
    left = sa.select(OpenItem).where(
        OpenItem.state == ItemState.OPEN,
        OpenItem.since <= last_day(month),
        OpenItem.kind.not_in(NOT_OF_A_MONTH),
    )
    oldest = session.scalar(left.order_by(OpenItem.since, OpenItem.id).limit(1))
    if oldest is None:
        return
    count = session.scalar(sa.select(sa.func.count()).select_from(left.subquery())) or 0
    yield ngettext(
        "One open item is not cleared: %(kind)s, %(amount)s, since %(since)s. Clear it under Reconciliation. "
        "If it has to be booked in this month, open the month again first.",
        "%(n)s open items are not cleared; the oldest: %(kind)s, %(amount)s, since %(since)s. "
        "Clear them under Reconciliation. If they have to be booked in this month, open the month again "
        "first.",
        count,
        kind=kind_name(oldest.kind),
        amount=oldest.money,
        since=day(oldest.since),
    )
