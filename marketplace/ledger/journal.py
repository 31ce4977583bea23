"""Writing the journal. An entry is kept once for each (source, event); a correction is a reversal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from marketplace import clock
from marketplace.actor import Actor
from marketplace.db import array, new_id
from marketplace.errors import Refused
from marketplace.i18n import gettext as _
from marketplace.ledger.chart import Account
from marketplace.ledger.models import JournalEntry, Posting
from marketplace.ledger.periods import day_of

# One statement finds the accounts and writes entries and postings together, so an entry never stands without
# its postings, and a batch costs what one entry costs. It writes nothing while an account is not there yet.
# The database chooses the day of the books, under the calendar's lock.
WRITE = """
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:ids AS uuid[]), CAST(:sources AS text[]), CAST(:events AS text[]),
            CAST(:moments AS timestamptz[]), CAST(:days AS date[]), CAST(:memos AS text[]),
            CAST(:reversed AS bigint[])
        ) WITH ORDINALITY AS t (public_id, source, event, occurred_at, day, memo, reverses_id, place)
    ), known AS MATERIALIZED (
        SELECT t.account, a.id
        FROM unnest(CAST(:keys AS text[]), CAST(:kept_in AS text[]))
            WITH ORDINALITY AS t (key, currency, account)
        JOIN ledger_accounts a ON a.key = t.key COLLATE "C" AND a.currency = t.currency
    ), calendar AS MATERIALIZED (
        SELECT day, ledger_booking_day(day, :now) AS booked_on FROM (SELECT DISTINCT day FROM given) AS d
    ), entry AS (
        INSERT INTO journal_entries
            (public_id, source, event, occurred_at, booked_on, memo, person_id, request_id, reverses_id)
        SELECT public_id, source, event, occurred_at, booked_on, memo, :person_id, :request_id, reverses_id
        FROM given JOIN calendar USING (day)
        WHERE (SELECT count(*) FROM known) = cardinality(CAST(:keys AS text[])) ORDER BY place
        ON CONFLICT (source, event) DO NOTHING
        RETURNING *
    ), line AS (
        INSERT INTO postings (entry_id, account_id, amount, currency)
        SELECT entry.id, known.id, amount, currency
        FROM unnest(
            CAST(:of AS uuid[]), CAST(:accounts AS bigint[]), CAST(:amounts AS bigint[]),
            CAST(:currencies AS text[])
        ) WITH ORDINALITY AS t (public_id, account, amount, currency, place)
        JOIN entry USING (public_id) JOIN known USING (account) ORDER BY place
    )
    SELECT {columns} FROM entry
""".format(columns=", ".join(column.name for column in JournalEntry.__table__.columns))  # noqa: S608 (names of ours)

# Made once, since to put it together takes longer than to read one entry.
_WRITTEN = sa.select(JournalEntry).from_statement(sa.text(WRITE).columns(*JournalEntry.__table__.columns))

# One statement whatever the number of accounts, so that it is put together and planned once.
KNOWN = sa.text("""
    SELECT a.key, a.currency
    FROM unnest(CAST(:keys AS text[]), CAST(:currencies AS text[])) AS t (key, currency)
    JOIN ledger_accounts a ON a.key = t.key COLLATE "C" AND a.currency = t.currency
""")

MAKE = sa.text("""
    INSERT INTO ledger_accounts (key, currency, code, kind, hot)
    SELECT * FROM unnest(
        CAST(:keys AS text[]), CAST(:currencies AS text[]), CAST(:codes AS text[]), CAST(:kinds AS text[]),
        CAST(:hot AS boolean[])
    )
    ON CONFLICT DO NOTHING
