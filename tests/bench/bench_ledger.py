"""The ledger at scale, beside what it could at best cost.

The floor is the same rows written into bare tables of the same shape and indexes, without triggers and
foreign keys: by COPY, and by INSERT … SELECT FROM unnest. The peer of the hot accounts is the same accounts
without shards, their floor one row a commit by the same session. `BENCH_ENTRIES` says how many entries are
posted (default 20,000), `BENCH_POSTINGS` how long the history of the account is whose balance is read
(default 100,000; the promise is for 1,000,000), and `BENCH_LINES` how many timesheet lines are approved
(default 2,000; the promise is for 100,000).

Rows that end in "a second" are rates: the highest and the median of their rounds, not milliseconds.
"""

from __future__ import annotations

import os
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, embedded, ledger, schema, settings
from marketplace.actor import SITE
from marketplace.contracts.approvals import approve_timesheet
from marketplace.db import new_id, new_session
from marketplace.ledger import NewEntry, chart
from marketplace.ledger.chart import Account
from tests.bench import Row, posting, weeks

ENTRIES = int(os.environ.get("BENCH_ENTRIES", "20000"))
POSTINGS = int(os.environ.get("BENCH_POSTINGS", "100000"))
LINES = int(os.environ.get("BENCH_LINES", "2000"))
BATCH, CONNECTIONS, ROUNDS = 1_000, 8, 3
NOW = posting.NOW

BARE = """
    CREATE TABLE bare_entries (LIKE journal_entries INCLUDING ALL);
    CREATE TABLE bare_postings (LIKE postings INCLUDING ALL);
    ALTER TABLE bare_entries ALTER id DROP IDENTITY;
    ALTER TABLE bare_postings ALTER id DROP IDENTITY;
    CREATE TABLE bare_notes (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT now());
"""
ENTRY = "id, public_id, source, event, occurred_at, booked_on, memo, person_id, request_id, reverses_id"
POSTING = "id, entry_id, account_id, amount, currency"
UNNEST = f"""
    WITH entry AS (
        INSERT INTO bare_entries ({ENTRY})
        SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::date[],
            %s::text[], %s::bigint[], %s::text[], %s::bigint[])
    )
    INSERT INTO bare_postings ({POSTING})
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
"""


def rows() -> Iterator[Row]:
    server = embedded.ensure(settings.current())
    try:
        schema.upgrade(server.owner_url)
        plain = server.owner_url.replace("postgresql+psycopg", "postgresql")
        with new_session(server.app_url) as session, psycopg.connect(plain, autocommit=True) as owner:
            owner.execute(BARE)  # type: ignore[arg-type]
            yield from _in_batches(session, owner)
            yield from _at_once(server.app_url)
            yield from _read(session, owner)
            yield from _approved(session, owner)
    finally:
        server.stop()


