"""Each proof holds on clean books, and names what somebody with all rights altered."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from marketplace import clock, ledger
from marketplace.actor import SITE, Actor
from marketplace.errors import Refused
from marketplace.ledger import chart, periods, seals
from marketplace.ledger.proofs import PROOFS
from marketplace.proof import Drift
from tests.conftest import Committed

OCTOBER = datetime(2026, 10, 20, 12, tzinfo=UTC)
PROJECT, ANA = uuid.UUID(int=1), uuid.UUID(int=2)


def post(books: Committed, source: str, lines: list[tuple[chart.Account, int]]) -> None:
    with books.session() as session, session.begin():
        ledger.post(
            session,
            SITE,
            source=source,
            event="done",
            currency="USD",
            lines=lines,
            occurred_at=OCTOBER,
            memo="",
        )


@pytest.fixture
def books(committed: Committed) -> Committed:
    """A funded project, an hour approved, and all of it sealed."""
    post(committed, "funding:1", [(chart.stripe_balance(), 900), (chart.project_funds(PROJECT), -900)])
    post(committed, "approval:1", [(chart.project_funds(PROJECT), 500), (chart.expert_payable(ANA), -500)])
    with committed.session() as session:
        assert seals.seal(session) == 2
        assert seals.seal(session) == 0
    return committed


def drifts(books: Committed) -> dict[str, list[Drift]]:
    with books.session() as session:
        return {proof.code: found for proof in PROOFS if (found := list(proof.run(session)))}


def alter(books: Committed, *statements: str) -> None:
    """As a superuser could: with the triggers out of the way."""
    with books.owner() as owner, owner.begin():
        for table in ("journal_entries", "postings"):
            owner.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for statement in statements:
            owner.execute(sa.text(statement))


def test_clean_books_hold(books: Committed) -> None:
    assert drifts(books) == {}


def test_one_cent_changed(books: Committed) -> None:
    alter(books, "UPDATE postings SET amount = 901 WHERE amount = 900")

    found = drifts(books)
    assert set(found) == {"P1", "L1", "L2"}
    assert found["P1"] == [Drift("funding:1 done", "0", "1 USD")]
    assert found["L1"] == [Drift("stripe:balance USD", "901", "900")]
    assert found["L2"][0].subject == "funding:1 done"


def test_both_sides_changed_alike(books: Committed) -> None:
    alter(
        books,
        "UPDATE postings SET amount = 2 * amount WHERE entry_id = (SELECT min(id) FROM journal_entries)",
        "UPDATE ledger_balances SET amount = (SELECT sum(amount) FROM postings p "
        "WHERE p.account_id = ledger_balances.account_id)",
    )

    assert set(drifts(books)) == {"L2"}


def test_a_memo_reworded(books: Committed) -> None:
    alter(books, "UPDATE journal_entries SET memo = 'gift' WHERE source = 'approval:1'")

    assert {code: [d.subject for d in found] for code, found in drifts(books).items()} == {
        "L2": ["approval:1 done"]
    }


def test_an_entry_emptied(books: Committed) -> None:
    alter(books, "DELETE FROM postings WHERE entry_id = (SELECT max(id) FROM journal_entries)")

    assert drifts(books)["P1"] == [Drift("approval:1 done", "0", "no postings")]


def test_a_kept_balance_altered(books: Committed) -> None:
    alter(books, "UPDATE ledger_balances SET amount = amount + 1 WHERE amount = 900")

    assert set(drifts(books)) == {"L1"}


def test_a_project_overdrawn(books: Committed) -> None:
    post(books, "approval:2", [(chart.project_funds(PROJECT), 401), (chart.client_fees(), -401)])

    assert drifts(books) == {
        "P4": [Drift(f"2010 project:{PROJECT}:funds", "a credit balance", "1 USD debit")]
    }


def test_an_expert_overpaid(books: Committed) -> None:
    post(books, "payout_item:1", [(chart.expert_payable(ANA), 501), (chart.stripe_balance(), -501)])

    assert drifts(books) == {"P5": [Drift(f"2100 expert:{ANA}:payable", "a credit balance", "1 USD debit")]}


def test_an_account_under_the_wrong_code(books: Committed) -> None:
    post(books, "a:1", [(chart.stripe_balance(), 5), (chart.Account("2010", "site:pot"), -5)])

    assert drifts(books) == {"P4": [Drift("site:pot", "project:…", "site:pot")]}


def test_a_month_with_drift_does_not_close(books: Committed, fin: Actor, gil: Actor) -> None:
    alter(books, "UPDATE postings SET amount = 901 WHERE amount = 900")
    with books.session() as session, clock.at(datetime(2026, 11, 2, tzinfo=UTC)):
        month = periods.month_of("2026-10")
        periods.hold(session, fin, month)
        with pytest.raises(Refused, match="P1 does not hold for funding:1 done: expected 0, found 1 USD"):
            periods.close(session, gil, month)
