"""Withheld tax that was paid on is booked from its bank line by two people, and taken back by two."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.payments import covered, sweeps
from marketplace.payments.gateway import Gateway
from marketplace.payments.tax import remitting
from marketplace.payments.tax.models import Remittance
from marketplace.payments.tax.states import RemittanceState, Why
from marketplace.reconciliation import bank_accounts, booking, decisions, matches
from marketplace.reconciliation.models import Decision, StatementLine
from marketplace.reconciliation.proofs import PROOFS as BANK_PROOFS
from tests.factories.contracts import Deal
from tests.factories.payments import Finance
from tests.payments.tax.conftest import FRIDAY, a_w9
from tests.payments.tax.test_withholding import TAX, held, no_drift, sent
from tests.reconciliation.camt import Entry
from tests.reconciliation.world import bank_says, line

DAY = FRIDAY.date()


def fresh(desk: Finance) -> Finance:
    return Finance(*(replace(each, second_factor_at=clock.now()) for each in (desk.fin, desk.gil)))


def no_bank_drift(session: Session) -> None:
    no_drift(session)
    assert [drift for proof in BANK_PROOFS if proof.code == "P3" for drift in proof.run(session)] == []


def paid(session: Session, desk: Finance, amount: int, on: date = DAY) -> StatementLine:
    bank_says(session, desk.fin, Entry(-amount, text="IRS EFTPS"), opening=500_00, on=on)
    booking.book_opening(session, desk.fin, bank_accounts.all_accounts(session)[0].public_id)
    return line(session, "IRS EFTPS")


def confirmed(session: Session, desk: Finance, what: StatementLine, made: Remittance) -> Decision:
    named = remitting.source(made.public_id)
    return decisions.confirm(
        session, desk.gil, decisions.pay_tax(session, desk.fin, what.public_id, "EFT 1", named).public_id
    )


def withheld(session: Session, deal: Deal, desk: Finance, gateway: Gateway) -> Remittance:
    a_w9(session, deal.expert, told_by_irs=True)
    sent(session, gateway, desk)
    return remitting.prepare(session, desk.fin, Why.BACKUP, "USD", FRIDAY.date(), "EFT 1")


def test_its_bank_line_books_it_by_two_and_it_is_swept_after(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway
) -> None:
    with clock.at(FRIDAY):
        made = withheld(session, deal, desk, gateway)
        fees = sweeps.sweepable(session, "USD")
        assert covered.look(session, "USD").short <= 0
        with pytest.raises(Refused):
            remitting.prepare(session, desk.fin, Why.BACKUP, "USD", FRIDAY.date(), "EFT 2")
        assert ledger.balance(session, chart.bank_operating(), "USD") == 0
    with clock.at(FRIDAY + timedelta(days=1)):
        desk = fresh(desk)
        what = paid(session, desk, TAX)
        named = remitting.source(made.public_id)
        proposed = decisions.pay_tax(session, desk.gil, what.public_id, "EFT 1", named)
        with pytest.raises(NotAllowed):
            decisions.confirm(session, desk.gil, proposed.public_id)
        decisions.drop(session, desk.gil, proposed.public_id)
        assert decisions.what(confirmed(session, desk, what, made)).startswith("Withheld tax")
        assert (made.state, held(session, deal.expert, chart.withheld)) == (RemittanceState.BOOKED, 0)
        assert ledger.balance(session, chart.bank_operating(), "USD") == 500_00 - TAX
        assert sweeps.sweepable(session, "USD") == fees + TAX
        assert remitting.waiting(session) == []
        with pytest.raises(Refused):
            remitting.cancel(session, desk.fin, made.public_id)
        no_bank_drift(session)


def test_two_people_take_it_back(session: Session, deal: Deal, desk: Finance, gateway: Gateway) -> None:
    with clock.at(FRIDAY):
        made = withheld(session, deal, desk, gateway)
    with clock.at(FRIDAY + timedelta(days=1)):
        desk = fresh(desk)
        what = paid(session, desk, TAX)
        confirmed(session, desk, what, made)
        match = session.query(matches.StatementMatch).order_by(matches.StatementMatch.id.desc()).first()
        assert match is not None
        with pytest.raises(Refused, match="confirmed by another"):
            matches.undo_match(session, desk.fin, match.public_id, "It was rent.")
        wrong = decisions.undo(session, desk.fin, match.public_id, "It was rent.")
        assert isinstance(wrong, Decision)
        assert decisions.what(wrong) == "It paid no such tax"
        decisions.confirm(session, desk.gil, wrong.public_id)
        session.refresh(made)
        assert (made.state, held(session, deal.expert, chart.withheld)) == (RemittanceState.CANCELLED, TAX)
        no_drift(session)
        # It waits again, and the same line may have paid it after all.
        again = remitting.prepare(session, desk.fin, Why.BACKUP, "USD", FRIDAY.date(), "EFT 1")
        confirmed(session, desk, what, again)
        no_bank_drift(session)


def test_only_what_was_sent_by_then_is_taken_and_not_paid_before(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway
) -> None:
    with clock.at(FRIDAY):
        a_w9(session, deal.expert, told_by_irs=True)
        sent(session, gateway, desk)
        day = FRIDAY.date()
        with pytest.raises(Refused, match="up to that day"):
            remitting.prepare(session, desk.fin, Why.BACKUP, "USD", day - timedelta(days=1), "EFT 1")
        with pytest.raises(Invalid):
            remitting.prepare(session, desk.fin, Why.BACKUP, "USD", day + timedelta(days=1), "EFT 1")
        made = remitting.prepare(session, desk.fin, Why.BACKUP, "USD", day, "EFT 1")
    with clock.at(FRIDAY + timedelta(days=1)):
        desk = fresh(desk)
        early = paid(session, desk, TAX, day - timedelta(days=1))
        with pytest.raises(Refused, match="paid later"):
            confirmed(session, desk, early, made)


def test_another_amount_is_another_payment(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway
) -> None:
    with clock.at(FRIDAY):
        made = withheld(session, deal, desk, gateway)
    with clock.at(FRIDAY + timedelta(days=1)):
        desk = fresh(desk)
        with pytest.raises(Refused, match="was written down"):
            confirmed(session, desk, paid(session, desk, TAX + 1), made)
