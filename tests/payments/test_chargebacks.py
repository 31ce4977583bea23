"""A client's bank takes a payment back: once, whole, and only what is not anybody's pay."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger
from marketplace.actor import SITE, Actor, Role
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.budgets.ending import end_project
from marketplace.contracts.models import Reservation
from marketplace.contracts.proofs import PROOFS as CONTRACT_PROOFS
from marketplace.contracts.states import ReservationState
from marketplace.errors import FreshFactorNeeded, NotAllowed, Refused
from marketplace.ledger import chart
from marketplace.ledger.proofs import PROOFS as LEDGER_PROOFS
from marketplace.notifications.models import Notification
from marketplace.payments.chargebacks import failures, queries, recording, weeks
from marketplace.payments.chargebacks.models import Chargeback
from marketplace.payments.chargebacks.proofs import PROOFS
from marketplace.payments.facts import ChargeFailure
from marketplace.payments.fundings import NotHereYet
from marketplace.payments.models import Funding
from marketplace.payments.proofs import PROOFS as PAYMENT_PROOFS
from marketplace.payments.refunds import planning
from marketplace.payments.refunds.models import Refund
from marketplace.payments.states import ChargebackState, FundingState, RefundState
from marketplace.payments.sweeps import sweepable
from marketplace.reconciliation.proofs import money_is_covered
from tests.factories.accounts import a_person, an_actor
from tests.factories.chargebacks import FEE, a_dispute, a_move, a_paid_lot
from tests.factories.contracts import MONDAY, Deal, a_submitted_week, an_offer, person_of, sign
from tests.factories.gigs import a_client, a_gig, a_project, an_expert
from tests.factories.payments import finance
from tests.payments.test_funding import lines

OPENED, REVIEWED, WON, LOST = (
    ChargebackState.NEEDS_RESPONSE,
    ChargebackState.UNDER_REVIEW,
    ChargebackState.WON,
    ChargebackState.LOST,
)


@pytest.fixture
def lumen(session: Session):
    client, organization = a_client(session)
    return client, a_project(session, client, organization)


def at_work(session: Session, net: int = 5_000_00, fee: int = 0) -> tuple[Deal, Funding]:
    """Two weeks of 1,800.00 are reserved out of one payment, since that Monday."""
    with clock.at(MONDAY):
        client, organization = a_client(session)
        project = a_project(session, client, organization)
        lot = a_paid_lot(session, client, project, net, fee)
        gig = a_gig(session, client, project)
        expert = an_expert(session)
        contract = sign(session, expert, an_offer(session, client, expert, gig))
        dev = a_person(session, "Dev Approver", Role.CLIENT_APPROVER, organization=project.organization)
        return Deal(client, an_actor(session, dev), expert, project, gig, contract), lot


def balance(session: Session, account) -> int:
    return ledger.balance(session, account, "USD")


def free(session: Session, project) -> int:
    return -balance(session, chart.project_funds(project.public_id))


def aside(session: Session, project) -> int:
    return -balance(session, chart.set_aside(project.public_id))


def booked(session: Session, chargeback: Chargeback) -> list[tuple[str, int]]:
    return lines(session, f"chargeback:{chargeback.public_id}")


def no_drift(session: Session) -> None:
    proofs = (*PROOFS, *PAYMENT_PROOFS, *LEDGER_PROOFS, *CONTRACT_PROOFS)
    assert [(proof.code, drift) for proof in proofs for drift in proof.run(session)] == []


def opened(session: Session, lot, amount: int | None = None) -> Chargeback:
    gone = a_move("out", -(amount or lot.charge_amount), FEE)
    return recording.record(session, a_dispute(lot, moves=(gone,)))


def ended(session: Session, lot, status: str, *moves) -> Chargeback:
    gone = a_move("out", -lot.charge_amount, FEE)
    return recording.record(session, a_dispute(lot, status, moves=(gone, *moves)))


def told(session: Session, actor: Actor) -> list[str]:
    query = sa.select(Notification.body).filter_by(person_id=actor.id, kind="chargeback")
    return list(session.scalars(query.order_by(Notification.id)))


def test_f48_opened_it_is_under_contest_and_what_is_free_is_set_aside(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    found = opened(session, lot)
    assert found.state is OPENED
    assert booked(session, found) == [
        ("1210", 1_000_00), ("5030", 15_00), ("1100", -1_015_00),
        ("2010", 1_000_00), ("2015", -1_000_00),
    ]  # fmt: skip
    assert (free(session, project), aside(session, project)) == (0, 1_000_00)
    no_drift(session)


def test_f48_won_the_money_is_back_and_free_and_the_fee_too_if_stripe_returns_it(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    opened(session, lot)
    found = ended(session, lot, "won", a_move("back", 1_000_00, -FEE))
    assert found.state is WON
    assert free(session, project) == 1_000_00
    assert balance(session, chart.stripe_balance()) == 1_000_00
    for account in (chart.contested(found.public_id), chart.chargeback_fees(), chart.chargeback_losses()):
        assert balance(session, account) == 0
    no_drift(session)


def test_it_is_not_won_before_the_money_is_back(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    opened(session, lot)
    found = ended(session, lot, "won")
    assert (found.state, found.stripe_status) == (REVIEWED, "won")
    assert aside(session, project) == 1_000_00
    assert ended(session, lot, "won", a_move("back", 1_000_00)).state is WON
    no_drift(session)


def test_f48_lost_what_is_left_pays_and_what_was_spent_is_our_loss(session) -> None:
    """Of 5,000.00 two weeks of 1,800.00 are reserved."""
    deal, lot = at_work(session, 5_000_00)
    with clock.at(MONDAY):
        before = free(session, deal.project)
        reserved = balance(session, chart.project_reserved(deal.project.public_id))
        opened(session, lot)
        found = ended(session, lot, "lost")
    assert found.state is LOST
    assert booked(session, found)[-3:] == [
        ("2015", before), ("5040", 5_000_00 - before), ("1210", -5_000_00),
    ]  # fmt: skip
    assert (found.from_funds, found.loss) == (before, 5_000_00 - before)
    assert balance(session, chart.project_reserved(deal.project.public_id)) == reserved
    no_drift(session)


def test_what_the_client_bore_of_the_processing_never_was_the_projects(session, lumen) -> None:
    """1,029.30 was charged and 1,000.00 arrived; other money of the project is not touched."""
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00, 29_30)
    a_paid_lot(session, client, project, 400_00)
    opened(session, lot)
    assert (free(session, project), aside(session, project)) == (400_00, 1_000_00)
    found = ended(session, lot, "lost")
    assert (found.from_funds, found.loss) == (1_000_00, 29_30)
    assert free(session, project) == 400_00
    no_drift(session)


def test_f48_several_balance_transactions_are_summed_and_each_is_booked_once(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    parts = (a_move("one", -600_00, FEE), a_move("two", -400_00))
    recording.record(session, a_dispute(lot, moves=parts[:1]))
    for _again in range(3):
        found = recording.record(session, a_dispute(lot, moves=parts))
    assert (found.contested, found.fee, len(found.moves)) == (1_000_00, FEE, 2)
    assert balance(session, chart.contested(found.public_id)) == 1_000_00
    assert aside(session, project) == 1_000_00
    no_drift(session)


def test_f48_more_back_than_out_is_refused_and_said(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    found = recording.record(session, a_dispute(lot, "lost", moves=(a_move("odd", 1_000_00, FEE),)))
    assert (found.state, found.trouble, found.moves) == (ChargebackState.INQUIRY, "positive_sum", [])
    assert booked(session, found) == []
    assert [drift.found for proof in PROOFS for drift in proof.run(session)] == ["positive_sum"]
    assert opened(session, lot).trouble is None
    no_drift(session)


def test_f48_more_than_was_charged_breaks_nothing(session, lumen) -> None:
    """Currencies moved meanwhile."""
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    a_paid_lot(session, client, project, 300_00)
    out = a_move("out", -1_043_21, FEE)
    recording.record(session, a_dispute(lot, amount=1_043_21, moves=(out,)))
    found = recording.record(session, a_dispute(lot, "lost", amount=1_043_21, moves=(out,)))
    assert (found.from_funds, found.loss, free(session, project)) == (1_000_00, 43_21, 300_00)
    no_drift(session)


def test_f48_another_currency_takes_nothing_of_the_project(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    out = a_move("out", -920_00, FEE, "EUR")
    found = recording.record(session, a_dispute(lot, "lost", currency="EUR", amount=920_00, moves=(out,)))
    assert (found.held, found.from_funds, found.loss) == (0, 0, 920_00)
    assert ledger.balance(session, chart.chargeback_losses(), "EUR") == 920_00
    assert free(session, project) == 1_000_00
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_f26_closed_before_created_and_an_old_answer_after_the_new_change_nothing(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    found = ended(session, lot, "lost")
    assert found.state is LOST
    before = booked(session, found)
    opened(session, lot)
    recording.record(session, a_dispute(lot, "under_review", moves=(a_move("out", -1_000_00, FEE),)))
    assert (found.state, found.stripe_status) == (LOST, "lost")
    assert booked(session, found) == before
    no_drift(session)


def test_lost_and_given_back_late_what_we_lost_comes_first(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00, 30_00)
    opened(session, lot)
    ended(session, lot, "lost")
    found = ended(session, lot, "lost", a_move("some", 130_00))
    assert (found.from_funds, found.loss) == (900_00, 0)
    found = ended(session, lot, "won", a_move("some", 130_00), a_move("rest", 900_00))
    assert (found.state, found.from_funds, found.loss) == (WON, 0, 0)
    assert free(session, project) == 1_000_00
    no_drift(session)


def test_an_inquiry_moves_nothing_and_closes(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    desk = finance(session)
    found = recording.record(session, a_dispute(lot, "warning_needs_response"))
    assert found.state is ChargebackState.INQUIRY
    assert booked(session, found) == []
    assert len(told(session, desk.fin)) == 1
    assert told(session, client) == []
    assert recording.record(session, a_dispute(lot, "warning_closed")).state is ChargebackState.CLOSED
    assert free(session, project) == 1_000_00
    no_drift(session)


def test_a_chargeback_of_no_payment_of_ours_is_kept_for_later(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    with pytest.raises(NotHereYet):
        recording.record(session, replace(a_dispute(lot), charge="ch_unknown"))


def test_money_that_comes_free_later_is_set_aside_too(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    with clock.at(MONDAY):
        found = opened(session, lot)
        held = found.held
        assert held < 5_000_00
        a_paid_lot(session, deal.client, deal.project, 100_00)
        assert opened(session, lot).held == held + 100_00
        a_paid_lot(session, deal.client, deal.project, 50_00)
        assert recording.set_more_aside(session) == 1
        assert found.held == held + 150_00
    assert free(session, deal.project) == 0
    no_drift(session)


def test_no_refund_of_a_contested_lot_and_none_of_what_is_set_aside(session, lumen) -> None:
    client, project = lumen
    other = a_paid_lot(session, client, project, 300_00)
    lot = a_paid_lot(session, client, project, 1_000_00)
    end_project(session, client, project.public_id, "", "")
    planning.prepare_refunds(session)
    opened(session, lot)
    planning.prepare_refunds(session)
    waiting = session.scalars(sa.select(Refund).filter_by(state=RefundState.PREPARED)).all()
    assert [(each.funding_id, each.amount) for each in waiting] == [(other.id, 300_00)]
    no_drift(session)


def test_f46_what_was_paid_out_stays_paid_and_is_our_loss(session) -> None:
    """The week is approved; the chargeback takes neither it nor what is owed to the expert."""
    deal, lot = at_work(session, 3_600_00)
    with clock.at(MONDAY + timedelta(hours=2)):
        sheet = a_submitted_week(session, deal, MONDAY, 60)
        approve_timesheet(session, deal.approver, sheet.public_id, sheet.version)
        pay = balance(session, chart.expert_payable(_public(session, deal.expert)))
        assert pay == -150_00
        opened(session, lot)
        found = ended(session, lot, "lost")
    assert balance(session, chart.expert_payable(_public(session, deal.expert))) == pay
    assert found.loss == 3_600_00 - found.from_funds > 0
    assert sweepable(session, "USD") == 30_00 - FEE - found.loss
    no_drift(session)


def _public(session: Session, actor: Actor):
    return person_of(session, actor).public_id


@pytest.mark.parametrize("status", ["needs_response", "lost"])
def test_of_a_project_that_works_on_credit_nothing_is_free_and_all_is_booked(session, lumen, status) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    ledger.post(
        session, SITE, source="test:overdrawn", event="reserved", currency="USD",
        lines=[
            (chart.project_funds(project.public_id), 1_400_00),
            (chart.project_reserved(project.public_id), -1_400_00),
        ],
        occurred_at=clock.now(), memo="On credit",
    )  # fmt: skip
    session.commit()
    found = ended(session, lot, status)
    assert (found.held, found.from_funds) == (0, 0)
    assert balance(session, chart.project_funds(project.public_id)) == 400_00
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []
    assert found.loss == (1_000_00 if status == "lost" else 0)


def test_p8_counts_what_is_under_contest_as_exposure(session, lumen) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    opened(session, lot, 1_000_00)
    short = [drift.found for drift in money_is_covered(session)]
    # Only the fee, which is our own to bear, is missing.
    assert short == [str(1_000_00 - FEE)]


def test_the_client_its_experts_and_finance_are_told_once_for_each_state(session) -> None:
    deal, lot = at_work(session, 5_000_00)
    desk = finance(session)

    for _again in range(3):
        opened(session, lot)
    assert [len(told(session, each)) for each in (deal.client, deal.expert, desk.fin, desk.gil)] == [1] * 4
    assert "Your approved pay is yours" in told(session, deal.expert)[0]
    assert "set aside" in told(session, deal.client)[0]
    ended(session, lot, "under_review")
    assert [len(told(session, each)) for each in (deal.client, deal.expert, desk.fin)] == [1, 1, 2]
    ended(session, lot, "lost")
    assert [len(told(session, each)) for each in (deal.client, deal.expert, desk.fin)] == [2, 2, 3]


def test_two_people_let_weeks_go_that_have_not_begun(session) -> None:
    deal, lot = at_work(session)
    desk = finance(session)
    with clock.at(MONDAY + timedelta(hours=2)):
        a_submitted_week(session, deal, MONDAY, 60)
        found = opened(session, lot)
        held, later = found.held, weeks.ahead(session, found)
        assert later.amount > 0
        fin = replace(desk.fin, second_factor_at=clock.now())
        gil = replace(desk.gil, second_factor_at=clock.now())
        with pytest.raises(Refused):
            weeks.free_weeks(session, gil, found.public_id)
        with pytest.raises(NotAllowed):
            weeks.free_weeks(session, fin, found.public_id)
        weeks.ask_for_weeks(session, gil, found.public_id)
        with pytest.raises(NotAllowed, match="somebody else"):
            weeks.free_weeks(session, gil, found.public_id)
        weeks.ask_for_weeks(session, fin, found.public_id)
        with pytest.raises(FreshFactorNeeded):
            weeks.free_weeks(session, replace(desk.gil, second_factor_at=None), found.public_id)
        weeks.free_weeks(session, gil, found.public_id)
        assert found.weeks_freed == later.amount
        assert found.held == min(held + later.amount, 3_600_00)
        left = session.scalars(sa.select(Reservation).filter_by(state=ReservationState.HELD)).all()
        assert all(each.week_start_at <= MONDAY for each in left)
        with pytest.raises(Refused):
            weeks.ask_for_weeks(session, fin, found.public_id)
    no_drift(session)


def test_f49_a_debit_that_fails_late_takes_what_is_free_and_shows_what_is_missing(session) -> None:
    deal, lot = at_work(session, 5_000_00, 5_00)
    desk = finance(session)
    with clock.at(MONDAY):
        before = free(session, deal.project)
        gone = a_move("gone", -5_005_00, kind="payment_failure_refund")
        failure = ChargeFailure(lot.charge or "", None, "insufficient_funds", gone)
        for _again in range(3):
            failures.record_failure(session, failure)
    assert (lot.state, lot.failure) == (FundingState.FAILED_AFTER_PAID, "insufficient_funds")
    assert lines(session, f"funding_failure:{lot.public_id}") == [
        ("2010", before), ("4040", 5_00), ("1200", 5_000_00 - before), ("1100", -5_005_00),
    ]  # fmt: skip
    assert failures.missing(session, lot).amount == 5_000_00 - before
    assert [len(told(session, each)) for each in (deal.client, deal.expert, desk.gil)] == [1] * 3
    no_drift(session)


def test_what_never_was_booked_as_paid_is_no_late_failure(session, lumen) -> None:
    gone = a_move("gone", -5_00)
    with pytest.raises(NotHereYet):
        failures.record_failure(session, ChargeFailure("ch_unknown", "pi_unknown", None, gone))


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE chargebacks SET state = 'needs_response', decided_at = NULL, loss = 0, from_funds = 0",
        "UPDATE chargebacks SET settled = 0",
        "UPDATE chargebacks SET held = 1",
        "UPDATE chargebacks SET loss = -1",
    ],
)
def test_the_database_keeps_what_was_decided(session, lumen, broken: str) -> None:
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00)
    ended(session, lot, "lost")
    session.commit()
    with pytest.raises(DBAPIError):
        session.execute(sa.text(broken))


def test_moves_are_only_ever_added(session, lumen) -> None:
    client, project = lumen
    opened(session, a_paid_lot(session, client, project, 1_000_00))
    rights = sa.text(
        "SELECT has_table_privilege('marketplace_app', 'chargeback_moves', 'UPDATE') "
        "OR has_table_privilege('marketplace_app', 'chargeback_moves', 'DELETE') "
        "OR has_column_privilege('marketplace_app', 'chargebacks', 'funding_id', 'UPDATE')"
    )
    assert session.scalar(rights) is False


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["warning_needs_response", "needs_response", "under_review", "won", "lost"]),
        st.integers(0, 4),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, seed=st.integers(0, 2**20))
def test_whatever_comes_in_whatever_order_the_books_hold(session, lumen, steps, seed) -> None:
    """Answers of every age and with any of the moves, between other movements of the project's money."""
    client, project = lumen
    lot = a_paid_lot(session, client, project, 1_000_00, 30_00)
    sizes = (-700_00, FEE), (-330_00, 0), (200_00, 0), (830_00, -FEE)
    moves = [a_move(f"{lot.charge}{n}", amount, fee) for n, (amount, fee) in enumerate(sizes)]
    chance = random.Random(seed)
    for status, many, more in steps:
        seen = moves[:many] if chance.random() < 0.8 else chance.sample(moves, many)
        seen = moves if status == "won" else seen
        recording.record(session, a_dispute(lot, status, moves=tuple(seen)))
        if more:
            a_paid_lot(session, client, project, chance.randint(1, 500_00))
        drifts = {d.found for p in (*PROOFS, *PAYMENT_PROOFS, *LEDGER_PROOFS) for d in p.run(session)}
        # What came back before it left is not booked, and said to be in trouble.
        assert drifts <= {"positive_sum"}


def test_what_finance_reads_is_scoped(session, lumen) -> None:
    client, project = lumen
    found = opened(session, a_paid_lot(session, client, project, 1_000_00))
    with pytest.raises(NotAllowed):
        queries.chargeback(session, client, found.public_id)
