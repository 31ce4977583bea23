"""Tax on our fee: at the rate of the day of the work, frozen with each line, and always reserved before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger, money
from marketplace.contracts import reservations
from marketplace.contracts.adjustments.answering import accept_adjustment
from marketplace.contracts.adjustments.giving import Draft, adjust
from marketplace.contracts.adjustments.models import Kind
from marketplace.contracts.approvals import ROUNDED, approve_timesheet
from marketplace.contracts.budgets import caps
from marketplace.contracts.charges import an_hour_of
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.disputes.opening import Question
from marketplace.contracts.disputes.turns import agree
from marketplace.contracts.entries import add_entries
from marketplace.contracts.fees.schedule import split
from marketplace.contracts.models import Approval, ApprovedLine, Reservation
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.rolling import roll_weeks
from marketplace.contracts.taxes.listing import listed
from marketplace.contracts.taxes.models import Basis, TaxDecision
from marketplace.contracts.taxes.report import _report, reports
from marketplace.contracts.taxes.setting import TaxRateDraft, accept_tax_rate, propose_tax_rate
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.db import new_id
from marketplace.errors import Invalid, NotAllowed, Refused
from marketplace.ledger import chart, periods
from tests.factories.contracts import MONDAY, RATE, Deal, a_deal, work
from tests.factories.payments import Finance, finance
from tests.factories.taxes import SOURCE, a_place, a_rate, registered

DAY = timedelta(days=1)
# Weeks from 1 and 8 June are reserved when the contract is signed.
FREE = date(2026, 6, 15)
THIRD = MONDAY + 14 * DAY


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


@pytest.fixture
def desk(session: Session) -> Finance:
    with clock.at(MONDAY):
        return finance(session)


@pytest.fixture
def taxed(session: Session, deal: Deal, desk: Finance) -> Deal:
    """A German client of a German operator, from 15 June on, with that week reserved."""
    with clock.at(MONDAY), registered():
        a_rate(session, desk, FREE)
        a_place(session, desk, deal.client, deal.project.organization)
    with clock.at(MONDAY + 7 * DAY):
        roll_weeks(session)
    return deal


def worked(session: Session, deal: Deal, *hours: int) -> Approval:
    """Hours of the third week, from noon of these days on, approved."""
    with clock.at(THIRD + 6 * DAY):
        works = [work(THIRD + each * DAY) for each in hours]
        sheet = add_entries(session, deal.expert, deal.contract.public_id, works)[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        return approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)


def owed(session: Session) -> int:
    return -ledger.balance(session, chart.tax_payable(), "USD")


def no_drift(session: Session) -> None:
    session.commit()
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_an_approval_splits_into_pay_fee_and_tax(session: Session, taxed: Deal) -> None:
    """A6: 2020 620 to 2100 500, 4010 100 and 2300 20, at our rates."""
    held = session.scalars(sa.select(Reservation).order_by(Reservation.week_start_at.desc())).first()
    assert held is not None
    assert held.amount == 10 * (RATE + RATE // 5) + 10 * RATE // 5 * 19 // 100
    approval = worked(session, taxed, 0)
    [entry] = ledger.entries_of(session, [f"approval:{approval.public_id}"])
    fee, tax = RATE // 5, RATE // 5 * 19 // 100
    assert {each.account.code: each.amount for each in entry.postings} == {
        "2020": RATE + fee + tax, "2100": -RATE, "4010": -fee, "2300": -tax,
    }  # fmt: skip
    [line] = session.scalars(sa.select(ApprovedLine))
    assert (line.tax_amount, line.tax_decision and line.tax_decision.basis) == (tax, Basis.DOMESTIC)
    with clock.at(THIRD + 6 * DAY):
        assert an_hour_of(session, taxed.contract).tax.amount == tax
    no_drift(session)


def test_nothing_changes_where_nobody_is_registered(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + 7 * DAY):
        roll_weeks(session)
    approval = worked(session, deal, 0)
    assert (approval.tax_amount, owed(session)) == (0, 0)
    assert session.scalars(sa.select(ApprovedLine.tax_decision_id)).all() == [None]
    no_drift(session)


def test_a_rate_that_changes_within_a_week_taxes_each_day_at_its_own(
    session: Session, deal: Deal, desk: Finance
) -> None:
    with clock.at(MONDAY), registered():
        a_rate(session, desk, FREE)
        a_rate(session, desk, FREE + 3 * DAY, 2_000)
    with clock.at(MONDAY + 7 * DAY):
        roll_weeks(session)
    worked(session, deal, 0, 3)
    fee = RATE // 5
    taxes = session.scalars(sa.select(ApprovedLine.tax_amount).order_by(ApprovedLine.id)).all()
    assert taxes == [fee * 19 // 100, fee // 5]
    no_drift(session)


def test_a_questioned_line_carries_its_tax_and_gives_back_what_is_not_paid(
    session: Session, taxed: Deal
) -> None:
    with clock.at(THIRD + 6 * DAY):
        works = [work(THIRD), work(THIRD + DAY)]
        sheet = add_entries(session, taxed.expert, taxed.contract.public_id, works)[0].timesheet
        submit_timesheet(session, taxed.expert, sheet.public_id, sheet.version)
        question = Question(sheet.entries[0].public_id, "time_too_long", "A report takes half of that.", 30)
        approve_timesheet(session, taxed.approver, sheet.public_id, sheet.version, [question])
        [dispute] = session.scalars(sa.select(TimeDispute))
        fee = RATE // 5
        assert (dispute.tax_amount, owed(session)) == (fee * 19 // 100, fee * 19 // 100)
        apart = -ledger.balance(session, chart.disputed(taxed.project.public_id), "USD")
        assert apart == RATE + fee + fee * 19 // 100
        no_drift(session)
        agree(session, taxed.expert, dispute.public_id, 30)
    half = money.share(money.share(RATE // 2, 2_000), 1_900)
    assert owed(session) == fee * 19 // 100 + half
    assert ledger.balance(session, chart.disputed(taxed.project.public_id), "USD") == 0
    no_drift(session)


def test_a_bonus_bears_tax_and_a_correction_gives_it_back(session: Session, taxed: Deal) -> None:
    worked(session, taxed, 0)
    free = ledger.balance(session, chart.project_funds(taxed.project.public_id), "USD")
    with clock.at(THIRD + 6 * DAY):
        draft = Draft(Kind.BONUS, 100_00, "outstanding", "Every case was read twice.", new_id())
        bonus = adjust(session, taxed.client, taxed.contract.public_id, draft)
        assert (bonus.fee_amount, bonus.tax_amount, bonus.total.amount) == (20_00, 3_80, 123_80)
        no_drift(session)
        less = Draft(
            Kind.CORRECTION, -RATE - 100_00, "counted_twice", "All of it was counted twice.", new_id()
        )
        asked = adjust(session, taxed.client, taxed.contract.public_id, less)
        accept_adjustment(session, taxed.expert, asked.public_id, taxed.expert.name)
    fee = RATE // 5
    assert (asked.fee_amount, asked.tax_amount) == (-fee - 20_00, -(fee * 19 // 100) - 3_80)
    assert owed(session) == 0
    back = free - ledger.balance(session, chart.project_funds(taxed.project.public_id), "USD")
    assert back == RATE + fee + fee * 19 // 100
    no_drift(session)


def test_a_line_with_another_tax_is_found(session: Session, taxed: Deal) -> None:
    worked(session, taxed, 0)
    before = session.scalars(sa.select(TaxDecision).order_by(TaxDecision.id.desc())).first()
    assert before is not None
    # As if it had been decided otherwise: the lines themselves cannot be changed.
    names = [each.name for each in TaxDecision.__table__.columns if each.name not in ("id", "rate_bps")]
    other = {name: getattr(before, name) for name in names} | {"rate_bps": 700}
    session.execute(sa.insert(TaxDecision).values(other))
    session.commit()
    [drift] = [drift for proof in PROOFS for drift in proof.run(session)]
    assert drift.found.startswith(f"decision {before.id}")


def test_what_is_reserved_keeps_its_tax(session: Session, deal: Deal, desk: Finance) -> None:
    with clock.at(MONDAY), registered():
        with pytest.raises(Invalid, match="already keeps its tax"):
            a_rate(session, desk, FREE - DAY)
        a_rate(session, desk, FREE)
    with clock.at(MONDAY + DAY):
        works = [work(MONDAY + timedelta(hours=1))]
        sheet = add_entries(session, deal.expert, deal.contract.public_id, works)[0].timesheet
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
    assert owed(session) == 0
    no_drift(session)


def test_two_people_set_a_rate_where_we_are_registered(session: Session, deal: Deal, desk: Finance) -> None:
    with clock.at(MONDAY):
        draft = TaxRateDraft("DE", "", "VAT", 1_900, FREE, SOURCE)
        with pytest.raises(Refused, match="registered for tax nowhere"):
            propose_tax_rate(session, desk.fin, draft)
        with registered():
            with pytest.raises(Invalid, match="registered in DE"):
                propose_tax_rate(session, desk.fin, replace(draft, country="FR"))
            with pytest.raises(NotAllowed):
                propose_tax_rate(session, deal.client, draft)
            made = propose_tax_rate(session, desk.gil, draft)
            with pytest.raises(NotAllowed, match="somebody else"):
                accept_tax_rate(session, replace(desk.gil, second_factor_at=MONDAY), made.public_id)
    session.commit()
    accept = sa.text("UPDATE tax_rates SET state = 'accepted', decided_by = made_by, decided_at = made_at")
    with pytest.raises(DBAPIError, match="two_people"), session.begin():
        session.execute(accept)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tax_decisions SET rate_bps = 0",
        "DELETE FROM tax_decisions",
        "UPDATE tax_rates SET rate_bps = 0",
        "UPDATE tax_profiles SET vat_id = 'FR40303265045'",
        "UPDATE approved_lines SET tax_amount = 0",
        "UPDATE adjustments SET tax_amount = 0",
    ],
)
def test_the_database_keeps_what_was_decided(session: Session, taxed: Deal, change: str) -> None:
    worked(session, taxed, 0)
    session.commit()
    with pytest.raises(DBAPIError, match=r"permission denied|stays|append|never"), session.begin():
        session.execute(sa.text(change))


def test_what_is_booked_after_its_month_was_closed_is_listed_with_the_next(
    session: Session, taxed: Deal, desk: Finance
) -> None:
    """Tax paid on 30 June, and June is closed before that is booked: the books carry it in July."""
    worked(session, taxed, 0)
    june, july, august = (date(2026, month, 1) for month in (6, 7, 8))
    tax = owed(session)
    with clock.at(datetime(2026, 7, 3, 16, tzinfo=UTC)):
        periods.hold(session, desk.fin, june)
        ledger.post(
            session, desk.fin, source="statement_line:x", event="booked", currency="USD", memo="Tax paid",
            lines=[(chart.tax_payable(), tax), (chart.bank_operating(), -tax)],
            occurred_at=datetime(2026, 6, 30, 5, tzinfo=UTC),
        )  # fmt: skip
        session.commit()
        [first], [second] = reports(session, june, july), reports(session, july, august)
    assert (first.listed.amount, first.others.amount, first.after.amount) == (tax, 0, tax)
    assert (second.before.amount, second.others.amount, second.after.amount) == (tax, -tax, 0)


def test_two_clients_of_one_name_are_listed_apart(session: Session, taxed: Deal, desk: Finance) -> None:
    """Whoever calls themselves as another does is still another client."""
    worked(session, taxed, 0)
    [row] = listed(session)
    rows = [row, replace(row, client_id=row.client_id + 1)]
    sums = {row.currency: (0, 0, 2 * row.tax)}
    assert [each.fee.amount for each in _report(row.currency, rows, sums).by_client] == [row.fee, row.fee]


def test_the_cap_counts_the_tax(session: Session, taxed: Deal) -> None:
    with clock.at(MONDAY + 8 * DAY):
        held = caps.taken(session, taxed.project.id, FREE)
    assert held.amount == 10 * (RATE + RATE // 5) + 10 * RATE // 5 * 19 // 100


@given(
    rate=st.integers(1, 100_000),
    minutes=st.lists(st.integers(1, 600), min_size=1, max_size=60),
    fee_bps=st.integers(0, 10_000),
    tax_bps=st.integers(0, 5_000),
    unused=st.integers(0, 600),
)
def test_what_is_reserved_covers_what_is_posted_however_the_week_is_cut(
    rate: int, minutes: list[int], fee_bps: int, tax_bps: int, unused: int
) -> None:
    """Any lines of a week take no more from its reservation than that, but for roundings that we bear; and a
    sum of lines is their total."""
    lines = [split(money.for_minutes(rate, each), fee_bps, tax_bps) for each in minutes]
    held = reservations.price(rate, sum(minutes) + unused, fee_bps, tax_bps)
    pay, fee, tax = (sum(getattr(each, name) for each in lines) for name in ("pay", "fee", "tax"))
    assert sum(each.total for each in lines) == pay + fee + tax
    assert pay + fee + tax - held <= ROUNDED * len(lines)
