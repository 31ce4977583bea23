"""What should not have come in is set aside with a reason, changes nothing booked, and can come back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import Actor
from marketplace.audit.models import AuditEvent
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.reconciliation import booking, matches, passes, setting_aside
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.models import BankAccount, BankStatement, OpenItem, StatementLine
from marketplace.reconciliation.proofs import bank_agrees
from marketplace.reconciliation.statements import import_statement
from marketplace.reconciliation.states import ItemState, Kind, LineState, StatementState
from tests.reconciliation.camt import Entry, Statement, document
from tests.reconciliation.world import MONDAY, NOON, a_sweep, finance, line

TUESDAY = MONDAY + timedelta(days=1)
GOOD = Statement(MONDAY, 1_000, [Entry(500, "Fees", "R1"), Entry(-450, "Coffee", "R2")])
WRONG = Statement(MONDAY, 1_000, [Entry(500, "Fees", "R1"), Entry(-540, "Coffee", "R2")], closing=1_050)
NEXT = Statement(TUESDAY, 1_050, [Entry(900, "Fees", "R3")])
STRANGE = "GB33BUKB20201555559999"


@pytest.fixture(autouse=True)
def thursday() -> Iterator[None]:
    with clock.at(NOON + timedelta(days=3)):
        yield


@pytest.fixture
def fin(session: Session) -> Actor:
    return finance(session)[0]


def bring(session: Session, fin: Actor, *days: Statement, new_account: bool = False) -> int:
    """How many lines were new."""
    made = import_statement(session, fin, "bank.xml", document(*days), new_account=new_account)
    passes.run(session)
    return made.new


def statement(session: Session, state: StatementState) -> BankStatement:
    return session.scalars(sa.select(BankStatement).filter_by(state=state)).one()


def aside(session: Session, fin: Actor, state: StatementState) -> BankStatement:
    found = statement(session, state)
    return setting_aside.set_statement_aside(session, fin, found.public_id, "The bank sent it wrong")


def states(session: Session) -> list[StatementState]:
    return list(session.scalars(sa.select(BankStatement.state).order_by(BankStatement.id)))


def items(session: Session) -> list[tuple[Kind, int]]:
    rows = session.execute(sa.select(OpenItem.kind, OpenItem.amount).filter_by(state=ItemState.OPEN))
    return sorted((kind, amount) for kind, amount in rows)


def trail(session: Session, verb: str) -> list[AuditEvent]:
    return list(session.scalars(sa.select(AuditEvent).filter_by(verb=verb).order_by(AuditEvent.id)))


def test_a_wrong_copy_after_the_good_one_goes_with_the_line_that_only_it_holds(
    session: Session, fin: Actor
) -> None:
    bring(session, fin, GOOD)
    before = items(session)
    assert bring(session, fin, WRONG) == 1
    assert (Kind.STATEMENT_CONTRADICTION, 0) in items(session)
    aside(session, fin, StatementState.CONTRADICTS)

    assert states(session) == [StatementState.ACCEPTED, StatementState.SET_ASIDE]
    assert items(session) == before
    assert list(bank_agrees(session)) == []
    assert trail(session, "set_aside")[-1].facts == {"reason": "The bank sent it wrong", "lines": 1}


def test_a_wrong_copy_before_the_good_one_leaves_by_itself_with_the_line_that_only_it_holds(
    session: Session, fin: Actor
) -> None:
    bring(session, fin, WRONG)
    bring(session, fin, GOOD)

    assert states(session) == [StatementState.REPLACED, StatementState.ACCEPTED]
    with pytest.raises(Refused, match="A later file replaced this statement"):
        aside(session, fin, StatementState.REPLACED)
    assert items(session) == [
        (Kind.MISSING_INTERNAL, 1_000),
        (Kind.UNIDENTIFIED, -450),
        (Kind.UNIDENTIFIED, 500),
    ]
    assert list(bank_agrees(session)) == []


def test_a_wrong_copy_whose_own_line_is_booked_is_not_replaced_before_that_is_undone(
    session: Session, fin: Actor
) -> None:
    bring(session, fin, WRONG)
    coffee = session.scalars(sa.select(StatementLine).filter_by(amount=-540)).one()
    booked = booking.book_line(session, fin, coffee.public_id, BookAs.CHARGE, "Coffee")
    bring(session, fin, GOOD)
    assert states(session) == [StatementState.CONTRADICTS, StatementState.ACCEPTED]
    assert coffee.state == LineState.MATCHED

    matches.undo_match(session, fin, booked.public_id, "Not a coffee")
    aside(session, fin, StatementState.CONTRADICTS)
    assert coffee.state == LineState.SET_ASIDE
    assert list(bank_agrees(session)) == []


def test_it_comes_back_as_it_was(session: Session, fin: Actor) -> None:
    bring(session, fin, GOOD)
    bring(session, fin, WRONG)
    before = items(session)
    found = aside(session, fin, StatementState.CONTRADICTS)
    setting_aside.bring_statement_back(session, fin, found.public_id)

    assert states(session) == [StatementState.ACCEPTED, StatementState.CONTRADICTS]
    assert items(session) == before
    assert (found.set_aside_at, found.set_aside_by, found.set_aside_reason) == (None, None, None)
    assert [event.subject_id for event in trail(session, "brought_back")] == [found.public_id]
    with pytest.raises(Refused, match="is not set aside"):
        setting_aside.bring_statement_back(session, fin, found.public_id)


def test_what_follows_it_becomes_a_gap_and_back(session: Session, fin: Actor) -> None:
    bring(session, fin, Statement(MONDAY - timedelta(days=3), 990, [Entry(10, "Interest")]))
    bring(session, fin, GOOD)
    bring(session, fin, NEXT)
    monday = session.scalars(sa.select(BankStatement).filter_by(to_on=MONDAY)).one()
    setting_aside.set_statement_aside(session, fin, monday.public_id, "Not this one")
    gap = [StatementState.ACCEPTED, StatementState.SET_ASIDE, StatementState.GAP]
    assert states(session) == gap

    setting_aside.bring_statement_back(session, fin, monday.public_id)
    assert states(session) == [StatementState.ACCEPTED] * 3


def test_while_a_line_is_booked_it_stays(session: Session, fin: Actor) -> None:
    bring(session, fin, GOOD)
    coffee = line(session, "Coffee")
    match = booking.book_line(session, fin, coffee.public_id, BookAs.CHARGE, "Coffee")
    with pytest.raises(Refused, match=r"-\$4\.50, Coffee, is matched or booked"):
        aside(session, fin, StatementState.ACCEPTED)
    session.rollback()
    assert states(session) == [StatementState.ACCEPTED]

    matches.undo_match(session, fin, match.public_id, "Wrong copy")
    aside(session, fin, StatementState.ACCEPTED)
    assert items(session) == []
    with pytest.raises(Refused, match="set aside with its statement"):
        booking.book_line(session, fin, coffee.public_id, BookAs.CHARGE, "Coffee")


def test_proposals_end_with_it_and_come_again(session: Session, fin: Actor) -> None:
    people = (fin, finance(session)[1])
    sweeps = [a_sweep(session, people, trace=None) for _n in range(2)]
    bring(session, fin, Statement(TUESDAY, 0, [Entry(90_000, "STRIPE")]))
    assert line(session, "STRIPE").state == LineState.PROPOSED
    found = aside(session, fin, StatementState.ACCEPTED)
    assert matches.proposed_pairs(session) == set()

    setting_aside.bring_statement_back(session, fin, found.public_id)
    passes.run(session)
    line_id = line(session, "STRIPE").id
    assert matches.proposed_pairs(session) == {(line_id, sweep.id) for sweep in sweeps}


def test_the_same_file_may_come_in_again(session: Session, fin: Actor) -> None:
    assert bring(session, fin, GOOD) == 2
    before = items(session)
    found = aside(session, fin, StatementState.ACCEPTED)
    assert items(session) == []

    assert bring(session, fin, GOOD) == 2
    assert states(session) == [StatementState.SET_ASIDE, StatementState.ACCEPTED]
    assert items(session) == before
    assert session.scalar(sa.select(sa.func.count()).select_from(StatementLine)) == 4
    with pytest.raises(Refused, match="came in again"):
        setting_aside.bring_statement_back(session, fin, found.public_id)


def test_it_needs_a_reason_and_somebody_of_finance(session: Session, fin: Actor) -> None:
    bring(session, fin, GOOD)
    found = statement(session, StatementState.ACCEPTED)
    account = session.scalars(sa.select(BankAccount)).one()
    for act, public_id in (
        (setting_aside.set_statement_aside, found.public_id),
        (setting_aside.set_account_aside, account.public_id),
    ):
        with pytest.raises(Invalid, match="Say why"):
            act(session, fin, public_id, " ")
        with pytest.raises(NotAllowed):
            act(session, Actor(fin.person_id, "Zed"), public_id, "Because")


def test_a_strange_bank_account_goes_with_all_that_came_with_it(session: Session, fin: Actor) -> None:
    bring(session, fin, GOOD)
    before = items(session)
    strange = Statement(MONDAY, 70_000, [Entry(1, "Theirs")], account=STRANGE)
    bring(session, fin, strange, new_account=True)
    account = session.scalars(sa.select(BankAccount).filter_by(number=STRANGE)).one()
    booking.book_opening(session, fin, account.public_id)
    with pytest.raises(Refused, match="opening balance is booked"):
        setting_aside.set_account_aside(session, fin, account.public_id, "Of another company")
    booking.take_opening_back(session, fin, account.public_id, "Of another company")
    setting_aside.set_account_aside(session, fin, account.public_id, "Of another company")

    assert items(session) == before
    assert list(bank_agrees(session)) == []
    assert ledger.balance(session, chart.bank_operating(), "USD") == 0
    with pytest.raises(Invalid, match="…9999 was set aside"):
        bring(session, fin, strange)


def test_a_bank_account_comes_back_with_what_went_with_it(session: Session, fin: Actor) -> None:
    bring(session, fin, GOOD)
    bring(session, fin, NEXT)
    before = items(session)
    first = session.scalars(sa.select(BankStatement).filter_by(to_on=MONDAY)).one()
    setting_aside.set_statement_aside(session, fin, first.public_id, "By itself")
    account = session.scalars(sa.select(BankAccount)).one()
    with clock.at(NOON + timedelta(days=4)):
        setting_aside.set_account_aside(session, fin, account.public_id, "All of it")
        assert items(session) == []
        with pytest.raises(Refused, match="account was set aside"):
            setting_aside.bring_statement_back(session, fin, first.public_id)
        setting_aside.bring_account_back(session, fin, account.public_id)
    assert states(session) == [StatementState.SET_ASIDE, StatementState.ACCEPTED]

    setting_aside.bring_statement_back(session, fin, first.public_id)
    assert items(session) == before


def test_an_opening_balance_is_taken_back_and_booked_again(session: Session, fin: Actor) -> None:
    bring(session, fin, GOOD)
    account = session.scalars(sa.select(BankAccount)).one()
    with pytest.raises(Refused, match="is not booked"):
        booking.take_opening_back(session, fin, account.public_id, "Too early")
    booking.book_opening(session, fin, account.public_id)
    with pytest.raises(Invalid, match="Say why"):
        booking.take_opening_back(session, fin, account.public_id, "")
    booking.take_opening_back(session, fin, account.public_id, "Too early")
    assert ledger.balance(session, chart.bank_operating(), "USD") == 0
    assert (Kind.MISSING_INTERNAL, 1_000) in items(session)

    assert booking.book_opening(session, fin, account.public_id).event == "opened 2"
    booking.take_opening_back(session, fin, account.public_id, "Again")
    assert ledger.balance(session, chart.bank_operating(), "USD") == 0
