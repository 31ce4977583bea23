"""A bank line that paid tax is proposed by one and confirmed by another, and never more than is owed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace import clock, ledger, settings
from marketplace.actor import Actor
from marketplace.errors import NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.payments import wires
from marketplace.reconciliation import booking, decisions
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.states import DecisionState, LineState
from tests.reconciliation.camt import Entry
from tests.reconciliation.test_wires import CLIENTS
from tests.reconciliation.test_wires import bank_says as client_bank_says
from tests.reconciliation.world import NOON, bank_says, finance, line, post

OWED = 120_00


@pytest.fixture(autouse=True)
def thursday(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(wires, "current", lambda: replace(settings.current(), client_bank=CLIENTS))
    with clock.at(NOON + timedelta(days=3)):
        yield


@pytest.fixture
def people(session: Session) -> tuple[Actor, Actor]:
    """Fin and Gil, and tax that is owed."""
    post(session, "approval:tax", "approved", [(chart.owner_capital(), OWED), (chart.tax_payable(), -OWED)])
    return finance(session)


def owed(session: Session) -> int:
    return -ledger.balance(session, chart.tax_payable(), "USD")


def test_two_people_say_that_tax_was_paid(session: Session, people: tuple[Actor, Actor]) -> None:
    fin, gil = people
    bank_says(session, fin, Entry(-100_00, text="FINANZAMT"), opening=500_00)
    paid = line(session, "FINANZAMT")
    with pytest.raises(Refused, match="confirmed by another"):
        booking.book_line(session, fin, paid.public_id, BookAs.TAX, "June")
    made = decisions.pay_tax(session, gil, paid.public_id, "VAT return of June")
    with pytest.raises(NotAllowed):
        decisions.confirm(session, gil, made.public_id)
    with pytest.raises(NotAllowed):
        decisions.confirm(session, fin, made.public_id)
    assert owed(session) == OWED
    decisions.drop(session, fin, made.public_id)
    again = decisions.pay_tax(session, fin, paid.public_id, "VAT return of June")
    decisions.confirm(session, gil, again.public_id)
    assert (again.state, paid.state, owed(session)) == (DecisionState.CONFIRMED, LineState.MATCHED, 20_00)
    assert decisions.what(again) == "Tax was paid to the tax office"
    [entry] = ledger.entries_of(session, [f"statement_line:{paid.public_id}"])
    assert {each.account.code: each.amount for each in entry.postings} == {"2300": 100_00, "1010": -100_00}


@pytest.mark.parametrize(
    ("amount", "why"), [(OWED + 1, "brings some"), (-OWED - 1, r"\$120.00 of tax is owed")]
)
def test_it_takes_what_is_owed_at_most(
    session: Session, people: tuple[Actor, Actor], amount: int, why: str
) -> None:
    bank_says(session, people[0], Entry(amount, text="FINANZAMT"), opening=500_00)
    with pytest.raises(Refused, match=why):
        decisions.pay_tax(session, people[0], line(session, "FINANZAMT").public_id, "VAT return of June")


def test_clients_money_pays_no_tax(session: Session, people: tuple[Actor, Actor]) -> None:
    client_bank_says(session, people[0], Entry(-1_00, text="FINANZAMT"), opening=500_00)
    with pytest.raises(Refused, match="never with clients’ money"):
        decisions.pay_tax(session, people[0], line(session, "FINANZAMT").public_id, "VAT return of June")
