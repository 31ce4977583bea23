"""The journal as a table for spreadsheets and accountants: one row for each posting, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from marketplace.i18n import gettext as _
from marketplace.ledger.models import JournalEntry, LedgerAccount, Posting
from marketplace.ledger.sources import owner_of
from marketplace.ledger.words import event_name
from marketplace.money import Money

# Read so many at a time, each time in a transaction of its own: a slow reader holds nothing up.
AT_ONCE = 1_000
PLACE = (JournalEntry.booked_on, Posting.entry_id, Posting.id)


def header() -> list[str]:
    """What the columns of `rows` are called."""
    return [
        _("Booked on"), _("Happened (UTC)"), _("Entry"), _("Comes from"), _("What happened"), _("Memo"),
        _("Account"), _("Name of the account"), _("Whose it is"), _("Key of the account"), _("Debit"),
        _("Credit"), _("Currency"),
    ]  # fmt: skip


def file_name(account: LedgerAccount) -> str:
    """Of an account's postings, such as `account-2100-expert-<id>-payable-USD.csv`: one for each account."""
    return "-".join(["account", account.code, *account.key.split(":"), f"{account.currency}.csv"])


def rows(
    session: Session, entries: sa.Select[JournalEntry], account: LedgerAccount | None = None
) -> Iterator[list[str]]:
    """The postings of these entries, or those on one account.

    Amounts are decimals in major units; moments are UTC, to the second.
    """
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
    owner = cache(_owner)
    while found := session.scalars(_beyond(query, after)).all():
        yield from [_row(posting, owner(posting.account.key)) for posting in found]
        last = found[-1]
        after = (last.entry.booked_on, last.entry_id, last.id)
        session.rollback()


def _beyond(query: sa.Select[Posting], after: Sequence[Any] | None) -> sa.Select[Posting]:
    return query.where(sa.tuple_(*PLACE) > sa.tuple_(*after)) if after else query


def _row(posting: Posting, owner: str) -> list[str]:
    entry, account = posting.entry, posting.account
    return [
        entry.booked_on.isoformat(), _utc(entry.occurred_at), str(entry.public_id), entry.source,
        event_name(entry.event), entry.memo, account.code, account.name, owner, account.key,
        _plain(posting.debit), _plain(posting.credit), posting.currency,
    ]  # fmt: skip


def _owner(key: str) -> str:
    found = owner_of(key)
    return found.label if found else ""


def _utc(moment: datetime) -> str:
    # Fractions of a second come and go with the value, and spreadsheets do not take them for a moment.
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _plain(amount: Money | None) -> str:
    return str(amount.decimal) if amount else ""