def _in_batches(session: Session, owner: psycopg.Connection) -> Iterator[Row]:
    """All three write the same entries in short turns, so that what else the machine does meets them all."""
    ids = iter(range(1, 10**9))
    ways: dict[str, Callable[[Sequence[NewEntry]], object]] = {
        "floor: COPY into bare tables, entries a second": lambda made: _copy(owner, made, ids),
        "floor: unnest into bare tables, entries a second": lambda made: _unnest(owner, made, ids),
        "posted in batches of 1,000, entries a second": lambda made: _post(session, made),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for n in range(ENTRIES // BATCH + 1):
        for way, write in ways.items():
            made = [_approval(uuid.UUID(int=k % 50)) for k in range(BATCH)]
            started = time.perf_counter()
            write(made)
            if n:  # the first is to warm up
                rates[way].append(BATCH / (time.perf_counter() - started))
    for way, found in rates.items():
        yield _rate(way, found)


def _approval(owner: uuid.UUID) -> NewEntry:
    """An approved week as it is booked: what was reserved becomes pay and fee."""
    return NewEntry(
        source=f"approval:{new_id()}",
        event="approved",
        currency="USD",
        lines=[
            (chart.project_reserved(owner), 620_00),
            (chart.expert_payable(owner), -500_00),
            (chart.client_fees(), -120_00),
        ],
        occurred_at=NOW,
        memo="A week's work approved",
    )


def _post(session: Session, made: Sequence[NewEntry]) -> None:
    ledger.post_many(session, SITE, made)
    session.commit()


def _bare(
    made: Sequence[NewEntry], ids: Iterator[int]
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    entries: list[tuple[object, ...]] = []
    postings: list[tuple[object, ...]] = []
    for each in made:
        entry = next(ids)
        entries.append(
            (entry, new_id(), each.source, each.event, NOW, NOW.date(), each.memo, None, "bench", None)
        )
        postings += [(next(ids), entry, 1 + n, amount, "USD") for n, (_to, amount) in enumerate(each.lines)]
    return entries, postings


def _copy(owner: psycopg.Connection, made: Sequence[NewEntry], ids: Iterator[int]) -> None:
    entries, postings = _bare(made, ids)
    with owner.transaction(), owner.cursor() as cursor:
        for table, columns, found in (("entries", ENTRY, entries), ("postings", POSTING, postings)):
            with cursor.copy(f"COPY bare_{table} ({columns}) FROM STDIN") as copy:  # type: ignore[arg-type]
                for row in found:
                    copy.write_row(row)


def _unnest(owner: psycopg.Connection, made: Sequence[NewEntry], ids: Iterator[int]) -> None:
    entries, postings = _bare(made, ids)
    columns = [list(column) for found in (entries, postings) for column in zip(*found, strict=True)]
    with owner.transaction():
        owner.execute(UNNEST, columns)  # type: ignore[arg-type]


def _at_once(url: str) -> Iterator[Row]:
    """Eight connections, each a process, post one entry a transaction to the same three accounts."""
    ways = {
        "floor": "floor: one row a commit, 8 connections, a second",
        "plain": "one at a time, 8 connections, no shards, a second",
        "hot": "the same on shards, a second",
    }
    rates: dict[str, list[float]] = {what: [] for what in ways.values()}
    for _round in range(ROUNDS):
        for way, what in ways.items():
            together = get_context("spawn").Manager().Barrier(CONNECTIONS)
            with get_context("spawn").Pool(CONNECTIONS) as pool:
                # Each waits for all, so that nobody takes two turns.
                done = pool.map(posting.keep_on, [(url, way, together)] * CONNECTIONS, chunksize=1)
            rates[what].append(sum(done) / posting.SECONDS)
    for way, found in rates.items():
        yield _rate(way, found)


def _read(session: Session, owner: psycopg.Connection) -> Iterator[Row]:
    """The balance of an account with ten postings, and of one with many."""
    for postings in (10, POSTINGS):
        account = chart.expert_payable(new_id())
        for start in range(0, postings, BATCH):
            _post(session, [_paid(account) for _n in range(min(BATCH, postings - start))])
        owner.execute("ANALYZE")
        touched = _touched(session, account)
        times = []
        for _n in range(200):
            started = time.perf_counter()
            ledger.balance(session, account, "USD")
            times.append((time.perf_counter() - started) * 1000)
        times.sort()
        what = f"a balance after {postings:,} postings"
        yield Row(what, 200, times[0], statistics.median(times), times[198])
        yield Row("the same, pages of 8 kB touched", 1, touched, touched)


def _paid(account: Account) -> NewEntry:
    lines = [(chart.stripe_balance(), 5), (account, -5)]
    return NewEntry(f"bench:{new_id()}", "paid", "USD", lines, NOW, "One")


def _touched(session: Session, account: Account) -> float:
    plan = session.scalar(
        sa.text("""
            EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT sum(b.amount) FROM ledger_accounts a
            JOIN ledger_balances b ON b.account_id = a.id WHERE a.key = :key AND a.currency = 'USD'
        """),
        {"key": account.key},
    )
    session.rollback()
    return float(plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"])


def _approved(session: Session, owner: psycopg.Connection) -> Iterator[Row]:
    """Weeks of a hundred lines through the use case, each in a transaction of its own as people do it."""
    approver, sheets, when = weeks.submitted(session, owner, LINES)
    rates = []
    with clock.at(when):
        for public_id, version in sheets:
            started = time.perf_counter()
            approve_timesheet(session, approver, public_id, version)
            rates.append(weeks.LINES / (time.perf_counter() - started))
    yield _rate("timesheet lines approved, lines a second", rates)
    # The approval, and what of the week was not worked and returns.
    yield _rate("the same, entries a second", [2 * rate / weeks.LINES for rate in rates])


def _rate(what: str, rates: Sequence[float]) -> Row:
    return Row(what, len(rates), max(rates), statistics.median(rates))
