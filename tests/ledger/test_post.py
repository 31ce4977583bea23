"""Posting: balanced or not at all, once for each (source, event), and never changed."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import ledger
from marketplace.actor import SITE
from marketplace.db import violated
from marketplace.ledger import chart
from marketplace.ledger.models import JournalEntry, Posting
from tests.conftest import Committed

NOON = datetime(2026, 11, 3, 17, tzinfo=UTC)
PROJECT, ANA = uuid.uuid4(), uuid.uuid4()


def fund(session: Session, amount: int = 100_000, source: str = "funding:1") -> JournalEntry:
    lines = [(chart.stripe_balance(), amount), (chart.project_funds(PROJECT), -amount)]
    return ledger.post(
        session, SITE, source=source, event="paid", currency="USD", lines=lines, occurred_at=NOON, memo="Card"
    )


def test_an_entry_moves_both_balances(session: Session) -> None:
    entry = fund(session)

    assert entry.booked_on == date(2026, 11, 3)
    assert ledger.balance(session, chart.stripe_balance(), "USD") == 100_000
    assert ledger.balance(session, chart.project_funds(PROJECT), "USD") == -100_000
    assert ledger.balance(session, chart.project_funds(PROJECT), "EUR") == 0


def test_the_day_is_that_of_the_books_zone(session: Session) -> None:
    lines = [(chart.stripe_balance(), 1), (chart.suspense(), -1)]
    entry = ledger.post(
        session,
        SITE,
        source="txn:1",
        event="recorded",
        currency="USD",
        lines=lines,
        occurred_at=datetime(2026, 12, 1, 3, tzinfo=UTC),
        memo="",
    )

    assert entry.booked_on == date(2026, 11, 30)


def test_twice_the_same_is_once(session: Session) -> None:
    assert fund(session) is fund(session)
    assert ledger.balance(session, chart.stripe_balance(), "USD") == 100_000


def test_twice_with_another_amount_is_refused(session: Session) -> None:
    fund(session)

    with pytest.raises(ledger.AlreadyPosted, match="funding:1"):
        fund(session, 99_999)


def test_what_was_booked_before_and_what_is_new_come_together(session: Session) -> None:
    before = fund(session)
    lines = [(chart.stripe_balance(), 100_000), (chart.project_funds(PROJECT), -100_000)]
    again = ledger.NewEntry("funding:1", "paid", "USD", lines, NOON, "Card")
    new = [(chart.stripe_balance(), 7), (chart.expert_payable(ANA), -7)]
    first = ledger.NewEntry("approval:1", "approved", "USD", new, NOON, "Its account is made by it")

    written = ledger.post_many(session, SITE, [first, again])

    assert [entry.source for entry in written] == ["approval:1", "funding:1"]
    assert written[1] is before
    assert ledger.balance(session, chart.stripe_balance(), "USD") == 100_007
    assert [posting.amount for posting in written[0].postings] == [7, -7]


def test_lines_of_zero_are_left_out(session: Session) -> None:
    lines = [(chart.stripe_balance(), 5), (chart.client_fees(), 0), (chart.suspense(), -5)]
    entry = ledger.post(
        session, SITE, source="a:1", event="x", currency="USD", lines=lines, occurred_at=NOON, memo=""
    )

    assert [posting.amount for posting in entry.postings] == [5, -5]
    with pytest.raises(ValueError, match="not zero"):
        ledger.post(
            session, SITE, source="a:2", event="x", currency="USD", lines=[], occurred_at=NOON, memo=""
        )


@pytest.mark.parametrize(
    "lines",
    [
        [(chart.stripe_balance(), 5), (chart.suspense(), -4)],
        [(chart.stripe_balance(), 5)],
        [(chart.stripe_balance(), 5), (chart.held_contra(), -5)],
    ],
    ids=["one cent off", "one sided", "memo against the balance sheet"],
)
def test_the_database_refuses_what_does_not_balance(
    session: Session, lines: list[ledger.journal.Line]
) -> None:
    with pytest.raises(DBAPIError) as refused:
        ledger.post(
            session, SITE, source="a:1", event="x", currency="USD", lines=lines, occurred_at=NOON, memo=""
        )
    assert violated(refused.value) == "ck_postings_balanced"


def test_a_reversal_takes_everything_back_once(session: Session) -> None:
    entry = fund(session)
    back = ledger.reverse(session, SITE, entry, source="funding:1", event="reversed", memo="Mistake")
    again = ledger.reverse(session, SITE, entry, source="funding:1", event="reversed", memo="Mistake")

    assert back is again
    assert back.reverses_id == entry.id
    assert ledger.balance(session, chart.stripe_balance(), "USD") == 0


def test_many_entries_in_one_statement(session: Session) -> None:
    entries = [
        ledger.NewEntry(
            f"approval:{n}",
            "approved",
            "USD",
            [
                (chart.project_reserved(PROJECT), 120),
                (chart.expert_payable(ANA), -100),
                (chart.client_fees(), -20),
            ],
            NOON,
            "",
        )
        for n in range(50)
    ]
    written = ledger.post_many(session, SITE, [*entries, entries[0]])

    assert [entry.source for entry in written] == [f"approval:{n}" for n in [*range(50), 0]]
    assert ledger.balance(session, chart.expert_payable(ANA), "USD") == -5_000
    assert len(ledger.entries_for(session, "approval:")) == 50
    assert ledger.entries_for(session, "approval:1")[0].postings[0].account.code == "2020"


def test_only_what_is_there_can_be_authorised(session: Session) -> None:
    fund(session, 500)

    ledger.require_cover(session, chart.project_funds(PROJECT), "USD", 500)
    with pytest.raises(ledger.NotCovered, match=r"holds \$5\.00, and this needs \$5\.01"):
        ledger.require_cover(session, chart.project_funds(PROJECT), "USD", 501)
    with pytest.raises(ledger.NotCovered):
        ledger.require_cover(session, chart.project_reserved(PROJECT), "USD", 1)


def test_two_who_authorise_the_last_money_take_turns(committed: Committed) -> None:
    with committed.session() as first, committed.session() as second:
        fund(first, 500)
        first.commit()
        ledger.require_cover(first, chart.project_funds(PROJECT), "USD", 500)

        second.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            ledger.require_cover(second, chart.project_funds(PROJECT), "USD", 500)


def test_recording_does_not_wait_for_who_authorises(committed: Committed) -> None:
    with committed.session() as first, committed.session() as second:
        fund(first, 500)
        first.commit()
        ledger.require_cover(first, chart.project_funds(PROJECT), "USD", 500)

        second.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
        fund(second, 700, source="funding:2")
        second.commit()
        assert ledger.balance(second, chart.project_funds(PROJECT), "USD") == -1_200


def test_postings_of_an_entry_come_at_once(session: Session) -> None:
    posting = fund(session).postings[0]
    more = [{"entry_id": posting.entry_id, "account_id": posting.account_id, "currency": "USD"}] * 2

    with pytest.raises(DBAPIError) as refused:
        session.execute(
            sa.insert(Posting).values([{**row, "amount": n} for row, n in zip(more, (1, -1), strict=True)])
        )
    assert violated(refused.value) == "ck_postings_at_once"


def test_an_entry_without_postings_is_refused_at_commit(committed: Committed) -> None:
    with committed.session() as session:
        session.execute(sa.text("SELECT ledger_booking_day('2026-11-03', '2026-11-03Z')"))
        session.add(
            JournalEntry(
                source="a:1", event="x", occurred_at=NOON, booked_on=date(2026, 11, 3), memo="", request_id=""
            )
        )
        with pytest.raises(DBAPIError) as refused:
            session.commit()
    assert violated(refused.value) == "ck_journal_entries_postings"


def test_no_entry_is_checked_by_reading_the_whole_journal(committed: Committed) -> None:
    """Also by a session whose plans were made while there was next to nothing to read."""
    read = sa.text("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'postings'")
    with committed.session() as session, committed.owner() as owner:
        fund(session, source="funding:first")
        session.commit()
        owner.execute(sa.text("ANALYZE postings"))
        owner.commit()
        scans = []
        for number in range(9):
            fund(session, source=f"funding:{number}")
            session.commit()
            session.execute(sa.text("SELECT pg_stat_force_next_flush()"))
            session.rollback()
            scans.append(session.scalar(read))
            session.rollback()
        assert scans == [scans[0]] * 9


@pytest.mark.parametrize(
    ("table", "column"), [("journal_entries", "memo"), ("postings", "amount"), ("journal_seals", "hash")]
)
def test_nobody_changes_the_journal(committed: Committed, table: str, column: str) -> None:
    changes = [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"]
    for change in map(sa.text, changes):
        with committed.session() as session, pytest.raises(DBAPIError, match="permission denied"):
            session.execute(change)
        with committed.owner() as owner, pytest.raises(DBAPIError, match="append-only"):
            owner.execute(change)


@pytest.mark.parametrize("change", ["UPDATE ledger_balances SET amount = 0", "DELETE FROM ledger_balances"])
def test_only_postings_move_a_balance(session: Session, change: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        session.execute(sa.text(change))
