"""The journal as rows that a story can be compared with, line by line."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.ledger.models import JournalEntry, Posting
from marketplace.money import Money

Line = tuple[str, str, str, str]
Row = tuple[str, list[Line]]


def rows(session: Session, names: Mapping[uuid.UUID, str], source_prefix: str = "") -> list[Row]:
    """Entries, oldest first: ("funding paid", [(code, whose, debit, credit), …]).

    `names` says who stands behind a public id in an account's key. Amounts are in major units, or "".
    """
    return [_row(entry, names) for entry in ledger.entries_for(session, source_prefix)]


def _row(entry: JournalEntry, names: Mapping[uuid.UUID, str]) -> Row:
    kind = entry.source.partition(":")[0]
    return f"{kind} {entry.event}", [_line(posting, names) for posting in entry.postings]


def _line(posting: Posting, names: Mapping[uuid.UUID, str]) -> Line:
    return (
        posting.account.code,
        _owner(posting.account.key, names),
        _figures(posting.debit),
        _figures(posting.credit),
    )


def _owner(key: str, names: Mapping[uuid.UUID, str]) -> str:
    """The name behind `expert:<uuid>:payable`; nothing for the site's own accounts."""
    _kind, _colon, rest = key.partition(":")
    try:
        return names[uuid.UUID(rest.partition(":")[0])]
    except ValueError:
        return ""


def _figures(amount: Money | None) -> str:
    return f"{amount.decimal:,}" if amount else ""
