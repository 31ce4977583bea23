"""What the books knew at a moment: the entries that were sealed by then, whatever day they are booked on.

An entry is known once the sealer has given it its place, which it does seconds after it was committed, one
at a time. So what was known at a moment that is over never changes: whoever asks for it first waits for the
sealer that may be at work, and what is sealed after that is known later.
"""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.audit import chain
from marketplace.ledger.models import JournalEntry, JournalSeal, LedgerAccount, Posting


def wait(session: Session) -> None:
    """Let the sealer that is at work finish, and no other begin before this transaction ends."""
    chain.wait_for_sealer(session, "journal")


def was_known(known: datetime) -> sa.ColumnElement[bool]:
    """Of an entry: was it known at that moment?"""
    return sa.exists().where(JournalSeal.entry_id == JournalEntry.id, JournalSeal.sealed_at <= known)


def sums(
    session: Session, known: datetime, day: date | None, *which: sa.ColumnElement[bool]
) -> list[tuple[int, str, int]]:
    """Of the accounts that had postings: internal id, code and balance (debit positive) at the end of that
    day of the books, as it was known. Adds up what was posted, so it takes as long as that is much."""
    query = (
        sa.select(LedgerAccount.id, LedgerAccount.code, sa.func.sum(Posting.amount))
        .join(Posting, Posting.account_id == LedgerAccount.id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(was_known(known), *which)
        .group_by(LedgerAccount.id)
        .order_by(LedgerAccount.code, LedgerAccount.id)
    )
    if day is not None:
        query = query.where(JournalEntry.booked_on <= day)
    return [(account_id, code, int(amount)) for account_id, code, amount in session.execute(query)]
