"""A paid test by hand, at a browser without JavaScript: written, asked for, taken, graded, appealed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from html import unescape
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.contracts.models import Offer
from marketplace.contracts.sittings import graders
from marketplace.contracts.sittings.asking import ask
from marketplace.contracts.sittings.graders import choose_graders
from marketplace.contracts.sittings.grading import grade
from marketplace.contracts.sittings.models import Sitting
from marketplace.contracts.sittings.taking import begin, end_overdue, hand_in
from marketplace.contracts.states import SittingState
from marketplace.errors import Invalid
from marketplace.gigs import consequences
from marketplace.gigs.drafts import draft_gig, draft_of, edit_gig
from marketplace.gigs.models import label_of
from marketplace.gigs.publishing import publish_gig
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.qualification.writing import write_test
from marketplace.gigs.states import GigState
from marketplace.reasons.models import Statement
from marketplace.web import paged
from tests.factories.accounts import enter
from tests.factories.contracts import FEE_BPS, MONDAY, a_deal, person_of
from tests.factories.gigs import RADIOLOGY, a_draft, an_application, an_expert, licence
from tests.factories.sittings import ANSWERS, DRAFT, POOR, Trial, a_trial, asked, begun
from tests.visitor import Visitor, words

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WRITTEN = {
    "title": "Find the errors in a chest CT report",
    "introduction": "You get a report that a model wrote.",
    "minutes": "45",
    "questions-0": "What is wrong in it?",
    "questions-1": "How sure are you?",
    "rubric-0-text": "Finds every lesion that was missed",
    "rubric-0-points": "70",
    "rubric-1-text": "Says how sure",
    "rubric-1-points": "30",
    "pass_points": "60",
}


def at_browser(app: Flask, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, actor))


def test_less_than_a_minute_is_owed_nothing_and_leaves_no_week(
    app: Flask, session: Session, trial: Trial
) -> None:
    with clock.at(MONDAY + HOUR):
        offer = asked(session, trial)
        ana = at_browser(app, session, trial.ana)
        ana.get(f"/offers/{offer.public_id}")
        begun_page = ana.post(f"/offers/{offer.public_id}/test", signed_name=trial.ana.name)
        sitting = session.scalars(sa.select(Sitting)).one()
        assert "What is wrong" in words(begun_page)
    with clock.at(MONDAY + HOUR + timedelta(seconds=20)):
        said = ana.post(
            f"/sittings/{sitting.public_id}", answer_1="The nodule.", answer_2="Sure.", autosave="0"
        )
        assert "nothing is owed for it" in words(said)
        assert "Nothing" in words(said)
        assert trial.gig.title not in words(ana.get("/pay"))


def test_who_cannot_log_the_time_is_told_before_grading(app: Flask, session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
        gia = at_browser(app, session, trial.gia)
        path = f"/sittings/{sitting.public_id}/grade"
        assert "Grading is paid" in words(gia.get(path))
        work = trial.deal.gig
        edit_gig(
            session, trial.deal.client, work.public_id, replace(draft_of(work), requirements=(licence(),))
        )
        told = words(gia.get(path))
        assert "Your time for this cannot be paid now" in told
        assert "part of the work on Review radiology reports, where paid time cannot be entered now" in told
        assert "Grading is paid" not in told
        assert "Give this grade" not in told
        given = gia.post(path, points_1="70", points_2="30")
        assert "Your time for this cannot be paid now" in words(given)
        assert sitting.state is SittingState.HANDED_IN


def test_the_whole_path_by_hand(app: Flask, session: Session) -> None:
    with clock.at(MONDAY):
        gia, ana = an_expert(session, "Gia Grader"), an_expert(session)
        deal = a_deal(session, expert=gia)
        carla = at_browser(app, session, deal.client)
        assert "No test yet" in words(carla.get("/tests"))
        carla.get("/tests/new")
        assert "Choose who grades it" in words(carla.post("/tests/new", **WRITTEN))
        test = session.scalars(sa.select(QualificationTest)).one()
        page = carla.get(f"/tests/{test.public_id}/graders")
        assert "Gia Grader works on Review radiology reports" in words(page)
        chosen = carla.post(f"/tests/{test.public_id}/graders", people=person_of(session, gia).public_id)
        assert "Those who are new were told" in words(chosen)
        form = carla.get(f"/gigs/{deal.gig.public_id}/edit")
        assert "Find the errors in a chest CT report" in words(form)
        said = replace(draft_of(deal.gig), test_id=test.id)
        edit_gig(session, deal.client, deal.gig.public_id, said)
        application = an_application(session, ana, deal.gig)
        received = words(carla.get(f"/gigs/{deal.gig.public_id}/applications"))
        assert "Test not taken yet" in received
        assert "It pays $120.00 an hour and costs you $108.00 at most" in received
        assert "Make an offer" not in received
        told = carla.post(f"/applications/{application.public_id}/test")
        assert "has seven days to begin" in words(told)
        assert "Asked to take the test" in words(told)
        offer = session.scalars(sa.select(Offer).where(Offer.test_id.is_not(None))).one()

        expert = at_browser(app, session, ana)
        assert "The client asks you to take it" in words(expert.get(f"/gigs/{deal.gig.public_id}"))
        read = words(expert.get(f"/offers/{offer.public_id}"))
        assert "Pays at most $90.00" in read
        assert "What is wrong in it?" not in read
        begun_page = expert.post(f"/offers/{offer.public_id}/test", signed_name="ana expert")
        assert "What is wrong in it?" in words(begun_page)
    sitting = session.scalars(sa.select(Sitting)).one()
    path = f"/sittings/{sitting.public_id}"
    with clock.at(MONDAY + 20 * MINUTE):
        kept = expert.post(path, keep="1", autosave="0", answer_1="The nodule is missing.", answer_2="")
        assert "The clock goes on until you hand it in" in words(kept)
        assert "The nodule is missing." in kept.text
        lacking = expert.post(path, autosave="1", answer_1="The nodule is missing.", answer_2="")
        assert "This question has no answer yet" in words(lacking)
        done = expert.post(path, autosave="1", answer_1="The nodule is missing.", answer_2="Quite.")
        assert "Your time is approved" in words(done)
        assert "Pay $40.00" in words(done)

        grader = at_browser(app, session, gia)
        assert "A test waits for your grade" in words(grader.get("/"))
        queue = words(grader.get("/grading"))
        assert "Find the errors in a chest CT report" in queue
        page = words(grader.get(f"{path}/grade"))
        assert "The nodule is missing." in page
        assert "Ana" not in page
        refused = grader.post(f"{path}/grade", points_1="60", comment_1="", points_2="30")
        assert "Say what is missing" in words(refused)
        graded = grader.post(f"{path}/grade", points_1="60", comment_1="One lesion.", points_2="30")
        assert "Whoever took the test knows" in words(graded)
        assert "Nothing to grade" in words(graded)

        assert "You passed. It counts for every gig" in words(expert.get(path))
        assert "60 of 70" in words(expert.get(path))
        answered = words(carla.get(f"/gigs/{deal.gig.public_id}/applications"))
        assert "Test passed" in answered
        assert "Make an offer" in answered
        # By the name that stands on the list, not by the number that stood there before.
        offer = words(carla.get(f"/applications/{application.public_id}/offer"))
        assert f"Make an offer to {ana.name}" in offer
        assert "90 of 100" in words(carla.get(f"/tests/{test.public_id}/results"))


def test_a_gig_asks_for_a_test_and_its_change_is_shown_first(
    app: Flask, session: Session, trial: Trial
) -> None:
    with clock.at(MONDAY + HOUR):
        carla = at_browser(app, session, trial.deal.client)
        plain = draft_gig(session, trial.deal.client, trial.deal.project.public_id, a_draft())
        carla.get(f"/gigs/{plain.public_id}/edit")
        untouched = {"type": "", "jurisdiction": "", "level": "4", "max_age_days": "0"}
        rows = {f"requirements-{n}-{name}": value for n in range(3) for name, value in untouched.items()}
        fields = {**rows, "title": "Read reports", "domain": RADIOLOGY, "test": str(trial.test.public_id)}
        saved = carla.post(f"/gigs/{plain.public_id}/edit", **fields)
        assert "Paid test first Find the errors in a chest CT report, 45 minutes at most, paid" in words(
            saved
        )
        assert plain.test_id == trial.test.id
        wrong = carla.post(f"/gigs/{plain.public_id}/edit", **{**fields, "test": str(uuid4())})
        assert "Choose one of the list." in words(wrong)
        shown = consequences.of_change(session, trial.gig, replace(draft_of(trial.gig), test_id=None))
        assert [(each.label, each.was, each.will_be) for each in shown.differences] == [
            ("Paid test first", "Find the errors in a chest CT report", "None")
        ]


WARNED = "Nobody can grade its test"
CHOOSE = "Nobody is chosen who may grade “Find the errors in a chest CT report” for this gig"


def test_a_gig_whose_test_nobody_may_grade_says_so_everywhere(
    app: Flask, session: Session, trial: Trial
) -> None:
    with clock.at(MONDAY + HOUR):
        carla, dev = (at_browser(app, session, each) for each in (trial.deal.client, trial.deal.approver))
        draft = draft_gig(
            session, trial.deal.client, trial.deal.project.public_id, a_draft(test_id=trial.test.id)
        )
        pages = [
            *(f"/gigs/{trial.gig.public_id}/{part}" for part in ("edit", "overview")),
            *(f"/gigs/{draft.public_id}/{part}" for part in ("edit", "preview", "overview")),
        ]
        of_the_test = [f"/tests/{trial.test.public_id}", f"/tests/{trial.test.public_id}/graders"]
        for path in [*pages, *of_the_test]:
            told = words(carla.get(path))
            assert WARNED not in told, path
            assert "Nobody who is chosen" not in told, path
        choose_graders(session, trial.deal.client, trial.test.public_id, [])
        for path in pages:
            shown = carla.get(path)
            assert CHOOSE in words(shown), path
            assert f"/tests/{trial.test.public_id}/graders" in shown.text
        for path in of_the_test:
            assert "may grade it for these gigs Check CT reports Review radiology reports" in words(
                carla.get(path)
            )
        # Who may not choose is told, and led nowhere.
        seen = dev.get(pages[1])
        assert CHOOSE in words(seen)
        assert "Choose who grades it" not in words(seen)
        # It is a warning: she may publish first, and choose then.
        assert publish_gig(session, trial.deal.client, draft.public_id).state is GigState.PUBLISHED


def test_who_grades_for_a_gig_reads_there_why_they_cannot_apply(
    app: Flask, session: Session, trial: Trial
) -> None:
    with clock.at(MONDAY + HOUR):
        gia, ben = (at_browser(app, session, each) for each in (trial.gia, an_expert(session, "Ben Expert")))
        page = gia.get(f"/gigs/{trial.gig.public_id}")
        assert "You grade the test of this gig, so you cannot apply for it" in words(page)
        assert "Apply for this gig" not in words(page)
        refused = gia.post(f"/gigs/{trial.gig.public_id}/applications", note="I would like to.")
        assert "You grade the test of this gig" in words(refused)
        assert "I would like to." in words(refused)
        assert "Apply for this gig" in words(ben.get(f"/gigs/{trial.gig.public_id}"))


def test_many_tests_to_grade_come_page_by_page(
    app: Flask, session: Session, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(paged.__kwdefaults__, "size", 2)
    takers = [trial.ana, an_expert(session, "Ben Expert"), an_expert(session, "Cem Expert")]
    labels = []
    for minutes, expert in enumerate(takers):
        with clock.at(MONDAY + HOUR + minutes * MINUTE):
            applied = trial.application if expert is trial.ana else an_application(session, expert, trial.gig)
            offer = ask(session, trial.deal.client, applied.public_id, fee_bps=FEE_BPS)
            sitting = begin(session, expert, offer.public_id, expert.name)
            hand_in(session, expert, sitting.public_id, ANSWERS, 0)
            labels.append(f"Answers {label_of(sitting.public_id.hex)}")
    with clock.at(MONDAY + 2 * HOUR):
        gia = at_browser(app, session, trial.gia)
        first = gia.get("/grading")
        assert "3 tests wait for a grade, the most urgent first." in words(first)
        assert [each in words(first) for each in labels] == [True, True, False]
        further = unescape(first.text.split('rel="next"')[1].split('href="')[1].split('"')[0])
        second = words(gia.get(further))
        assert [each in second for each in labels] == [False, False, True]
        assert "wait for a grade" not in second


def test_of_many_who_could_grade_some_are_shown_and_others_found_by_name(
    app: Flask, session: Session, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graders, "MOST_SHOWN", 2)
    dev = person_of(session, trial.deal.approver)
    path = f"/tests/{trial.test.public_id}/graders"
    with clock.at(MONDAY + HOUR):
        carla = at_browser(app, session, trial.deal.client)
        page = words(carla.get(path))
        assert "Gia Grader works on" in page
        assert "1 more person works for you" in page
        assert dev.full_name not in page
        found = words(carla.get(f"{path}?name=dev"))
        # Who is chosen stays on the list: saving it would take them off.
        assert "Gia Grader works on" in found
        assert dev.full_name in found
        saved = carla.post(f"{path}?name=dev", people=str(dev.public_id))
        assert "Those who are new were told" in words(saved)
    assert graders.working(session, trial.test.id) == {dev.id}
    monkeypatch.setattr(graders, "MOST_CHOSEN", 0)
    with pytest.raises(Invalid, match="0 people at most"):
        graders.choose_graders(session, trial.deal.client, trial.test.public_id, [dev.public_id])


def test_a_change_after_which_nobody_may_grade_is_warned_of(
    app: Flask, session: Session, trial: Trial
) -> None:
    with clock.at(MONDAY + HOUR):
        carla = at_browser(app, session, trial.deal.client)
        gig, said = trial.gig, replace(draft_of(trial.gig), requirements=(licence(),))
        found = consequences.of_change(session, gig, said)
        assert (found.test, found.requirements) == (trial.test, (licence(),))
        carla.get(f"/gigs/{gig.public_id}/edit")
        row = {"type": "", "jurisdiction": "", "level": "4", "max_age_days": "0"}
        rows = {f"requirements-{n}-{name}": value for n in range(3) for name, value in row.items()}
        asked = {"requirements-0-type": "us_medical_license", "requirements-0-jurisdiction": "US-CA"}
        typed = {
            "title": gig.title, "domain": gig.domain, "task_kind": "review", "description": "Read.",
            "trains": "A model.",
            "used_in": "Here.", "owned_by": "client", "kept_for": "year_1", "uses": "none",
            "rate_min": "100", "rate_max": "200",
            "hours_per_week": "10", "headcount": "2", "languages": "en", "starts_on": gig.starts_on,
            "test": str(trial.test.public_id), "version": str(gig.version), **rows, **asked,
        }  # fmt: skip
        shown = words(carla.post(f"/gigs/{gig.public_id}/edit", **typed))
        assert "Nobody who works for you may grade" in shown
        assert "Ask for fewer credentials, leave the test out" in shown
        assert WARNED not in words(carla.get(f"/gigs/{gig.public_id}/overview"))


def test_what_is_written_is_kept_as_it_is_written(app: Flask, session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        expert = at_browser(app, session, trial.ana)
        address = f"/sittings/{sitting.public_id}/answers"
        expert.get(f"/sittings/{sitting.public_id}")
        kept = expert.post(address, autosave="0", answer_1="The nod")
        assert kept.status_code == 200
        assert kept.json["version"] == 1
        assert kept.json["told"].startswith("Saved ")
        stale = expert.post(address, autosave="0", answer_1="Another")
        assert stale.status_code == 409
        assert "Another window" in stale.json["told"]
        assert expert.post(address, answer_1="Another").status_code == 409
        assert "The nod" in expert.get(f"/sittings/{sitting.public_id}").text
        # By the buttons too; what was typed stays, and means it when it is sent again.
        both = {"answer_1": "Another", "answer_2": "Quite."}
        for button in ({"keep": "1"}, {}):
            refused = expert.post(f"/sittings/{sitting.public_id}", autosave="0", **both, **button)
            assert "Another window of yours has kept other answers" in words(refused)
            assert "Another</textarea>" in refused.text
            assert 'name="autosave" value="1"' in refused.text
        assert "Go on with it" in words(expert.get("/"))
        # The links to one's work lead to the test while it runs.
        assert "What is wrong in it?" in words(expert.get("/work"))
        assert "What is wrong in it?" in words(expert.get(f"/work/{sitting.contract.public_id}"))


def test_what_was_typed_too_late_can_be_copied(app: Flask, session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        expert = at_browser(app, session, trial.ana)
        expert.get(f"/sittings/{sitting.public_id}")
    with clock.at(MONDAY + 2 * HOUR):
        end_overdue(session)
        late = expert.post(
            f"/sittings/{sitting.public_id}", autosave="0", answer_1="All three.", answer_2="Yes."
        )
        assert "This test is handed in" in words(late)
        assert "What you typed All three." in words(late)


def test_who_fails_reads_why_and_can_appeal(app: Flask, session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        hand_in(session, trial.ana, sitting.public_id, ANSWERS, 0)
        grade(session, trial.gia, sitting.public_id, POOR)
        expert = at_browser(app, session, trial.ana)
        page = words(expert.get(f"/sittings/{sitting.public_id}"))
        assert "You did not pass" in page
        assert "Two of three lesions are missing." in page
        statement = session.scalars(sa.select(Statement)).one()
        decision = words(expert.get(f"/decisions/{statement.public_id}"))
        assert "Test not passed" in decision
        assert "By Gia Grader" in page
        carla = at_browser(app, session, trial.deal.client)
        received = words(carla.get(f"/gigs/{trial.gig.public_id}/applications"))
        assert "Test not passed" in received
        assert "Ask to take the test" not in received
        assert "You did not pass it" in words(expert.get(f"/gigs/{trial.gig.public_id}"))


def test_the_client_reads_no_answers_while_they_are_written(
    app: Flask, session: Session, trial: Trial
) -> None:
    with clock.at(MONDAY + HOUR):
        sitting = begun(session, trial)
        expert, carla = (at_browser(app, session, each) for each in (trial.ana, trial.deal.client))
        expert.get(f"/sittings/{sitting.public_id}")
        expert.post(f"/sittings/{sitting.public_id}/answers", autosave="0", answer_1="The nod")
        page = carla.get(f"/sittings/{sitting.public_id}")
        assert "The test is being taken" in words(page)
        assert "The nod" not in page.text
        # Whoever has signed is known by name, to the client and not to whoever grades.
        assert "Ana Expert" in words(page)
        grader = at_browser(app, session, trial.gia)
        assert grader.get(f"/sittings/{sitting.public_id}").status_code == 404
        assert sitting.state is SittingState.BEGUN


def test_a_test_is_copied_changed_and_put_away(app: Flask, session: Session, trial: Trial) -> None:
    with clock.at(MONDAY + HOUR):
        carla = at_browser(app, session, trial.deal.client)
        path = f"/tests/{trial.test.public_id}"
        refused = carla.get(path) and carla.post(f"{path}/retirement")
        assert "These gigs ask for this test: Check CT reports" in words(refused)
        asked(session, trial)
        carla.get(path)
        changed = carla.post(f"{path}/edit", **{**WRITTEN, "title": "Another"})
        assert "everybody is graded by the same" in words(changed)
        copied = carla.post(f"{path}/copies")
        assert "This is a copy" in words(copied)
        copy = session.scalars(sa.select(QualificationTest).order_by(QualificationTest.id.desc())).first()
        assert copy is not None
        assert copy.title == "Find the errors in a chest CT report (copy)"
        for field, said, told in (
            ("minutes", "4", "between 5 minutes and 4 hours"),
            ("pass_points", "101", "between 1 and 100"),
            ("rubric-0-points", "101", "between 1 and 100 points"),
            ("rubric-0-points", "", "between 1 and 100 points"),
            ("title", " ", "Give the test a title"),
        ):
            wrong = carla.post(f"/tests/{copy.public_id}/edit", **{**WRITTEN, field: said})
            assert told in words(wrong), field
        saved = carla.post(
            f"/tests/{copy.public_id}/edit", **{**WRITTEN, "title": "Shorter", "minutes": "20"}
        )
        assert "The test is saved" in words(saved)
        assert "The test is put away" in words(carla.post(f"/tests/{copy.public_id}/retirement"))
        assert "Put away" in words(carla.get("/tests"))


@pytest.mark.parametrize("part", ["", "/edit", "/graders", "/results"])
def test_a_test_is_its_clients(app: Flask, session: Session, trial: Trial, part: str) -> None:
    with clock.at(MONDAY + HOUR):
        other = a_trial(session)
        theirs = write_test(session, other.deal.client, other.deal.project.organization.public_id, DRAFT)
        carla = at_browser(app, session, trial.deal.client)
        assert carla.get(f"/tests/{theirs.public_id}{part}").status_code == 404
