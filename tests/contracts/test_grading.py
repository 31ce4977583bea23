"""Paid tests as they are graded: by who holds as much, with reasons, and what a pass is good for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.contracts import ending, tasks
from marketplace.contracts.models import Offer
from marketplace.contracts.offers import OfferDraft, make_offer
from marketplace.contracts.records import records_of
from marketplace.contracts.signing import accept_offer
from marketplace.contracts.sittings import graders, passes, pay, queries
from marketplace.contracts.sittings.asking import ask
from marketplace.contracts.sittings.grading import LineGrade, grade, remind_overdue
from marketplace.contracts.sittings.models import Grader, Sitting
from marketplace.contracts.sittings.taking import begin, hand_in
from marketplace.contracts.states import OfferState, SittingState
from marketplace.credentials.gate import Requirement
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs import candidates
from marketplace.gigs.drafts import draft_of, edit_gig
from marketplace.gigs.finding import lists, telling
from marketplace.gigs.finding.models import Cadence, GigAlert
from marketplace.gigs.finding.search import NEWEST, Search
from marketplace.gigs.invitations import Sent, invite, invite_many
from marketplace.gigs.models import ExpertProfile
from marketplace.gigs.narrowing import Wanted
from marketplace.gigs.qualification.models import Question
from marketplace.matching import openings
from marketplace.notifications.models import Notification
from marketplace.reasons import appeal
from marketplace.reasons.appeals import decide
from marketplace.reasons.models import Decision, Statement
from tests.factories.accounts import a_person, a_sign_in, an_actor
from tests.factories.contracts import FEE_BPS, MONDAY, an_offer, person_of
from tests.factories.credentials import a_verified_credential
from tests.factories.gigs import an_application, an_expert, fund, licence
from tests.factories.sittings import (
    ANSWERS,
    GOOD,
    POOR,
    Trial,
    a_gig_with_test,
    a_trial,
    asked,
    begun,
    taken,
)  # fmt: skip

# What an upheld appeal undoes is said there.
assert tasks
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


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


def ask_for_a_licence(session: Session, trial: Trial) -> None:
    """From now on the gig that Gia works on asks for what she does not hold."""
    work = trial.deal.gig
    said = replace(draft_of(work), requirements=(licence(),))
    edit_gig(session, trial.deal.client, work.public_id, said)


def test_nobody_grades_for_nothing(session: Session, trial: Trial) -> None:
    sitting = taken(session, trial)
    with clock.at(MONDAY + DAY):
        ask_for_a_licence(session, trial)
        with pytest.raises(Refused, match="cannot be paid now, and nobody grades for nothing"):
            grade(session, trial.gia, sitting.public_id, GOOD)
        assert graders.able(session, trial.test, []) == []
        [gia] = [each for each in graders.candidates(session, trial.test) if each.chosen]
        assert "where paid time cannot be entered now" in gia.gap
        # A second contract on which time can be entered pays for it, whichever is the later one.
        other = a_gig_with_test(session, trial, test_id=None)
        paying = an_offer(session, trial.deal.client, trial.gia, other, rate=150_00, hours=1)
        contract = accept_offer(session, trial.gia, paying.public_id, trial.gia.name)
        assert pay.contract_for(session, trial.gia, sitting) == contract
        assert grade(session, trial.gia, sitting.public_id, GOOD).state is SittingState.PASSED


def test_a_contract_that_begins_later_pays_for_no_grade_now(session: Session, trial: Trial) -> None:
    sitting = taken(session, trial)
    with clock.at(MONDAY + DAY):
        ending.end_contract(session, trial.gia, trial.deal.contract.public_id)
        other = an_application(session, trial.gia, a_gig_with_test(session, trial, test_id=None))
        later = OfferDraft(rate=150_00, hours_per_week=1, starts_on=clock.today("UTC") + 2 * DAY)
        offer = make_offer(session, trial.deal.client, other.public_id, later, fee_bps=FEE_BPS)
        accept_offer(session, trial.gia, offer.public_id, trial.gia.name)
        with pytest.raises(Refused, match="This contract begins on"):
            grade(session, trial.gia, sitting.public_id, GOOD)


def test_who_grades_a_test_does_not_take_it(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        # As if she had been chosen in the moment in which she applied.
        graders.choose_graders(session, trial.deal.client, trial.test.public_id, [])
        application = an_application(session, trial.gia, trial.gig)
        choose(session, trial, trial.gia)
        with pytest.raises(Refused, match="grades the test"):
            ask(session, trial.deal.client, application.public_id, fee_bps=FEE_BPS)
        begun(session, trial)
        offer = an_offer(session, trial.deal.client, trial.ana, trial.deal.gig)
        accept_offer(session, trial.ana, offer.public_id, trial.ana.name)
        with pytest.raises(Refused, match="Ana Expert is taking this test"):
            graders.choose_graders(
                session, trial.deal.client, trial.test.public_id, [person_of(session, trial.ana).public_id]
            )


def choose(session: Session, trial: Trial, grader: Actor) -> None:
    session.add(
        Grader(
            test_id=trial.test.id, person_id=grader.id, chosen_by=trial.deal.client.id, chosen_at=clock.now()
        )
    )
    session.commit()


def told_of(session: Session, trial: Trial, expert: Actor) -> bool:
    """Do they hear of the gig, as somebody who wants to hear at once?"""
    said = {"person_id": expert.id, "gig_id": trial.gig.id}
    session.merge(GigAlert(**said, cadence=Cadence.AT_ONCE, queued_at=clock.now(), told_at=None))
    session.commit()
    telling.tell_at_once(session)
    heard = sa.select(Notification).filter_by(person_id=expert.id, kind="gigs.new")
    return session.scalars(heard).first() is not None


def listed(session: Session, expert: Actor) -> list[int]:
    """The gigs in their list (internal ids)."""
    openings.forget()
    return [each.gig.id for each in lists.find(session, expert.id, Search(), NEWEST).rows]


def test_who_grades_for_a_gig_is_no_candidate_for_it(session: Session, trial: Trial) -> None:
    client, gig = trial.deal.client, trial.gig.public_id
    profile = session.get_one(ExpertProfile, trial.gia.id).public_id
    with clock.at(MONDAY + HOUR):
        fund(session, trial.deal.project.public_id, 50_000_00)
        a_sign_in(session, person_of(session, trial.gia))
        with pytest.raises(Refused, match="nobody judges those with whom they compete"):
            an_application(session, trial.gia, trial.gig)
        with pytest.raises(Refused, match="cannot take the gig"):
            invite(session, client, gig, profile, "Please look.")
        assert invite_many(session, client, gig, [profile], "Please look.") == Sent(unfit=1)
        assert profile not in candidates.best(session, trial.gig, Wanted(), 10)
        assert not told_of(session, trial, trial.gia)
        assert trial.gig.id not in listed(session, trial.gia)
        # Once somebody else grades, she is a candidate like any other.
        graders.choose_graders(session, client, trial.test.public_id, [])
        assert profile in candidates.best(session, trial.gig, Wanted(), 10)
        assert told_of(session, trial, trial.gia)
        assert trial.gig.id in listed(session, trial.gia)
        assert invite(session, client, gig, profile, "Please look.").person_id == trial.gia.id
        an_application(session, trial.gia, trial.gig)
        with pytest.raises(Refused, match="Gia Grader has applied for Check CT reports"):
            graders.choose_graders(
                session, client, trial.test.public_id, [person_of(session, trial.gia).public_id]
            )


def test_whose_work_is_over_is_a_candidate_again(session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        ending.end_contract(session, trial.gia, trial.deal.contract.public_id)
        assert an_application(session, trial.gia, trial.gig).person_id == trial.gia.id


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
