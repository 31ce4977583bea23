"""Several bank accounts: each ties out by itself, and together they are the ledger's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.ledger import chart
from marketplace.reconciliation import booking
from marketplace.reconciliation.booking import BookAs
from marketplace.reconciliation.differences import bank_sides
from marketplace.reconciliation.statements import import_statement
from tests.cast import Cast
from tests.reconciliation.camt import Entry, Statement, document
from tests.reconciliation.world import MONDAY, NOON, finance, line, post
from tests.visitor import words

SECOND = "GB33BUKB20201555559999"


@pytest.fixture(autouse=True)
def thursday() -> Iterator[None]:
    with clock.at(NOON + timedelta(days=3)):
        yield


def two_accounts(session: Session, fin: Actor) -> None:
    """One whose charge is booked, and one whose gift nobody has explained."""
    days = (
        Statement(MONDAY, 0, [Entry(-1_500, "Charge")]),
        Statement(MONDAY, 0, [Entry(700, "Gift")], account=SECOND),
    )
    import_statement(session, fin, "bank.xml", document(*days))
    charge = line(session, "Charge").public_id
    booking.book_line(session, fin, charge, BookAs.CHARGE, "Monthly charge")


def test_each_account_is_held_against_its_own_statement(session: Session) -> None:
    two_accounts(session, finance(session)[0])
    (side,) = bank_sides(session)

    assert [(p.account.mask, p.ledger, p.bank, p.unexplained, p.remainder) for p in side.parts] == [
        ("…2345", -1_500, -1_500, 0, 0),
        ("…9999", 0, 700, 700, 0),
    ]
    assert (side.ledger, side.bank, side.difference, side.of_no_account) == (-1_500, -800, -700, 0)


def test_what_was_booked_on_no_account_stands_apart(session: Session) -> None:
    two_accounts(session, finance(session)[0])
    post(session, "correction:1", "booked", [(chart.bank_operating(), 5), (chart.owner_capital(), -5)])
    (side,) = bank_sides(session)

    assert (side.ledger, side.of_no_account, side.remainder) == (-1_495, 5, 5)
    assert [part.remainder for part in side.parts] == [0, 0]


def test_the_page_shows_each_account_and_rules_them_off(session: Session, app: Flask, cast: Cast) -> None:
    fin = cast.visitor(app, cast.fin)
    import_statement(session, cast.fin, "one.xml", document(Statement(MONDAY, 0, [Entry(400, "Fee")])))
    assert "Together" not in words(fin.get("/reconciliation/"))

    strange = Statement(MONDAY, 0, [Entry(700, "Gift")], account=SECOND)
    import_statement(session, cast.fin, "two.xml", document(strange), new_account=True)
    page = words(fin.get("/reconciliation/"))
    assert "…2345 as of Mon 2 Nov 2026 $0.00 $4.00 -$4.00" in page
    assert "…9999 as of Mon 2 Nov 2026 $0.00 $7.00 -$7.00" in page
    assert "Together $0.00 $11.00 -$11.00" in page
