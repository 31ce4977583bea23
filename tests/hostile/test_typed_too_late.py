"""What is typed while somebody is quicker: the answer says what happened, and the words are still there."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from marketplace import clock, reasons
from marketplace.actor import Actor, Role
from marketplace.contracts.approvals import approve_timesheet
from marketplace.contracts.ending import end_contract
from marketplace.contracts.timer import start_timer
from marketplace.contracts.timesheets import submit_timesheet
from marketplace.credentials.reviews import LEASE
from marketplace.gigs.publishing import pause_gig
from marketplace.reasons.appeals import decide
from tests.cast import Cast
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week, an_entry
from tests.factories.credentials import a_claim
from tests.factories.gigs import a_gig, an_expert
from tests.reasons.test_reasons import ANSWER, TEXT, stated
from tests.visitor import Visitor, words

TUESDAY = MONDAY + timedelta(days=1)
SAID = "The third line is <i>not</i> what we agreed on, see the notes."


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def at_browser(app: Flask, session: Session, who: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, who))


def assert_told(answer: TestResponse, sentence: str, status: int = 422) -> None:
    """The page says why, and shows the words."""
    assert answer.status_code == status
    assert sentence in words(answer)
    assert html.escape(SAID, quote=False) in answer.text


def test_a_week_that_was_approved_meanwhile(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        sheet = a_submitted_week(session, deal, MONDAY)
        seen = sheet.version
        client = at_browser(app, session, deal.client)
        client.get(f"/timesheets/{sheet.public_id}")
        approve_timesheet(session, deal.approver, sheet.public_id, seen)
        typed = {"version": seen, "reason_code": "entry_wrong", "explanation": SAID}
        assert_told(client.post(f"/timesheets/{sheet.public_id}/return", **typed), "already approved")


def test_a_contract_that_ended_meanwhile(app: Flask, session: Session, deal: Deal) -> None:
    path = f"/contracts/{deal.contract.public_id}"
    with clock.at(TUESDAY):
        client = at_browser(app, session, deal.client)
        client.get(path)
        end_contract(session, deal.expert, deal.contract.public_id)
        typed = {"reason_code": "work_finished", "explanation": SAID}
        assert_told(client.post(f"{path}/end", **typed), "already ended")


def test_a_week_that_was_submitted_in_another_tab(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        sheet = an_entry(session, deal, MONDAY).timesheet
        expert = at_browser(app, session, deal.expert)
        expert.get(f"/work/{deal.contract.public_id}")
        submit_timesheet(session, deal.expert, sheet.public_id, sheet.version)
        typed = {"day": "2026-06-02", "begins": "09:00", "ends": "10:00", "task_kind": "rank", "kind": "paid"}
        answer = expert.post(f"/work/{deal.contract.public_id}/entries", **typed, note=SAID)
        assert_told(answer, "already submitted")


def test_a_timer_that_was_started_in_another_tab(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        expert = at_browser(app, session, deal.expert)
        expert.get(f"/work/{deal.contract.public_id}")
        start_timer(session, deal.expert, deal.contract.public_id, "rank")
        typed = {"task_kind": "review", "kind": "paid", "note": SAID}
        assert_told(
            expert.post(f"/work/{deal.contract.public_id}/timer", **typed), "A timer is already running"
        )


def test_a_gig_that_was_paused_while_somebody_applied_or_was_invited(
    app: Flask, session: Session, deal: Deal
) -> None:
    with clock.at(TUESDAY):
        gig = a_gig(session, deal.client, deal.project, title="Another")
        bea = an_expert(session, "Bea Expert")
        expert, client = at_browser(app, session, bea), at_browser(app, session, deal.client)
        mark = re.findall(r'name="typed" value="([^"]+)"', expert.get(f"/gigs/{gig.public_id}").text)[0]
        page = client.get(f"/gigs/{gig.public_id}/experts").text
        invitation = re.findall(r"/experts/([^/]+/invitation)", page)[0]
        pause_gig(session, deal.client, gig.public_id)
        # A paused gig is not to be seen any more, so all that is left is the error page.
        answer = expert.post(f"/gigs/{gig.public_id}/applications", note=SAID, typed=mark)
        assert_told(answer, "There is no such page", status=404)
        answer = client.post(f"/gigs/{gig.public_id}/experts/{invitation}", message=SAID)
        assert_told(answer, "Publish the gig before")


def test_a_review_whose_half_hour_was_over(app: Flask, session: Session) -> None:
    rev = an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))
    credential = a_claim(session, an_expert(session))
    path = f"/credentials/{credential.public_id}"
    reviewer = at_browser(app, session, rev)
    reviewer.post(f"{path}/claim")
    with clock.at(clock.now() + LEASE + timedelta(minutes=1)):
        typed = {"reject-reason_code": "name_differs", "reject-explanation": SAID}
        assert_told(reviewer.post(f"{path}/rejection", **typed), "Take it again from the queue")


def test_an_appeal_and_its_answer_that_come_second(app: Flask, session: Session, cast: Cast) -> None:
    statement = stated(session, cast.rev, cast.ana)
    ana, opa = cast.visitor(app, cast.ana), cast.visitor(app, cast.opa)
    ana.get(f"/decisions/{statement.public_id}")
    appeal = reasons.appeal(session, cast.ana, statement.public_id, TEXT)
    assert_told(ana.post(f"/decisions/{statement.public_id}", text=SAID), "You have already appealed")
    opa.get(f"/appeals/{appeal.public_id}")
    decide(session, cast.opa, appeal.public_id, "dismissed", ANSWER)
    typed = {"outcome": "dismissed", "answer": SAID}
    assert_told(opa.post(f"/appeals/{appeal.public_id}", **typed), "already decided")
