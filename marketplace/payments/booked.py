"""For proofs: what things should have moved, beside what the books say of them."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.proof import Drift


def compared(session: Session, expected: sa.Subquery, found: sa.Subquery) -> Iterator[Drift]:
    """A drift for each `source` of which the two `amount`s differ; nothing and zero are one."""
    rows = session.execute(
        sa.select(sa.func.coalesce(expected.c.source, found.c.source), expected.c.amount, found.c.amount)
        .select_from(expected.outerjoin(found, found.c.source == expected.c.source, full=True))
        .where(sa.func.coalesce(expected.c.amount, 0) != sa.func.coalesce(found.c.amount, 0))
    )
    for source, should, is_ in rows:
        yield Drift(source, str(should or 0), str(is_ or 0))


def moved_on(prefix: str, code: str, sign: int = 1) -> sa.Subquery:
    """What the entries of each source moved on an account: debit positive, or credit with a `sign` of -1."""
    return (
        sa.select(JournalEntry.source, (sa.func.sum(Posting.amount) * sign).label("amount"))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(JournalEntry.source.startswith(prefix), LedgerAccount.code == code)
        .group_by(JournalEntry.source)
        .subquery()
    )


def source_of(prefix: str, public_id: sa.orm.InstrumentedAttribute[object]) -> sa.ColumnElement[str]:
    """What the journal calls a thing."""
    return sa.func.concat(prefix, sa.cast(public_id, sa.Text))
