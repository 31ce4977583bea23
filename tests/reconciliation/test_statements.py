"""Files come in once, lines come in once, and a statement that does not add up says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.actor import Actor
from marketplace.errors import Invalid, NotAllowed
from marketplace.reconciliation.models import BankStatement, StatementLine
from marketplace.reconciliation.statements import Imported, import_statement
from marketplace.reconciliation.states import StatementState
from tests.reconciliation.camt import Entry, Statement, document
from tests.reconciliation.world import finance

MONDAY = date(2026, 11, 2)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
FIRST = Statement(MONDAY, 1_000, [Entry(500, "Fees", "R1"), Entry(-450, "Coffee"), Entry(-450, "Coffee")])
SECOND = Statement(TUESDAY, 600, [Entry(900, "Fees", "R2")])


@pytest.fixture
def fin(session: Session) -> Actor:
    return finance(session)[0]


def bring(session: Session, fin: Actor, *days: Statement, message: str = "1") -> Imported:
    return import_statement(session, fin, "bank.xml", document(*days, message=message))


def states(session: Session) -> dict[date, StatementState]:
    return {s.to_on: s.state for s in session.scalars(sa.select(BankStatement).order_by(BankStatement.id))}


def count(session: Session) -> int | None:
    return session.scalar(sa.select(sa.func.count()).select_from(StatementLine))


def test_lines_come_in(session: Session, fin: Actor) -> None:
    result = bring(session, fin, FIRST, SECOND)

    assert (result.again, result.new, result.known) == (False, 4, 0)
    assert states(session) == dict.fromkeys((MONDAY, TUESDAY), StatementState.ACCEPTED)


def test_the_same_bytes_change_nothing(session: Session, fin: Actor) -> None:
    first = bring(session, fin, FIRST)
    again = bring(session, fin, FIRST)

    assert (again.again, again.new, again.known) == (True, 0, 3)
    assert again.file is first.file


def test_a_strange_account_has_to_be_meant(session: Session, fin: Actor) -> None:
    bring(session, fin, FIRST)
    strange = document(replace(FIRST, account="GB33BUKB20201555559999"))

    with pytest.raises(Invalid, match="9999 in USD"):
        import_statement(session, fin, "wrong.xml", strange)
    session.rollback()
    assert import_statement(session, fin, "second.xml", strange, new_account=True).new == 3


def test_overlapping_files_bring_each_line_once(session: Session, fin: Actor) -> None:
    bring(session, fin, FIRST)
    result = bring(session, fin, FIRST, SECOND, message="2")

    assert (result.new, result.known) == (1, 3)
    assert count(session) == 4
    assert len(session.scalars(sa.select(BankStatement)).all()) == 2


def test_a_statement_that_does_not_add_up(session: Session, fin: Actor) -> None:
    bring(session, fin, Statement(MONDAY, 1_000, [Entry(500)], closing=1_501))
    statement = session.scalars(sa.select(BankStatement)).one()

    assert statement.state == StatementState.CONTRADICTS
    assert statement.problems == [
        "Opening balance and lines make $15.00, but the closing balance says $15.01."
    ]
    assert count(session) == 1


def test_without_balances_it_proves_nothing(session: Session, fin: Actor) -> None:
    bring(session, fin, Statement(MONDAY, None, [Entry(500)]))

    assert states(session) == {MONDAY: StatementState.CONTRADICTS}


def test_the_corrected_file_takes_the_place_of_the_wrong_one(session: Session, fin: Actor) -> None:
    bring(session, fin, Statement(MONDAY, 1_000, [Entry(500, ref="R1")], closing=1_501))
    bring(session, fin, Statement(MONDAY, 1_000, [Entry(500, ref="R1")]))

    found = [s.state for s in session.scalars(sa.select(BankStatement).order_by(BankStatement.id))]
    assert found == [StatementState.REPLACED, StatementState.ACCEPTED]
    assert count(session) == 1


def test_a_corrected_amount_under_the_same_reference_is_another_line(session: Session, fin: Actor) -> None:
    bring(session, fin, Statement(MONDAY, 1_000, [Entry(499, ref="R1"), Entry(1, ref="R1")], closing=1_501))
    bring(session, fin, Statement(MONDAY, 1_000, [Entry(500, ref="R1"), Entry(1, ref="R1")]))

    assert states(session)[MONDAY] == StatementState.ACCEPTED
    assert sorted(session.scalars(sa.select(StatementLine.amount))) == [1, 499, 500]


def test_a_missing_day_is_a_gap_until_it_comes(session: Session, fin: Actor) -> None:
    bring(session, fin, FIRST)
    bring(session, fin, Statement(WEDNESDAY, 1_500, [Entry(1)]))
    assert states(session)[WEDNESDAY] == StatementState.GAP

    bring(session, fin, SECOND)
    assert states(session) == dict.fromkeys((MONDAY, WEDNESDAY, TUESDAY), StatementState.ACCEPTED)


def test_what_is_no_statement_is_refused(session: Session, fin: Actor) -> None:
    with pytest.raises(Invalid, match=r"camt\.053"):
        import_statement(session, fin, "photo.png", b"\x89PNG")


def test_only_finance_imports(session: Session, fin: Actor) -> None:
    with pytest.raises(NotAllowed):
        import_statement(session, Actor(fin.person_id, "Zed"), "bank.xml", document(FIRST))
