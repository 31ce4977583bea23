"""What is withheld, where it is due and nowhere else, from the batch to the tax office."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace import clock, ledger, proofs
from marketplace.actor import Actor
from marketplace.errors import NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.payments import batches, calling_off, sending
from marketplace.payments.gateway import Gateway
from marketplace.payments.models import PayoutItem
from marketplace.payments.proofs import PROOFS as PAYMENT_PROOFS
from marketplace.payments.states import Blocker, ItemState
from marketplace.payments.tax import books, office, thresholds, withholding
from marketplace.payments.tax.proofs import PROOFS
from marketplace.payments.tax.states import NumberKind, Why
from tests.factories.accounts import an_actor, enter
from tests.factories.contracts import MONDAY, RATE, Deal
from tests.factories.payments import Finance, a_released_batch, an_approved_week, hire
from tests.payments.tax.conftest import FRIDAY, Mode, a_w8ben, a_w9
from tests.visitor import Visitor, words

TAX = withholding.share(RATE, 2_400)


def one(session: Session) -> PayoutItem:
    session.expire_all()
    return session.scalars(sa.select(PayoutItem).order_by(PayoutItem.id.desc()).limit(1)).one()


def held(session: Session, who: Actor, account: object) -> int:
    public_id = session.scalar(sa.text("SELECT public_id FROM people WHERE id = :id"), {"id": who.id})
    return -ledger.balance(session, account(public_id), "USD")  # type: ignore[operator]


def no_drift(session: Session) -> None:
    session.commit()
    found = [drift for proof in (*PROOFS, *PAYMENT_PROOFS) for drift in proof.run(session)]
    assert found == []


def sent(session: Session, gateway: Gateway, desk: Finance) -> PayoutItem:
    batch = a_released_batch(session, desk)
    sending.send_batch(session, gateway, batch.public_id)
    return one(session)


@given(st.integers(0, 10**12), st.integers(0, 10_000))
def test_a_share_is_rounded_half_up(amount: int, bps: int) -> None:
    tax = withholding.share(amount, bps)
    assert abs(tax * 10_000 - amount * bps) <= 5_000
    assert 0 <= tax <= amount


def test_without_a_form_nobody_is_paid_and_the_batch_says_what_is_next(
    session: Session, deal: Deal, desk: Finance, app
) -> None:
    with clock.at(FRIDAY):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        item = one(session)
        assert (item.state, item.blocker) == (ItemState.BLOCKED, Blocker.TAX_FORM)
        page = Visitor(enter(app.test_client(), session, desk.fin))
        assert "hands one in under Money, Tax form" in words(page.get(f"/payouts/{batch.public_id}"))


def test_in_mode_external_nothing_changes(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway, mode: Mode
) -> None:
    mode("external", "external")
    with clock.at(FRIDAY):
        item = sent(session, gateway, desk)
    assert (item.state, item.amount, item.withheld) == (ItemState.SENT, RATE, 0)
    no_drift(session)


@pytest.mark.parametrize("form", ["w9", "w8ben"])
def test_a_form_in_order_withholds_nothing(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway, form: str
) -> None:
    with clock.at(FRIDAY):
        (a_w9 if form == "w9" else a_w8ben)(session, deal.expert)
        item = sent(session, gateway, desk)
    assert (item.amount, item.withheld) == (RATE, 0)


def test_while_a_number_is_applied_for_a_quarter_goes_to_the_tax_office(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway, app
) -> None:
    with clock.at(FRIDAY):
        a_w9(session, deal.expert, number_kind=NumberKind.APPLIED_FOR, number="")
        item = sent(session, gateway, desk)
        assert (item.state, item.amount, item.withheld) == (ItemState.SENT, RATE - TAX, TAX)
        assert (item.withheld_why, item.withheld_of) == (Why.BACKUP, RATE)
        assert item.transfers[0].amount == RATE - TAX
        assert held(session, deal.expert, chart.withheld) == TAX
        assert held(session, deal.expert, chart.expert_payable) == 0
        no_drift(session)
        page = Visitor(enter(app.test_client(), session, desk.fin))
        said = words(page.get(f"/payouts/items/{item.public_id}"))
        assert "Backup withholding (24 %)" in said
        assert "Tax withheld" in said
        ana = Visitor(enter(app.test_client(), session, deal.expert))
        assert "Tax withheld" in ana.get("/pay/statements/2026/csv").text


def test_a_b_notice_withholds_until_it_is_ended(session: Session, deal: Deal, desk: Finance) -> None:
    with clock.at(FRIDAY):
        form = a_w9(session, deal.expert)
        person = form.person.public_id
        notice = office.record_notice(session, desk.fin, person, clock.today("UTC"), "CP2100A")
        with pytest.raises(Refused):
            office.record_notice(session, desk.fin, person, clock.today("UTC"), "Again")
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        assert one(session).withheld == TAX
        batches.cancel_batch(session, desk.fin, batch.public_id)
        gil = replace(desk.gil, second_factor_at=clock.now())
        office.end_notice(session, gil, notice.public_id, "A new W-9 came.")
        batches.prepare_batch(session, desk.fin, clock.now())
        assert one(session).withheld == 0


def test_what_is_due_is_looked_at_again_when_a_batch_is_released(
    session: Session, deal: Deal, desk: Finance
) -> None:
    with clock.at(FRIDAY):
        form = a_w9(session, deal.expert)
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        person = form.person.public_id
        office.record_notice(session, desk.fin, person, clock.today("UTC"), "CP2100A")
        with pytest.raises(Refused, match="tax to withhold changed"):
            batches.release_batch(session, desk.gil, batch.public_id)
        office.refuse_form(session, desk.fin, form.public_id, "Another name.")
        with pytest.raises(Refused, match="No tax form of theirs counts"):
            batches.release_batch(session, desk.gil, batch.public_id)


def test_only_work_in_the_us_is_taxed_of_a_foreign_person(
    session: Session, deal: Deal, desk: Finance
) -> None:
    """An hour on Monday abroad, and one a week later in the US."""
    with clock.at(MONDAY):
        a_w8ben(session, deal.expert)
        later = (MONDAY + timedelta(days=7)).date()
        stay = office.declare_us_work(session, deal.expert, later, later + timedelta(days=5))
    an_approved_week(session, deal, MONDAY + timedelta(days=7))
    with clock.at(MONDAY + timedelta(days=11)):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        item = one(session)
        assert (item.withheld_why, item.withheld_of) == (Why.NRA, RATE)
        assert (item.withheld, item.amount) == (RATE * 3 // 10, 2 * RATE - RATE * 3 // 10)
        batches.cancel_batch(session, desk.fin, batch.public_id)
        gil = an_actor(session, session.get_one(type(item.person), desk.gil.id))
        office.set_rate(session, gil, stay.public_id, 0, "Treaty with Portugal, article 15; 8233 accepted.")
        batches.prepare_batch(session, desk.fin, clock.now())
        assert (one(session).withheld, one(session).withheld_of) == (0, RATE)


def test_what_is_called_off_gives_the_tax_back(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway
) -> None:
    with clock.at(FRIDAY):
        a_w9(session, deal.expert, number_kind=NumberKind.APPLIED_FOR, number="")
        a_released_batch(session, desk)
        assert held(session, deal.expert, chart.withheld) == TAX
        no_drift(session)
        calling_off.call_off(session, desk.fin, one(session).public_id, "A mistake.")
        assert held(session, deal.expert, chart.withheld) == 0
        assert held(session, deal.expert, chart.expert_payable) == RATE
        no_drift(session)
        # The next one pays it all over again, once.
        item = sent(session, gateway, desk)
        assert (item.amount, item.withheld) == (RATE - TAX, TAX)
        no_drift(session)


def test_whose_tax_changed_is_let_go_and_stops_nobody(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway
) -> None:
    """Bo is told by the IRS between preparing and releasing; Ana is paid, and Bo with the next batch."""
    with clock.at(MONDAY):
        bo = hire(session, gateway, deal, "Bo Berg")
        a_w9(session, deal.expert)
        a_w9(session, bo.expert)
    an_approved_week(session, bo, MONDAY)
    with clock.at(FRIDAY):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        a_w9(session, bo.expert, told_by_irs=True)
        gil = replace(desk.gil, second_factor_at=clock.now())
        batches.release_batch(session, gil, batch.public_id)
        states = {
            each.person_id: (each.state, each.blocker) for each in session.scalars(sa.select(PayoutItem))
        }
        assert states == {
            deal.expert.id: (ItemState.RELEASED, None),
            bo.expert.id: (ItemState.BLOCKED, Blocker.TAX_CHANGED),
        }
        sending.send_batch(session, gateway, batch.public_id)
        item = sent(session, gateway, desk)
        assert (item.person_id, item.withheld) == (bo.expert.id, TAX)
        no_drift(session)


def test_the_whole_of_what_is_withheld_is_compared(session: Session, deal: Deal, desk: Finance) -> None:
    """At a rate of nought nothing is withheld, but how much was worked in the US is reported."""
    with clock.at(MONDAY):
        a_w8ben(session, deal.expert)
    with clock.at(FRIDAY):
        batch = batches.prepare_batch(session, desk.fin, clock.now())
        stay = office.declare_us_work(session, deal.expert, MONDAY.date(), MONDAY.date())
        gil = replace(desk.gil, second_factor_at=clock.now())
        office.set_rate(session, gil, stay.public_id, 0, "Treaty, 8233 accepted.")
        with pytest.raises(Refused, match="tax to withhold changed"):
            batches.release_batch(session, gil, batch.public_id)


def test_a_worksheet_that_says_more_than_the_books_is_found(
    session: Session, deal: Deal, desk: Finance, gateway: Gateway
) -> None:
    with clock.at(FRIDAY):
        a_w9(session, deal.expert, told_by_irs=True)
        books.give_back(session, desk.fin, sent(session, gateway, desk))
    codes = {proof.code for proof in PROOFS if list(proof.run(session))}
    assert codes == {"TX1", "TX2"}


@pytest.mark.parametrize(
    ("form", "year", "amount", "count", "reported"),
    [
        ("nec", 2025, 599_99, 1, False),
        ("nec", 2025, 600_00, 1, True),
        ("nec", 2026, 1_999_99, 1, False),
        ("nec", 2026, 2_000_00, 1, True),
        ("k", 2026, 20_000_00, 300, False),
        ("k", 2026, 20_000_01, 200, False),
        ("k", 2026, 20_000_01, 201, True),
    ],
)
def test_thresholds_by_year(
    session: Session, form: str, year: int, amount: int, count: int, reported: bool
) -> None:
    assert thresholds.reaches(thresholds.of_year(session, form, year), amount, count) is reported


def test_a_new_years_figure_takes_two_people(session: Session, desk: Finance) -> None:
    with clock.at(FRIDAY):
        year = FRIDAY.year + 1
        draft = thresholds.Draft("nec", year, 2_100_00, 0, "Notice 2026-99 of the tax office")
        made = thresholds.propose(session, desk.fin, draft)
        assert thresholds.of_year(session, "nec", year).amount == 2_000_00
        with pytest.raises(Refused):
            thresholds.propose(session, desk.gil, draft)
        with pytest.raises(NotAllowed):
            thresholds.accept(session, desk.fin, made.public_id)
        thresholds.accept(session, replace(desk.gil, second_factor_at=clock.now()), made.public_id)
        assert thresholds.of_year(session, "nec", year).amount == 2_100_00
        assert thresholds.is_confirmed(thresholds.of_year(session, "nec", year), year)
        assert not thresholds.is_confirmed(thresholds.of_year(session, "nec", year + 1), year + 1)


def test_the_proofs_are_among_all_proofs() -> None:
    assert {"TX1", "TX2"} <= {proof.code for proof in proofs.every()}
