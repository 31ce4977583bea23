"""Paid tests: funded before they begin, paid whatever the grade, graded by who holds as much."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock, ledger, money
from marketplace.actor import Role
from marketplace.contracts import ending, entries, offers, rolling, tasks, timer
from marketplace.contracts.models import Approval, Contract, Offer, Reservation, TimeEntry
from marketplace.contracts.offers import OfferDraft, make_offer
from marketplace.contracts.proofs import PROOFS
from marketplace.contracts.records import records_of
from marketplace.contracts.signing import accept_offer
from marketplace.contracts.sittings import graders, passes, queries
from marketplace.contracts.sittings.asking import ask
from marketplace.contracts.sittings.grading import LineGrade, grade, remind_overdue
from marketplace.contracts.sittings.models import Grader, Sitting
from marketplace.contracts.sittings.taking import begin, end_overdue, hand_in, keep
from marketplace.contracts.states import ContractState, OfferState, ReservationState, SittingState
from marketplace.credentials.gate import Requirement
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs.applications import seats_left
from marketplace.gigs.funnel import funnel
from marketplace.gigs.qualification.models import Question
from marketplace.gigs.states import ApplicationState
from marketplace.ledger import chart
from marketplace.notifications.models import Notification
from marketplace.reasons import appeal
from marketplace.reasons.appeals import decide
from marketplace.reasons.models import Decision, Statement
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import FEE_BPS, MONDAY, an_offer, person_of, work
from tests.factories.credentials import a_verified_credential
from tests.factories.gigs import a_gig, an_application, an_expert, licence
from tests.factories.sittings import ANSWERS, GOOD, POOR, Trial, a_test, a_trial, asked, begun

# What an upheld appeal undoes is said there.
assert tasks
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def trial(session: Session) -> Trial:
    with clock.at(MONDAY):
        return a_trial(session)


def taken(session: Session, trial: Trial, minutes: int = 30) -> Sitting:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
    with clock.at(MONDAY + HOUR + minutes * MINUTE):
        return hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)


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


def a_gig_with_test(session: Session, trial: Trial, **changes: object):  # type: ignore[no-untyped-def]
    # Small enough for what little is free.
    small = {"rate_min": 10_00, "rate_max": 200_00, "hours_per_week": 1, **changes}
    return a_gig(
        session, trial.deal.client, trial.deal.project, title="Another gig", test_id=trial.test.id, **small
    )


def test_over_midnight_on_sunday_both_weeks_are_funded(session: Session, trial: Trial) -> None:
    # Monday begins at four in the morning UTC in New York.
    late = datetime(2026, 6, 8, 3, 50, 20, tzinfo=UTC)
    with clock.at(late - DAY):
        offer = asked(session, trial)
    with clock.at(late):
        sitting = begin(session, trial.ana, offer.public_id, trial.ana.name)
    with clock.at(late + 30 * MINUTE):
        hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
    pays = session.scalars(sa.select(Approval.expert_amount).order_by(Approval.id)).all()
    assert pays == [20_00, 40_00]
    assert not session.scalars(
        sa.select(Reservation).filter_by(contract_id=sitting.contract_id, state=ReservationState.HELD)
    ).all()
    no_drift(session)


def test_when_the_time_is_over_what_was_written_is_handed_in(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
    with clock.at(MONDAY + HOUR + 10 * MINUTE):
        keep(session, trial.ana, sitting.public_id, {1: "The nodule."}, 0)
    with clock.at(MONDAY + HOUR + 44 * MINUTE):
        assert end_overdue(session) == 0
    with clock.at(MONDAY + 3 * HOUR):
        # Neither the job that stops timers nor a late click can make it longer.
        assert timer.stop_spent_timers(session) == 0
        assert end_overdue(session) == 1
        assert end_overdue(session) == 0
        with pytest.raises(Refused, match="is handed in"):
            hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
    assert owed(session, trial) == 90_00
    assert queries.answers_of(session, sitting) == {1: "The nodule."}
    told = session.scalars(sa.select(Notification).filter_by(person_id=trial.ana.id, kind="test.over")).one()
    assert told.path == f"/sittings/{sitting.public_id}"


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


# Grading.


def graded(session: Session, trial: Trial, given: dict[int, LineGrade]) -> Sitting:
    sitting = taken(session, trial)
    with clock.at(MONDAY + DAY):
        return grade(session, trial.gia, sitting.public_id, given)


def offered(session: Session, trial: Trial, gig: object = None) -> Offer:
    application = trial.application if gig is None else an_application(session, trial.ana, gig)  # type: ignore[arg-type]
    draft = OfferDraft(rate=150_00, hours_per_week=10, starts_on=clock.today("UTC"))
    return make_offer(session, trial.deal.client, application.public_id, draft, fee_bps=FEE_BPS)


def test_who_passes_can_be_offered_a_contract_and_nobody_before(session: Session, trial: Trial) -> None:
    sitting = taken(session, trial)
    with clock.at(MONDAY + DAY):
        with pytest.raises(Refused, match="asks for a paid test"):
            offered(session, trial)
        grade(session, trial.gia, sitting.public_id, GOOD)
        assert (sitting.state, sitting.points, sitting.graded_by) == (SittingState.PASSED, 80, trial.gia.id)
        assert offered(session, trial).test_id is None
        with pytest.raises(Refused, match="waits"):
            asked(session, trial)


def test_a_pass_counts_for_every_gig_that_asks_for_the_test_for_a_year(
    session: Session, trial: Trial
) -> None:
    graded(session, trial, GOOD)
    with clock.at(MONDAY + 2 * DAY):
        other = a_gig_with_test(session, trial)
        application = an_application(session, trial.ana, other)
        with pytest.raises(Refused, match="has passed"):
            ask(session, trial.deal.client, application.public_id, fee_bps=FEE_BPS)
        assert passes.passed(session, other, [trial.ana.id, trial.gia.id]) == {trial.ana.id}
    with clock.at(MONDAY + DAY + passes.COUNTS_FOR):
        assert passes.passed(session, other, [trial.ana.id]) == set()
        assert queries.standings(session, other, [trial.ana.id])[trial.ana.id].may_ask


def test_a_pass_that_needed_no_licence_counts_for_no_gig_that_asks_for_one(
    session: Session, trial: Trial
) -> None:
    graded(session, trial, GOOD)
    with clock.at(MONDAY + 2 * DAY):
        rev = an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))
        a_verified_credential(session, trial.ana, rev)
        licensed = a_gig_with_test(session, trial, requirements=(licence(),))
        an_application(session, trial.ana, licensed)
        assert passes.passed(session, licensed, [trial.ana.id]) == set()
        assert queries.standings(session, licensed, [trial.ana.id])[trial.ana.id].may_ask


CA4 = Requirement("us_medical_license", "US-CA", 4, None)


@pytest.mark.parametrize(
    ("asked_now", "counts"),
    [
        ((), True),
        ((CA4,), True),
        ((replace(CA4, jurisdiction=None),), True),
        ((replace(CA4, level=3, max_age_days=30),), True),
        ((replace(CA4, jurisdiction="US-TX"),), False),
        ((replace(CA4, type="us_npi"),), False),
        ((CA4, replace(CA4, type="us_npi")), False),
    ],
)
def test_what_was_asked_then_covers_what_is_asked_now(
    asked_now: tuple[Requirement, ...], counts: bool
) -> None:
    assert passes.covers([CA4], asked_now) is counts
    assert passes.covers([replace(CA4, level=3)], [CA4]) is False


def test_who_does_not_pass_is_told_why_line_by_line(session: Session, trial: Trial) -> None:
    sitting = graded(session, trial, POOR)
    statement = session.scalars(sa.select(Statement)).one()
    assert sitting.state is SittingState.FAILED
    assert (statement.person_id, statement.decided_by) == (trial.ana.id, trial.gia.id)
    assert (statement.subject_kind, statement.decision) == ("sitting", Decision.NOT_PASSED)
    assert statement.explanation == (
        "50 of 100 points; 60 are needed.\n\nFinds every lesion that was missed: 20 of 70. "
        "Two of three lesions are missing."
    )
    with clock.at(MONDAY + 2 * DAY):
        with pytest.raises(Refused, match="can be asked again on"):
            asked(session, trial)
        with pytest.raises(Refused, match="asks for a paid test"):
            offered(session, trial)
    with clock.at(MONDAY + DAY + passes.AGAIN_AFTER):
        assert asked(session, trial).state is OfferState.MADE


def test_an_appeal_makes_it_a_pass(session: Session, trial: Trial) -> None:
    sitting = graded(session, trial, POOR)
    opa = an_actor(session, a_person(session, "Opa Operator", Role.OPERATOR))
    with clock.at(MONDAY + 2 * DAY):
        assert records_of(session, [trial.ana.id])[trial.ana.id].record == 0
        statement = session.scalars(sa.select(Statement)).one()
        opened = appeal(session, trial.ana, statement.public_id, "All three lesions are named in my answer.")
        decide(session, opa, opened.public_id, "upheld", "They are, in the second sentence.")
        assert sitting.state is SittingState.PASSED
        assert records_of(session, [trial.ana.id])[trial.ana.id].record == 100
        assert offered(session, trial).test_id is None


def test_nobody_fails_without_a_statement_of_reasons(session: Session, trial: Trial) -> None:
    sitting = taken(session, trial)
    failed = sa.update(Sitting).values(
        state="failed", graded_at=clock.now(), graded_by=trial.gia.id, points=0
    )
    with pytest.raises(DBAPIError, match="only with a statement of reasons"), session.begin_nested():
        session.execute(failed.where(Sitting.id == sitting.id))


def test_what_was_asked_of_somebody_stays(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        asked(session, trial)
    for change in (
        sa.update(Question).values(text="Something else?"),
        sa.delete(Question),
        sa.insert(Question).values(test_id=trial.test.id, position=6, text="One more?"),
    ):
        with pytest.raises(DBAPIError, match="stays as it is"), session.begin_nested():
            session.execute(change)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "between 0 and 70"),
        ({1: LineGrade(71), 2: LineGrade(30)}, "between 0 and 70"),
        ({1: LineGrade(70), 2: LineGrade(-1, "None.")}, "between 0 and 30"),
        ({1: LineGrade(70), 2: LineGrade(29, "  ")}, "Say what is missing"),
    ],
)
def test_a_grade_says_all_of_it(
    session: Session, trial: Trial, given: dict[int, LineGrade], sentence: str
) -> None:
    sitting = taken(session, trial)
    with clock.at(MONDAY + DAY), pytest.raises(Invalid, match=sentence):
        grade(session, trial.gia, sitting.public_id, given)


def test_only_who_was_chosen_grades_it_once_and_nobody_their_own(session: Session, trial: Trial) -> None:
    sitting = taken(session, trial)
    with clock.at(MONDAY + DAY):
        for stranger in (trial.ana, trial.deal.client, trial.deal.approver):
            with pytest.raises(NotAllowed):
                grade(session, stranger, sitting.public_id, GOOD)
        with pytest.raises(NotFound):
            grade(session, an_expert(session, "Zed Expert"), sitting.public_id, GOOD)
        grade(session, trial.gia, sitting.public_id, GOOD)
        with pytest.raises(Refused, match="graded already"):
            grade(session, trial.gia, sitting.public_id, POOR)


def test_nobody_grades_their_own_however_they_were_chosen(session: Session, trial: Trial) -> None:
    sitting = taken(session, trial)
    with clock.at(MONDAY + DAY):
        offer = an_offer(session, trial.deal.client, trial.ana, trial.deal.gig)
        accept_offer(session, trial.ana, offer.public_id, trial.ana.name)
        session.add(
            Grader(
                test_id=trial.test.id, person_id=trial.ana.id, chosen_by=trial.ana.id, chosen_at=clock.now()
            )
        )
        session.commit()
        with pytest.raises(NotAllowed):
            grade(session, trial.ana, sitting.public_id, GOOD)


def test_whose_work_for_the_client_is_over_grades_no_more(session: Session, trial: Trial) -> None:
    sitting = taken(session, trial)
    with clock.at(MONDAY + DAY):
        ending.end_contract(session, trial.gia, trial.deal.contract.public_id)
        with pytest.raises(NotFound):
            grade(session, trial.gia, sitting.public_id, GOOD)


def test_whoever_grades_holds_what_its_taker_must_hold(session: Session) -> None:
    with clock.at(MONDAY):
        trial = a_trial(session)
        rev = an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))
        a_verified_credential(session, trial.ana, rev)
        licensed = a_gig_with_test(session, trial, requirements=(licence(),))
        application = an_application(session, trial.ana, licensed)
        with pytest.raises(Refused, match="Nobody is chosen yet who may grade"):
            ask(session, trial.deal.client, application.public_id, fee_bps=FEE_BPS)
        [gia] = [each for each in graders.candidates(session, trial.test) if each.chosen]
        assert (gia.person.id, bool(gia.gap)) == (trial.gia.id, True)
        kept = a_verified_credential(
            session, trial.gia, rev, expires_on=clock.today("UTC") + timedelta(days=2)
        )
        assert kept.person_id == trial.gia.id
        offer = ask(session, trial.deal.client, application.public_id, fee_bps=FEE_BPS)
        sitting = begin(session, trial.ana, offer.public_id, trial.ana.name)
        hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
    with clock.at(MONDAY + 4 * DAY), pytest.raises(Refused, match="at least what its taker must hold"):
        grade(session, trial.gia, sitting.public_id, GOOD)
    with clock.at(MONDAY + DAY):
        assert grade(session, trial.gia, sitting.public_id, GOOD).state is SittingState.PASSED


def test_who_grades_a_test_does_not_take_it(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        application = an_application(session, trial.gia, trial.gig)
        with pytest.raises(Refused, match="grades the test"):
            ask(session, trial.deal.client, application.public_id, fee_bps=FEE_BPS)
        begun(session, trial)
        offer = an_offer(session, trial.deal.client, trial.ana, trial.deal.gig)
        accept_offer(session, trial.ana, offer.public_id, trial.ana.name)
        with pytest.raises(Refused, match="Ana Expert is taking this test"):
            graders.choose_graders(
                session, trial.deal.client, trial.test.public_id, [person_of(session, trial.ana).public_id]
            )


def test_only_who_works_for_the_client_can_be_chosen(session: Session, trial: Trial) -> None:
    chosen = [person_of(session, trial.ana).public_id]
    with clock.at(MONDAY + HOUR):
        with pytest.raises(Invalid, match="from the list"):
            graders.choose_graders(session, trial.deal.client, trial.test.public_id, chosen)
        with pytest.raises(NotAllowed):
            graders.choose_graders(session, trial.deal.approver, trial.test.public_id, [])
        graders.choose_graders(session, trial.deal.client, trial.test.public_id, [])
        with pytest.raises(Refused, match="Nobody is chosen yet"):
            asked(session, trial)


def test_a_late_grade_is_spoken_of_once(session: Session, trial: Trial) -> None:
    sitting = taken(session, trial)
    with clock.at(MONDAY + 7 * DAY):
        assert remind_overdue(session) == 0
    with clock.at(MONDAY + 9 * DAY):
        assert remind_overdue(session) == 1
        assert remind_overdue(session) == 0
    told = session.scalars(sa.select(Notification.person_id).filter_by(kind="test.overdue"))
    assert set(told) == {trial.gia.id, trial.deal.client.id}
    assert sitting.state is SittingState.HANDED_IN


def test_a_test_counts_like_a_week_in_the_record(session: Session, trial: Trial) -> None:
    sitting = taken(session, trial)
    # Its time was approved by the site, which says nothing of the work.
    assert records_of(session, [trial.ana.id])[trial.ana.id].record is None
    with clock.at(MONDAY + DAY):
        grade(session, trial.gia, sitting.public_id, GOOD)
        assert records_of(session, [trial.ana.id])[trial.ana.id].record == 100


def test_the_gig_of_somebody_else_cannot_ask_for_it(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY):
        other = a_trial(session)
        with pytest.raises(Invalid, match="Choose a test from the list"):
            a_gig_with_test(session, replace(trial, test=other.test))


def test_pay_is_counted_as_it_is_everywhere(session: Session, trial: Trial) -> None:
    taken(session, trial, 7)
    assert owed(session, trial) == money.for_minutes(120_00, 7)
    assert a_test(session, trial.deal).whole == 100
    contracts = session.scalars(sa.select(Contract).where(Contract.test_id.is_not(None))).all()
    assert [each.week_minutes for each in contracts] == [45]
