"""Clients' wired money is moved by one person up to the limit, and by two above it; and it can go back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger, settings
from marketplace.actor import Actor
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.ledger.balances import NotCovered
from marketplace.payments import wires
from marketplace.payments.models import Funding
from marketplace.payments.states import FundingState
from marketplace.reconciliation import booking, decisions, matches, passes, returning
from marketplace.reconciliation import wires as arriving
from marketplace.reconciliation.models import BankAccount, Decision, StatementLine, StatementMatch
from marketplace.reconciliation.states import DecisionState, LineState, MatchState
from tests.cast import Cast
from tests.factories.gigs import a_client, a_project
from tests.reconciliation.camt import Entry
from tests.reconciliation.test_wires import CLIENTS, asked, bank_says, drifts, free, wire
from tests.reconciliation.world import MONDAY, NOON, finance
from tests.visitor import words

LIMIT = 10_000_00
LATER = MONDAY + timedelta(days=3)


@pytest.fixture(autouse=True)
def thursday(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(wires, "current", lambda: replace(settings.current(), client_bank=CLIENTS))
    with clock.at(NOON + timedelta(days=3)):
        yield


@pytest.fixture
def people(session: Session) -> tuple[Actor, Actor]:
    return finance(session)


@pytest.fixture
def lumen(session: Session) -> tuple[Actor, uuid.UUID]:
    client, organization = a_client(session)
    return client, a_project(session, client, organization).public_id


def credited(session: Session, lumen, fin: Actor, amount: int) -> tuple[Funding, StatementMatch]:
    lot = asked(session, lumen, amount)
    bank_says(session, fin, wire(lot))
    session.refresh(lot)
    return lot, session.scalars(sa.select(StatementMatch)).one()


def line(session: Session, amount: int) -> StatementLine:
    return session.scalars(sa.select(StatementLine).filter_by(amount=amount)).one()


def stale(actor: Actor) -> Actor:
    return replace(actor, second_factor_at=None)


def test_one_person_undoes_up_to_the_limit_with_a_fresh_factor(session: Session, lumen, people) -> None:
    lot, match = credited(session, lumen, people[0], LIMIT)
    with pytest.raises(FreshFactorNeeded):
        decisions.undo(session, stale(people[0]), match.public_id, "Vega's")
    done = decisions.undo(session, people[0], match.public_id, "Vega's")
    assert isinstance(done, StatementMatch)
    assert (lot.state, drifts(session)) == (FundingState.OPEN, [])


def test_above_the_limit_a_second_person_confirms_what_a_first_one_proposed(
    session: Session, lumen, people
) -> None:
    fin, gil = people
    lot, match = credited(session, lumen, fin, LIMIT + 1)
    with pytest.raises(Refused, match="above the limit"):
        matches.undo_match(session, gil, match.public_id, "Vega's")
    with pytest.raises(Invalid):
        decisions.undo(session, gil, match.public_id, " ")
    with pytest.raises(FreshFactorNeeded):
        decisions.undo(session, stale(gil), match.public_id, "Vega's")
    made = decisions.undo(session, gil, match.public_id, "Vega's")
    assert isinstance(made, Decision)
    assert (free(session, lumen[1]), lot.state) == (LIMIT + 1, FundingState.PAID)
    with pytest.raises(Refused, match="waits for a second person"):
        decisions.undo(session, gil, match.public_id, "Again")
    with pytest.raises(NotAllowed, match="You proposed this"):
        decisions.confirm(session, gil, made.public_id)
    with pytest.raises(NotAllowed):
        decisions.confirm(session, fin, made.public_id)  # who prepares does not release
    decisions.drop(session, fin, made.public_id)

    made = decisions.undo(session, fin, match.public_id, "Vega's")
    assert isinstance(made, Decision)
    with pytest.raises(FreshFactorNeeded):
        decisions.confirm(session, stale(gil), made.public_id)
    decisions.confirm(session, gil, made.public_id)
    session.refresh(lot)
    assert (free(session, lumen[1]), lot.state) == (0, FundingState.OPEN)
    assert (made.state, made.decided_by, match.state) == (
        DecisionState.CONFIRMED, gil.id, MatchState.UNDONE,
    )  # fmt: skip
    with pytest.raises(Refused, match="confirmed"):
        decisions.confirm(session, gil, made.public_id)
    assert drifts(session) == []


def test_the_database_keeps_the_second_person_and_what_was_proposed(session: Session, lumen, people) -> None:
    made = decisions.undo(
        session, people[1], credited(session, lumen, people[0], LIMIT + 1)[1].public_id, "Why"
    )
    assert isinstance(made, Decision)
    alone = {"state": "confirmed", "decided_by": people[1].id, "decided_at": clock.now()}
    for change in (alone, {"reason": "Other"}, {"proposed_by": people[0].id}, {"state": "confirmed"}):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(sa.update(Decision).values(**change))
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(sa.delete(Decision))


def test_a_request_that_the_line_does_not_name_needs_two_above_the_limit(
    session: Session, lumen, people
) -> None:
    fin, gil = people
    other = a_project(session, *a_client(session)).public_id
    named, lot = asked(session, lumen, 90_000_00), asked(session, (lumen[0], lumen[1]), 1_000_00)
    bank_says(session, fin, wire(named, LIMIT + 1), Entry(500_00, text="?"))
    big, small = line(session, LIMIT + 1).public_id, line(session, 500_00).public_id
    reference = lot.reference or ""
    with pytest.raises(FreshFactorNeeded):
        arriving.apply(session, stale(fin), small, reference)
    with pytest.raises(Refused, match="above the limit"):
        arriving.apply(session, fin, big, reference)
    with pytest.raises(Invalid, match="Say why"):
        decisions.apply(session, fin, big, reference, "")
    made = decisions.apply(session, fin, big, reference, "They wrote to us")
    assert isinstance(made, Decision)
    assert free(session, lumen[1]) == 0
    decisions.confirm(session, gil, made.public_id)
    session.refresh(lot)
    assert (lot.state, lot.net, free(session, other)) == (FundingState.PAID, LIMIT + 1, 0)
    assert isinstance(decisions.apply(session, fin, small, reference, ""), Funding)
    assert drifts(session) == []


def test_what_the_line_names_is_applied_by_one_whatever_its_amount(session: Session, lumen, people) -> None:
    lot = asked(session, lumen, 90_000_00)
    bank_says(session, people[0], wire(lot, LIMIT + 1))
    paid = decisions.apply(
        session, stale(people[0]), line(session, LIMIT + 1).public_id, lot.reference or "", ""
    )
    assert isinstance(paid, Funding)
    assert paid.net == LIMIT + 1


def test_unapplied_money_goes_back_and_both_lines_are_explained(session: Session, people) -> None:
    fin = people[0]
    bank_says(session, fin, Entry(700_00, text="mistake"), Entry(100_00, text="other"))
    bank_says(session, fin, Entry(-700_00, text="to sender"), opening=800_00, on=LATER)
    came, left = line(session, 700_00), line(session, -700_00)
    (held,) = returning.held_for(session, left)
    assert held.source == f"statement_line:{came.public_id}"
    with pytest.raises(Refused, match="which unapplied"):
        booking.book_line(session, fin, left.public_id, booking.BookAs.RETURNED, "x")
    with pytest.raises(Invalid, match="another amount"):
        decisions.give_back(
            session, fin, left.public_id, f"statement_line:{line(session, 100_00).public_id}", "x"
        )
    with pytest.raises(FreshFactorNeeded):
        decisions.give_back(session, stale(fin), left.public_id, held.source, "x")
    match = decisions.give_back(session, fin, left.public_id, held.source, "Not for us")
    assert isinstance(match, StatementMatch)
    assert (came.state, left.state) == (LineState.MATCHED, LineState.MATCHED)
    assert ledger.balance(session, chart.bank_client(), "USD") == 100_00
    assert [each.amount for each in arriving.unapplied(session)] == [100_00]
    assert drifts(session) == []
    kept = session.scalars(
        sa.select(StatementMatch).where(StatementMatch.lines.any(statement_line_id=came.id))
    )
    with pytest.raises(Refused, match="went back"):
        matches.undo_match(session, fin, kept.one().public_id, "x")
    matches.undo_match(session, fin, match.public_id, "Another one")
    assert len(arriving.unapplied(session)) == 2
    assert drifts(session) == []


def test_a_recalled_wire_is_undone_and_went_back_by_two(session: Session, lumen, people) -> None:
    fin, gil = people
    lot, match = credited(session, lumen, fin, LIMIT + 1)
    bank_says(session, fin, Entry(-LIMIT - 1, text="RECALL"), opening=LIMIT + 1, on=LATER)
    left = line(session, -LIMIT - 1)
    assert returning.held_for(session, left) == []
    undone = decisions.undo(session, fin, match.public_id, "Recalled")
    assert isinstance(undone, Decision)
    decisions.confirm(session, gil, undone.public_id)
    passes.run(session)
    (held,) = returning.held_for(session, left)
    with pytest.raises(Refused, match="above the limit"):
        returning.book_returned(session, fin, left.public_id, held.source, "Recalled")
    made = decisions.give_back(session, fin, left.public_id, held.source, "Recalled")
    assert isinstance(made, Decision)
    decisions.confirm(session, gil, made.public_id)
    session.refresh(lot)
    assert (lot.state, left.state, arriving.unapplied(session)) == (FundingState.OPEN, LineState.MATCHED, [])
    assert ledger.balance(session, chart.bank_client(), "USD") == 0
    assert drifts(session) == []


def test_an_opening_balance_is_listed_and_may_go_back(session: Session, people) -> None:
    fin = people[0]
    bank_says(session, fin, Entry(-900_00, text="to whoever"), opening=2_000_00)
    account = session.scalars(sa.select(BankAccount)).one()
    booking.book_opening(session, fin, account.public_id)
    ((found, held),) = returning.openings(session)
    assert (found, held.money.amount) == (account, 2_000_00)
    decisions.give_back(session, fin, line(session, -900_00).public_id, held.source, "It was Vega's")
    ((_found, left),) = returning.openings(session)
    assert left.money.amount == 1_100_00
    with pytest.raises(NotCovered):
        booking.take_opening_back(session, fin, account.public_id, "wrong")
    assert drifts(session) == []


def test_the_pages_propose_and_confirm(app: Flask, cast: Cast) -> None:
    session = cast.session
    project = a_project(session, cast.carla, cast.lumen.public_id).public_id
    _lot, match = credited(session, (cast.carla, project), cast.fin, LIMIT + 1)
    bank_says(session, cast.fin, Entry(-LIMIT - 1, text="RECALL"), opening=LIMIT + 1, on=LATER)
    fin, gil = cast.visitor(app, cast.fin), cast.visitor(app, cast.gil)
    came, left = (f"/reconciliation/lines/{line(session, n * (LIMIT + 1)).public_id}" for n in (1, -1))
    assert "somebody else reads this and confirms it" in words(fin.get(came))
    said = words(fin.post(f"/reconciliation/matches/{match.public_id}/undoing", note="Recalled"))
    assert "Waits for a second person" in said
    assert "Confirm it" not in said
    assert "Confirm it" in words(gil.get("/reconciliation/unapplied"))
    made = session.scalars(sa.select(Decision)).one()
    said = words(gil.post(f"/reconciliation/decisions/{made.public_id}/confirmation"))
    assert "Confirmed, and done." in said
    assert "Keep $10,000.01 as unapplied" in said
    fin.post(f"{came}/unapplied")
    assert "Propose that it went back" in words(fin.get(left))
    held = f"statement_line:{came.rpartition('/')[2]}"
    assert "Waits for a second person" in words(fin.post(f"{left}/returning", source=held, reason="Recalled"))
    made = session.scalars(sa.select(Decision).order_by(Decision.id.desc())).first()
    assert made is not None
    assert "Dropped" in words(fin.post(f"/reconciliation/decisions/{made.public_id}/dropping"))
    assert "Choose one." in words(fin.post(f"{left}/returning", reason="Recalled"))
