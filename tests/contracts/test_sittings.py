"""Paid tests as they are taken: funded before they begin, and paid whatever the grade."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, ledger, money
from marketplace.contracts import ending, entries, offers, rolling, tasks, timer
from marketplace.contracts.fees.setting import FeeDraft, accept_fee, propose_fee
from marketplace.contracts.models import Approval, Contract, Reservation, TimeEntry
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.signing import accept_offer
from marketplace.contracts.sittings import queries
from marketplace.contracts.sittings.asking import ask
from marketplace.contracts.sittings.graders import choose_graders
from marketplace.contracts.sittings.models import Grader, Sitting
from marketplace.contracts.sittings.taking import begin, end_overdue, hand_in, keep
from marketplace.contracts.states import ContractState, OfferState, ReservationState, SittingState
from marketplace.errors import Invalid, Refused
from marketplace.gigs import applications
from marketplace.gigs.applications import seats_left
from marketplace.gigs.funnel import funnel
from marketplace.gigs.states import ApplicationState
from marketplace.ledger import chart
from marketplace.notifications.models import Notification
from tests.factories.contracts import FEE_BPS, MONDAY, an_offer, person_of, work
from tests.factories.gigs import a_gig, an_application, an_expert
from tests.factories.payments import finance
from tests.factories.sittings import (
    ANSWERS,
    Trial,
    a_gig_with_test,
    a_test,
    a_trial,
    asked,
    begun,
    taken,
)  # fmt: skip
from tests.factories.taxes import a_rate, registered

# What an upheld appeal undoes is said there.
assert tasks
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# A Monday whose week nobody reserved yet.
NEXT = date(2026, 6, 22)


def free(session: Session, trial: Trial) -> int:
    return -ledger.balance(session, chart.project_funds(trial.deal.project.public_id), "USD")


def owed(session: Session, trial: Trial) -> int:
    return -ledger.balance(session, chart.expert_payable(person_of(session, trial.ana).public_id), "USD")


def no_drift(session: Session) -> None:
    assert [drift for proof in PROOFS for drift in proof.run(session)] == []


def test_every_minute_is_paid_at_once(session: Session, trial: Trial) -> None:
    before = free(session, trial)
    sitting = taken(session, trial, 30)
    # Half an hour at the expert's least of 120, and a fifth of that as our fee.
    assert owed(session, trial) == 60_00
    assert free(session, trial) == before - 72_00
    approval = session.scalars(sa.select(Approval)).one()
    assert (approval.person_id, approval.expert_amount, approval.fee_amount) == (None, 60_00, 12_00)
    assert [(line.minutes, line.rate) for line in approval.lines] == [(30, 120_00)]
    assert sitting.state is SittingState.HANDED_IN
    assert sitting.contract.state is ContractState.ENDED
    assert queries.answers_of(session, sitting) == ANSWERS
    no_drift(session)


def test_all_of_it_is_reserved_before_it_begins(session: Session, trial: Trial) -> None:
    before = free(session, trial)
    with clock.at(MONDAY + HOUR):
        begun(session, trial)
    assert free(session, trial) == before - 108_00
    no_drift(session)


def test_it_pays_the_bottom_of_the_band_to_who_asks_for_less(session: Session) -> None:
    with clock.at(MONDAY):
        trial = a_trial(session, min_rate=80_00)
        assert asked(session, trial).rate == 100_00


def spend(session: Session, trial: Trial) -> None:
    """Leave 100.00 of the project's money, by two weeks of another contract."""
    bea = an_expert(session, "Bea Expert")
    offer = an_offer(session, trial.deal.client, bea, trial.deal.gig, rate=175_00, hours=15)
    accept_offer(session, bea, offer.public_id, bea.name)