""")

Line = tuple[Account, int]
Written = dict[tuple[str, str], JournalEntry]


class AlreadyPosted(Refused):
    """The same (source, event) is in the journal with other lines."""


@dataclass(frozen=True)
class NewEntry:
    """An entry to write. `lines` are (account, minor units), debit positive; zeros are left out.

    `source` names what it comes from, as `kind:<id>`; `event` what happened to it; `occurred_at` is UTC.
    The memo is for people in finance and holds no personal data.
    """

    source: str
    event: str
    currency: str
    lines: Sequence[Line]
    occurred_at: datetime
    memo: str
    reverses_id: int | None = None

    @property
    def postings(self) -> list[Line]:
        return [(account, amount) for account, amount in self.lines if amount]


def post(
    session: Session,
    actor: Actor,
    *,
    source: str,
    event: str,
    currency: str,
    lines: Sequence[Line],
    occurred_at: datetime,
    memo: str,
) -> JournalEntry:
    """Write one entry in the running transaction, or find the one that was written before with these lines.

    Never refuses for want of cover or because a month is closed (it is then booked on the first day of the
    next open month): what authorises asks `require_cover` first. Raises AlreadyPosted when (source, event)
    was booked with other lines, and IntegrityError when the lines do not balance.
    """
    entry = NewEntry(source, event, currency, lines, occurred_at, memo)
    return post_many(session, actor, [entry])[0]


def post_many(session: Session, actor: Actor, entries: Sequence[NewEntry]) -> list[JournalEntry]:
    """As `post`, for many entries at the cost of one; the entries in the order given."""
    if not all(entry.postings for entry in entries):
        raise ValueError("an entry needs postings that are not zero")
    found = _write(session, actor, entries)
    if left := _not_in(entries, found):
        _make_accounts(session, left)
        # Also when none was missing any more: somebody else may have made it in between.
        found |= _write(session, actor, left)
    if left := _not_in(entries, found):
        found |= _written_before(session, left)
    return [found[entry.source, entry.event] for entry in entries]


def reverse(
    session: Session, actor: Actor, entry: JournalEntry, *, source: str, event: str, memo: str
) -> JournalEntry:
    """Write the entry that takes `entry` back, today; asked again, find it.

    Raises IntegrityError when another source has reversed it.
    """
    lines = [(_account_of(posting), -posting.amount) for posting in entry.postings]
    currency = entry.postings[0].currency
    return post_many(
        session, actor, [NewEntry(source, event, currency, lines, clock.now(), memo, reverses_id=entry.id)]
    )[0]


def entries_for(session: Session, source_prefix: str) -> Sequence[JournalEntry]:
    """Entries whose source starts with the prefix, oldest first, with their postings and accounts."""
    return session.scalars(
        sa.select(JournalEntry)
        .where(JournalEntry.source.startswith(source_prefix, autoescape=True))
        .options(selectinload(JournalEntry.postings).joinedload(Posting.account))
        .order_by(JournalEntry.id)
    ).all()


def entries_of(session: Session, sources: Sequence[str]) -> Sequence[JournalEntry]:
    """Entries of exactly these sources, in the order in which things happened, with their postings."""
    return session.scalars(
        sa.select(JournalEntry)
        .where(JournalEntry.source.in_(sources))
        .options(selectinload(JournalEntry.postings))
        .order_by(JournalEntry.occurred_at, JournalEntry.id)
    ).all()


def _not_in(entries: Sequence[NewEntry], found: Written) -> list[NewEntry]:
    return [entry for entry in entries if (entry.source, entry.event) not in found]


def _write(session: Session, actor: Actor, entries: Sequence[NewEntry]) -> Written:
    """Those that are written now; none of them while an account is missing."""
    rows = session.scalars(_WRITTEN, _columns(actor, entries)).all()
    return {(row.source, row.event): row for row in rows}


def _columns(actor: Actor, entries: Sequence[NewEntry]) -> dict[str, Any]:
    """The parameters of WRITE: each line names its account by the place of that among the accounts."""
    ids = [new_id() for _entry in entries]
    accounts: dict[tuple[str, str], int] = {}
    lines = [
        (
            public_id,
            accounts.setdefault((account.key, entry.currency), len(accounts) + 1),
            amount,
            entry.currency,
        )
        for public_id, entry in zip(ids, entries, strict=True)
        for account, amount in entry.postings
    ]
    of, places, amounts, currencies = zip(*lines, strict=True)
    keys, kept_in = zip(*accounts, strict=True)
    return {
        "ids": array(ids),
        "sources": [entry.source for entry in entries],
        "events": [entry.event for entry in entries],
        "moments": array(entry.occurred_at.isoformat() for entry in entries),
        "days": array(day_of(entry.occurred_at) for entry in entries),
        "memos": [entry.memo for entry in entries],
        "reversed": array(entry.reverses_id for entry in entries),
        "now": clock.now(),
        "person_id": actor.person_id,
        "request_id": actor.request_id,
        "keys": list(keys),
        "kept_in": array(kept_in),
        "of": array(of),
        "accounts": array(places),
        "amounts": array(amounts),
        "currencies": array(currencies),
    }


def _make_accounts(session: Session, entries: Iterable[NewEntry]) -> None:
    """Make those that are not there, in order of key, the same for everybody."""
    wanted = {
        (account.key, entry.currency): account for entry in entries for account, _amount in entry.postings
    }
    keys, currencies = (list(column) for column in zip(*wanted, strict=True))
    known = session.execute(KNOWN, {"keys": keys, "currencies": currencies})
    missing = sorted(set(wanted) - {(key, currency) for key, currency in known})
    if missing:
        new = [wanted[each] for each in missing]
        columns = {
            "keys": [account.key for account in new],
            "currencies": [currency for _key, currency in missing],
            "codes": [account.code for account in new],
            "kinds": [account.kind.value for account in new],
            "hot": [account.hot for account in new],
        }
        session.execute(MAKE, columns)


def _written_before(session: Session, entries: Sequence[NewEntry]) -> Written:
    """The entries that were there already. Raises AlreadyPosted for one whose lines differ."""
    rows = session.scalars(
        sa.select(JournalEntry)
        .where(sa.tuple_(JournalEntry.source, JournalEntry.event).in_([(e.source, e.event) for e in entries]))
        .options(selectinload(JournalEntry.postings).joinedload(Posting.account))
    )
    found = {(row.source, row.event): row for row in rows}
    for entry in entries:
        kept = found[entry.source, entry.event].postings
        if sorted((p.account.key, p.amount, p.currency) for p in kept) != sorted(
            (account.key, amount, entry.currency) for account, amount in entry.postings
        ):
            raise AlreadyPosted(
                _(
                    "%(source)s was already booked with other amounts. Reverse that first.",
                    source=entry.source,
                )
            )
    return found


def _account_of(posting: Posting) -> Account:
    account = posting.account
    return Account(account.code, account.key, account.hot)
