"""The journal as a table for spreadsheets and accountants: one row for each posting, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.i18n import gettext as _
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.ledger.words import event_name
from marketplace.money import Money

# Read so many at a time, each time in a transaction of its own: a slow reader holds nothing up.
AT_ONCE = 1_000
PLACE = (JournalEntry.booked_on, Posting.entry_id, Posting.id)


def header() -> list[str]:
    """What the columns of `rows` are called."""
    return [
        _("Booked on"), _("Happened (UTC)"), _("Entry"), _("Comes from"), _("What happened"), _("Memo"),
        _("Account"), _("Name of the account"), _("Key of the account"), _("Debit"), _("Credit"),
        _("Currency"),
    ]  # fmt: skip


def rows(
    session: Session, entries: sa.Select[JournalEntry], account: LedgerAccount | None = None
) -> Iterator[list[str]]:
    """The postings of these entries, or those on one account. Amounts are decimals in major units."""
    chosen = entries.with_only_columns(JournalEntry.id, maintain_column_froms=True).order_by(None)
    query = (
        sa.select(Posting)
        .join(Posting.entry)
        .where(Posting.entry_id.in_(chosen))
        .options(joinedload(Posting.account, innerjoin=True), joinedload(Posting.entry, innerjoin=True))
        .order_by(*PLACE)
        .limit(AT_ONCE)
    )
    if account is not None:
        query = query.where(Posting.account_id == account.id)
    after: Sequence[Any] | None = None
    while found := session.scalars(_beyond(query, after)).all():
        yield from [_row(posting) for posting in found]
        last = found[-1]
        after = (last.entry.booked_on, last.entry_id, last.id)
        session.rollback()


def _beyond(query: sa.Select[Posting], after: Sequence[Any] | None) -> sa.Select[Posting]:
    return query.where(sa.tuple_(*PLACE) > sa.tuple_(*after)) if after else query


def _row(posting: Posting) -> list[str]:
    entry, account = posting.entry, posting.account
    return [
        entry.booked_on.isoformat(), entry.occurred_at.isoformat(), str(entry.public_id), entry.source,
        event_name(entry.event), entry.memo, account.code, account.name, account.key,
        _plain(posting.debit), _plain(posting.credit), posting.currency,
    ]  # fmt: skip


def _plain(amount: Money | None) -> str:
    return str(amount.decimal) if amount else ""