def test_without_the_money_nobody_is_asked_and_nothing_begins(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        offer = asked(session, trial)
        spend(session, trial)
        with pytest.raises(Refused, match="money for this test is not there"):
            begin(session, trial.ana, offer.public_id, trial.ana.name)
        assert offer.state is OfferState.MADE
        other = an_expert(session, "Cee Expert")
        application = an_application(session, other, a_gig_with_test(session, trial))
        with pytest.raises(Refused, match=r"has \$100.00 free, and the test can cost \$108.00"):
            ask(session, trial.deal.client, application.public_id, fee_bps=FEE_BPS)


def test_over_midnight_on_sunday_both_weeks_are_funded(session: Session, trial: Trial) -> None:
    # Monday begins at four in the morning UTC in New York.
    late = datetime(2026, 6, 8, 3, 50, 20, tzinfo=UTC)
    with clock.at(late - DAY):
        offer = asked(session, trial)
    with clock.at(late):
        sitting = begin(session, trial.ana, offer.public_id, trial.ana.name)
        held = session.execute(
            sa.select(Reservation.minutes, Reservation.amount)
            .filter_by(contract_id=sitting.contract_id)
            .order_by(Reservation.id)
        )
        # Together what the client was told that it can cost, not twice as much.
        assert [tuple(each) for each in held] == [(10, 24_00), (35, 84_00)]
    with clock.at(late + 30 * MINUTE):
        hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
    pays = session.scalars(sa.select(Approval.expert_amount).order_by(Approval.id)).all()
    assert pays == [20_00, 40_00]
    assert not session.scalars(
        sa.select(Reservation).filter_by(contract_id=sitting.contract_id, state=ReservationState.HELD)
    ).all()
    no_drift(session)


@pytest.mark.parametrize("falling", ["fee", "tax", "rising"])
@pytest.mark.parametrize("before", [1, 40, 44])
def test_over_a_sunday_after_which_fee_or_tax_is_another_it_is_handed_in(
    session: Session, trial: Trial, falling: str, before: int
) -> None:
    """Each part is worth what it costs, also where the whole is cheaper at the later week's fee or tax."""
    with clock.at(MONDAY), registered():
        desk = finance(session)
        fee = FeeDraft(NEXT, 0, "Our agreement of June.")
        if falling == "tax":
            a_rate(session, desk, NEXT - 7 * DAY)
            a_rate(session, desk, NEXT, bps=0)
        elif falling == "rising":
            a_rate(session, desk, NEXT)
        else:
            made = propose_fee(session, desk.fin, fee)
            accept_fee(session, replace(desk.gil, second_factor_at=clock.now()), made.public_id)
    late = clock.midnight(NEXT, "America/New_York") - before * MINUTE
    with clock.at(late - DAY):
        offer = asked(session, trial)
    with clock.at(late):
        session.expire_all()
        sitting = begin(session, trial.ana, offer.public_id, trial.ana.name)
    with clock.at(late + 45 * MINUTE):
        hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
    pays = session.scalars(sa.select(Approval.expert_amount).order_by(Approval.id)).all()
    assert pays == [before * 2_00, (45 - before) * 2_00]
    no_drift(session)


def test_when_the_time_is_over_what_was_written_is_handed_in(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
    with clock.at(MONDAY + HOUR + 10 * MINUTE):
        keep(session, trial.ana, sitting.public_id, {1: "The nodule."}, 0)
    with clock.at(MONDAY + HOUR + 44 * MINUTE):
        assert end_overdue(session) == 0
    with clock.at(MONDAY + 3 * HOUR):
        # Neither the job that stops timers nor a late click can make it longer, whichever comes first.
        with pytest.raises(Refused, match="time of this test is over"):
            hand_in(session, trial.ana, sitting.public_id, ANSWERS, 1)
        assert timer.stop_spent_timers(session) == 0
        assert end_overdue(session) == 1
        assert end_overdue(session) == 0
        with pytest.raises(Refused, match="is handed in"):
            hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
    assert owed(session, trial) == 90_00
    assert queries.answers_of(session, sitting) == {1: "The nodule."}
    told = session.scalars(sa.select(Notification).filter_by(person_id=trial.ana.id, kind="test.over")).one()
    assert told.path == f"/sittings/{sitting.public_id}"


def test_nobody_grades_and_takes_the_same_test(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        other = a_gig(session, trial.deal.client, trial.deal.project, title="Other work")
        work = an_offer(session, trial.deal.client, trial.ana, other, rate=150_00, hours=5)
        accept_offer(session, trial.ana, work.public_id, trial.ana.name)
        offer = asked(session, trial)
        both = [person_of(session, each).public_id for each in (trial.gia, trial.ana)]
        with pytest.raises(Refused, match="is taking this test or asked to"):
            choose_graders(session, trial.deal.client, trial.test.public_id, both)
        # As if she had been chosen in the same moment.
        session.add(
            Grader(
                test_id=trial.test.id,
                person_id=trial.ana.id,
                chosen_by=trial.deal.client.id,
                chosen_at=clock.now(),
            )
        )
        session.commit()
        with pytest.raises(Refused, match="chosen to grade this test"):
            begin(session, trial.ana, offer.public_id, trial.ana.name)


def test_less_than_a_minute_costs_nothing(session: Session, trial: Trial) -> None:
    before = free(session, trial)
    sitting = taken(session, trial, 0)
    assert sitting.state is SittingState.HANDED_IN
    assert (owed(session, trial), free(session, trial)) == (0, before)
    no_drift(session)


def test_two_windows_do_not_write_over_each_other(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        kept = keep(session, trial.ana, sitting.public_id, {1: "First."}, 0)
        with pytest.raises(Refused, match="Another window"):
            keep(session, trial.ana, sitting.public_id, {1: "Second."}, 0)
        with pytest.raises(Refused, match="Another window"):
            hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
        # What is typed is kept on its own a moment before it is sent, which is no other window.
        kept = keep(session, trial.ana, sitting.public_id, {1: "First.\r\n"}, 0)
        assert keep(session, trial.ana, sitting.public_id, {1: ""}, kept.version).version == 3
    assert queries.answers_of(session, sitting) == {1: ""}


@pytest.mark.parametrize("answers", [{}, {1: "The nodule."}, {1: "The nodule.", 2: "  \n"}])
def test_an_empty_answer_is_not_handed_in(session: Session, trial: Trial, answers: dict[int, str]) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        with pytest.raises(Invalid, match="no answer yet"):
            hand_in(session, trial.ana, sitting.public_id, answers, 0)
    assert sitting.state is SittingState.BEGUN


def test_a_second_click_finds_it_begun(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        offer = sitting.contract.offer
        assert begin(session, trial.ana, offer.public_id, trial.ana.name).id == sitting.id
    assert len(session.scalars(sa.select(Sitting)).all()) == 1


def test_its_time_cannot_be_changed_by_hand(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        contract = sitting.contract.public_id
        with pytest.raises(Refused, match="Hand it in"):
            timer.stop_timer(session, trial.ana)
        with pytest.raises(Refused, match="measured by the site"):
            timer.start_timer(session, trial.ana, contract, "review")
        with pytest.raises(Refused, match="measured by the site"):
            entries.add_entry(session, trial.ana, contract, work(MONDAY))
        with pytest.raises(Refused, match="when it is handed in"):
            ending.end_contract(session, trial.deal.client, contract, "quality", "It is not good enough.")
    with clock.at(MONDAY + HOUR + 10 * MINUTE):
        hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
        entry = session.scalars(sa.select(TimeEntry)).one()
        with pytest.raises(Refused, match="measured by the site"):
            entries.remove_entry(session, trial.ana, entry.public_id, entry.version)


def test_no_week_is_reserved_ahead(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        rolling.roll_weeks(session)
    query = sa.select(Reservation).filter_by(contract_id=sitting.contract_id)
    assert [each.minutes for each in session.scalars(query)] == [45]


def test_another_timer_is_stopped_first(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        offer = asked(session, trial)
        other = an_offer(session, trial.deal.client, trial.ana, trial.deal.gig)
        contract = accept_offer(session, trial.ana, other.public_id, trial.ana.name)
        timer.start_timer(session, trial.ana, contract.public_id, "review")
        with pytest.raises(Refused, match="A timer is running for Review radiology reports"):
            begin(session, trial.ana, offer.public_id, trial.ana.name)


def test_it_takes_no_place_and_is_no_offer_of_work(session: Session, trial: Trial) -> None:
    places = seats_left(session, trial.gig)
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        assert seats_left(session, trial.gig) == places
        assert [each.people for each in funnel(session, trial.gig).stages][1:] == [1, 0, 0]
        with pytest.raises(Refused, match="This is a paid test"):
            accept_offer(session, trial.ana, sitting.contract.offer.public_id, trial.ana.name)
    assert trial.application.state is ApplicationState.APPLIED


def test_declined_withdrawn_or_expired_the_application_stays(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        offers.decline_offer(session, trial.ana, asked(session, trial).public_id)
        offers.withdraw_offer(session, trial.deal.client, asked(session, trial).public_id)
        offer = asked(session, trial)
        with pytest.raises(Refused, match="asked to take the test already"):
            asked(session, trial)
    with clock.at(MONDAY + 8 * DAY):
        with pytest.raises(Refused, match="time to begin this test is over"):
            begin(session, trial.ana, offer.public_id, trial.ana.name)
        offers.expire_offers(session)
        assert offer.state is OfferState.EXPIRED
        assert trial.application.state is ApplicationState.APPLIED
        asked(session, trial)


def test_an_offer_of_a_test_ends_with_its_application(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        offer = asked(session, trial)
        applications.withdraw_application(session, trial.ana, trial.application.public_id)
        assert offer.state is OfferState.DECLINED
        told = session.scalars(sa.select(Notification).filter_by(kind="offer.declined")).one()
        assert (told.person_id, "costs nothing" in told.body) == (trial.deal.client.id, True)
        with pytest.raises(Refused):
            begin(session, trial.ana, offer.public_id, trial.ana.name)
        again = an_application(session, trial.ana, trial.gig)
        offer = ask(session, trial.deal.client, again.public_id, fee_bps=FEE_BPS)
        applications.decline_application(
            session, trial.deal.client, again.public_id, "hours_differ", "We need thirty hours."
        )
        assert offer.state is OfferState.WITHDRAWN
        with pytest.raises(Refused):
            begin(session, trial.ana, offer.public_id, trial.ana.name)
    assert not session.scalars(sa.select(Sitting)).all()


def test_a_test_that_was_begun_is_paid_whatever_becomes_of_the_application(
    session: Session, trial: Trial
) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        applications.withdraw_application(session, trial.ana, trial.application.public_id)
        assert (sitting.state, sitting.contract.offer.state) == (SittingState.BEGUN, OfferState.ACCEPTED)
    with clock.at(MONDAY + HOUR + 30 * MINUTE):
        hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
    assert owed(session, trial) == 60_00
    no_drift(session)


def test_pay_is_counted_as_it_is_everywhere(session: Session, trial: Trial) -> None:
    taken(session, trial, 7)
    assert owed(session, trial) == money.for_minutes(120_00, 7)
    assert a_test(session, trial.deal).whole == 100
    contracts = session.scalars(sa.select(Contract).where(Contract.test_id.is_not(None))).all()
    assert [each.week_minutes for each in contracts] == [45]
