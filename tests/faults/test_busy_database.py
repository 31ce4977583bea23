"""F35 and F37: transactions in each other's way, and decisions on what has changed since it was read."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.accounts.models import Organization
from marketplace.actor import SITE
from marketplace.contracts.signing import accept_offer
from marketplace.db import TRIES, use_case
from marketplace.errors import Refused
from marketplace.ledger import NewEntry, chart, journal
from tests.conftest import Committed
from tests.factories.accounts import an_organization
from tests.factories.contracts import MONDAY, RATE, an_offer
from tests.factories.gigs import a_client, a_gig, a_project, an_expert, fund
from tests.faults.together import together

pytestmark = pytest.mark.committed


@pytest.fixture
def two(committed: Committed) -> list[int]:
    """Two rows that everybody wants to change."""
    with committed.session() as session:
        return [an_organization(session, name).id for name in ("North", "South")]


def renames(
    tries: list[int], meet: threading.Barrier, order: list[int], suffix: str
) -> Callable[[Session], None]:
    """Adds a letter to the names of both, and at its first try waits for the other one in between."""

    @use_case
    def work(session: Session) -> None:
        tries.append(1)
        for number, each in enumerate(order):
            session.execute(
                sa.update(Organization).where(Organization.id == each).values(name=Organization.name + suffix)
            )
            if number == 0 and len(tries) <= 2:
                with suppress(threading.BrokenBarrierError):
                    meet.wait(10)

    return work


def test_f35_of_two_in_a_deadlock_both_succeed(committed: Committed, two: list[int]) -> None:
    tries: list[int] = []
    meet = threading.Barrier(2)
    acts = [renames(tries, meet, two, "a"), renames(tries, meet, two[::-1], "b")]
    assert together(committed, acts) == ["done", "done"]
    assert len(tries) >= 3, "one of them ran again, whole"
    with committed.session() as session:
        names = session.scalars(sa.select(Organization.name).order_by(Organization.id)).all()
    assert sorted(names[0][5:]) == sorted(names[1][5:]) == ["a", "b"]


def test_f35_what_was_read_too_early_is_read_again(committed: Committed, two: list[int]) -> None:
    """40001: the other one changed the row after it was read."""
    tries: list[int] = []
    meet = threading.Barrier(2)

    @use_case
    def work(session: Session) -> None:
        tries.append(1)
        session.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        found = session.get_one(Organization, two[0])
        if len(tries) <= 2:
            with suppress(threading.BrokenBarrierError):
                meet.wait(10)
        found.name += "!"

    assert together(committed, [work, work]) == ["done", "done"]
    assert len(tries) == 3
    with committed.session() as session:
        assert session.get_one(Organization, two[0]).name == "North!!"


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_f35_after_three_tries_it_is_a_409_and_nothing_was_changed(
    committed: Committed, two: list[int], code: str
) -> None:
    tries: list[int] = []

    @use_case
    def work(session: Session) -> None:
        tries.append(1)
        session.get_one(Organization, two[0]).name = "changed"
        session.flush()
        session.execute(sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '{code}'; END $$"))

    with committed.session() as session, pytest.raises(Refused, match="Look again") as refused:
        work(session)
    assert (len(tries), refused.value.status) == (TRIES, 409)
    with committed.session() as session:
        assert session.get_one(Organization, two[0]).name == "North"


def test_f35_entries_on_the_same_accounts_in_any_order_never_lock_each_other_out(
    committed: Committed,
) -> None:
    """Accounts are held in a fixed order, however the lines of an entry are written."""
    hot = [chart.client_fees(), chart.stripe_balance(), chart.rounding(), chart.expert_payable(uuid.uuid4())]

    def posts(turn: int) -> Callable[[Session], object]:
        order = hot[turn % 4 :] + hot[: turn % 4]
        lines = list(zip(order[:: 1 if turn % 2 else -1], (5, -2, -2, -1), strict=True))

        @use_case
        def post(session: Session) -> None:
            for number in range(5):
                source = f"test:{uuid.uuid4()}"
                ledger.post_many(
                    session, SITE, [NewEntry(source, f"e{number}", "USD", lines, clock.now(), "Test")]
                )

        return post

    assert together(committed, [posts(turn) for turn in range(8)]) == ["done"] * 8
    with committed.session() as session:
        session.execute(sa.text("SELECT pg_stat_force_next_flush()"))
        session.rollback()
        found = sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert session.scalar(found) == 0
        assert sum(ledger.balance(session, each, "USD") for each in hot) == 0


def test_f35_an_account_that_somebody_else_makes_meanwhile_is_posted_to(
    committed: Committed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is missing when the entry is written, and there when it is looked for."""
    lines = [(chart.stripe_balance(), 5), (chart.project_funds(uuid.uuid4()), -5)]
    entries = [NewEntry(f"test:{name}", "paid", "USD", lines, clock.now(), "Test") for name in ("a", "b")]
    makes = journal._make_accounts

    def slowly(session: Session, left: list[NewEntry]) -> None:
        monkeypatch.setattr(journal, "_make_accounts", makes)
        with committed.session() as other:
            ledger.post_many(other, SITE, entries[:1])
            other.commit()
        makes(session, left)

    monkeypatch.setattr(journal, "_make_accounts", slowly)
    with committed.session() as session:
        (made,) = ledger.post_many(session, SITE, entries[1:])
        session.commit()
        assert made.source == "test:b"
        assert ledger.balance(session, lines[1][0], "USD") == -10


def test_f37_what_somebody_saw_earlier_decides_nothing(committed: Committed) -> None:
    """Both have the page open on which the money is free; one signs, and the other's session is stale."""
    two_weeks = 2 * 10 * RATE * 120 // 100
    with committed.session() as session, clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        fund(session, project.public_id, two_weeks + 1)
        gig = a_gig(session, client, project, headcount=2)
        ana, ben = an_expert(session, "Ana Expert"), an_expert(session, "Ben Expert")
        offers = [an_offer(session, client, each, gig).public_id for each in (ana, ben)]
        funds = chart.project_funds(project.public_id)
    with committed.session() as stale, committed.session() as quick, clock.at(MONDAY):
        stale.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        assert ledger.balance(stale, funds, "USD") == -two_weeks - 1
        stale.scalars(sa.select(type(gig))).all()
        accept_offer(quick, ben, offers[1], ben.name)
        assert ledger.balance(stale, funds, "USD") == -two_weeks - 1, "it still sees the money"
        with pytest.raises(Refused, match="free"):
            accept_offer(stale, ana, offers[0], ana.name)
        assert ledger.balance(quick, funds, "USD") == -1
