"""Questioned lines in the browser: asked, answered, offered, agreed and ruled by forms."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.contracts.disputes import turns
from marketplace.contracts.disputes.models import TimeDispute
from marketplace.contracts.states import DisputeState, TimesheetState
from marketplace.errors import NotFound
from marketplace.messages.sending import send
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, Deal, a_deal
from tests.factories.credentials import PDF
from tests.factories.disputes import WEDNESDAY, a_week_of_lines, questioned
from tests.factories.gigs import a_client, an_expert
from tests.visitor import Visitor, words

QUESTION = {"reason": "time_too_long", "explanation": "A report like this takes ten minutes."}
TEXT = "I read every one of the forty slices twice."


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


@pytest.fixture
def dispute(session: Session, deal: Deal) -> TimeDispute:
    return questioned(session, deal, a_week_of_lines(session, deal), 3, offered=10)[0]


def day(number: int) -> datetime:
    return WEDNESDAY + timedelta(days=number)


def at_browser(app: Flask, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, actor))


def test_two_of_ten_lines_are_questioned_by_form(app: Flask, session: Session, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal)
    path = f"/timesheets/{sheet.public_id}/lines"
    with clock.at(WEDNESDAY):
        client = at_browser(app, session, deal.client)
        assert path in client.get(f"/timesheets/{sheet.public_id}").text
        assert "line 7" in words(client.get(path))
        wrong = client.post(path, version=sheet.version, reason_3="time_too_long", explanation_8="Why this?")
        assert "Explain in a sentence" in words(wrong)
        assert "Choose why you question this line" in words(wrong)
        assert "Why this?" in wrong.text
        assert sheet.state is TimesheetState.SUBMITTED
        done = client.post(
            path, version=sheet.version,
            reason_3="time_too_long", explanation_3="A report like this takes ten minutes.", minutes_3="10",
            reason_8="work_not_found", explanation_8="The tool shows nothing at that time.", minutes_8="",
        )  # fmt: skip
        assert "2 lines wait for the expert’s answer; 8 are approved." in words(done)
        assert words(done).count("Questioned: waiting for the expert") == 2
    disputes = session.scalars(sa.select(TimeDispute).order_by(TimeDispute.id)).all()
    assert [(each.entry.note, each.offered_minutes) for each in disputes] == [("line 2", 10), ("line 7", 0)]


def test_without_a_question_nothing_is_approved_by_accident(app: Flask, session: Session, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal, lines=2)
    path = f"/timesheets/{sheet.public_id}/lines"
    with clock.at(WEDNESDAY):
        client = at_browser(app, session, deal.approver)
        client.get(path)
        assert "You have questioned nothing." in words(client.post(path, version=sheet.version))
        half = client.post(
            path, version=sheet.version, minutes_2="10", reason_1="time_too_long", explanation_1=TEXT
        )
        assert "Choose why you question this line, or put 0 here." in words(half)
        assert sheet.state is TimesheetState.SUBMITTED
        both = {f"{name}_{n}": text for n in (1, 2) for name, text in QUESTION.items()}
        assert "nothing is approved yet" in words(client.post(path, version=sheet.version, **both))
        late = client.get(path)
        assert "does not wait for an answer" in words(late)
        assert 'name="reason_1"' not in late.text
        assert "already approved" in words(client.post(path, version=sheet.version, **both))


def test_the_button_says_what_the_client_pays(
    app: Flask, session: Session, deal: Deal, dispute: TimeDispute
) -> None:
    path = f"/disputes/{dispute.public_id}"
    with clock.at(day(1)):
        client = at_browser(app, session, deal.client)
        assert "Pay the whole line after all" in words(client.get(path))
        turns.answer(session, deal.expert, dispute.public_id, TEXT, 24)
        turns.offer(session, deal.client, dispute.public_id, TEXT, 20)
        page = words(client.get(path))
        assert "Pay the whole line" not in page
        assert "Pay $60.00 for 0 h 24 min of this line?" in page
        assert "0 h 24 min of 0 h 30 min are paid" in words(client.post(f"{path}/agreement", version="24"))


def test_both_sides_see_whose_turn_it_is_and_take_it(
    app: Flask, session: Session, deal: Deal, dispute: TimeDispute
) -> None:
    path = f"/disputes/{dispute.public_id}"
    with clock.at(day(1)):
        expert, client = at_browser(app, session, deal.expert), at_browser(app, session, deal.client)
        assert "A questioned line waits for you." in words(expert.get("/"))
        assert "A questioned line waits for you." not in words(client.get("/"))
        assert "It is your turn" in words(expert.get("/disputes"))
        page = words(expert.get(path))
        assert "Agree on 0 h 10 min, $25.00" in page
        assert "More time is entered than this work usually takes." in page
        assert "Your turn" not in words(client.get(path))
        assert "Give a number of minutes" in words(expert.post(f"{path}/answer", text=TEXT, minutes="-1"))
        refused = expert.post(f"{path}/answer", text=TEXT, minutes="5")
        assert "Ask for more than the 0 h 10 min" in words(refused)
        assert TEXT in refused.text
        assert "five days" in words(expert.post(f"{path}/answer", text=TEXT, minutes="25"))
        assert "A questioned line waits for you." in words(client.get("/"))
        assert "Agree on 0 h 25 min, $62.50" in words(client.get(path))
        assert "with the expert" in words(client.post(f"{path}/offer", text=TEXT, minutes="20"))
        stale = expert.post(f"{path}/agreement", version="10")
        assert "another number meanwhile" in words(stale)
        expert.get(path)
        done = words(expert.post(f"{path}/agreement", version="20"))
        assert "0 h 20 min of 0 h 30 min are paid: $50.00. This is how it ended." in done
    assert dispute.state is DisputeState.SETTLED


def test_the_week_says_where_each_part_of_it_is(app: Flask, session: Session, deal: Deal) -> None:
    sheet = a_week_of_lines(session, deal)
    first, _second = questioned(session, deal, sheet, 2, 7, offered=10)
    with clock.at(day(1)):
        turns.agree(session, deal.expert, first.public_id, 10)
        for side in (deal.expert, deal.client):
            page = words(at_browser(app, session, side).get(f"/timesheets/{sheet.public_id}"))
            assert "Approved in part" in page
            assert "Approved 4 h 10 min $625.00 $125.00" in page
            assert "Questioned, waits apart 0 h 30 min $75.00 $15.00" in page
            assert "Not paid 0 h 20 min $50.00 $10.00" in page
            assert "Together, as entered 5 h 00 min $750.00 $150.00" in page


def test_a_ruling_by_form(app: Flask, session: Session, deal: Deal, dispute: TimeDispute) -> None:
    path = f"/disputes/{dispute.public_id}"
    opa = an_actor(session, a_person(session, "Opa Operator", Role.OPERATOR))
    with clock.at(day(1)):
        expert, operator = at_browser(app, session, deal.expert), at_browser(app, session, opa)
        assert "Rule on it" not in words(operator.get(path))
        short = expert.post(f"{path}/request", text="No.")
        assert "Say in a sentence or two" in words(short)
        assert "fourteen days" in words(expert.post(f"{path}/request", text=TEXT))
        assert "A questioned line waits for you." in words(operator.get("/"))
        assert "Rule on it" in words(operator.get(path))
        assert "Choose one of the reasons" in words(operator.post(f"{path}/ruling", minutes="20"))
        done = operator.post(
            f"{path}/ruling", minutes="20", reason_code="partly_shown", explanation="The log shows twenty."
        )
        assert "The ruling stands" in words(done)
        page = words(expert.get(path))
        assert "0 h 20 min of 0 h 30 min are paid, by a ruling" in page
        assert "appeal if you disagree" in page


def test_papers_go_into_the_messages_of_the_line(
    app: Flask, session: Session, deal: Deal, dispute: TimeDispute
) -> None:
    opa = an_actor(session, a_person(session, "Opa Operator", Role.OPERATOR))
    about = ("time_dispute", dispute.public_id)
    with clock.at(day(1)):
        send(session, deal.expert, *about, uuid.uuid4(), "Here is the log of that day.", [PDF])
        send(session, opa, *about, uuid.uuid4(), "Which of these lines are the ten items?")
        for who in (deal.expert, deal.client, opa):
            browser = at_browser(app, session, who)
            path = f"/messages/time_dispute/{dispute.public_id}"
            assert path in browser.get(f"/disputes/{dispute.public_id}").text
            page = words(browser.get(path))
            assert "Here is the log" in page
            assert "Which of these lines" in page
        with pytest.raises(NotFound):
            send(session, an_expert(session, "Zed Stranger"), *about, uuid.uuid4(), "Let me in.")


def test_strangers_find_nothing(app: Flask, session: Session, deal: Deal, dispute: TimeDispute) -> None:
    path = f"/disputes/{dispute.public_id}"
    with clock.at(day(1)):
        for stranger in (an_expert(session, "Zed Stranger"), a_client(session, "Elsewhere")[0]):
            browser = at_browser(app, session, stranger)
            browser.get("/disputes")
            assert browser.get(path).status_code == 404
            assert "No line is questioned" in words(browser.get("/disputes"))
            for act in ("answer", "offer", "agreement", "request", "ruling"):
                assert browser.post(f"{path}/{act}", text=TEXT, minutes="20").status_code in (403, 404)
            assert browser.get(f"/timesheets/{dispute.timesheet.public_id}/lines").status_code in (403, 404)


def test_the_decision_leads_to_the_dispute(
    app: Flask, session: Session, deal: Deal, dispute: TimeDispute
) -> None:
    with clock.at(day(1)):
        expert = at_browser(app, session, deal.expert)
        listed = expert.get("/decisions")
        assert "Line of a timesheet withheld" in words(listed)
        [path] = {each for each in listed.text.split('"') if each.startswith("/decisions/")}
        page = expert.get(path)
        assert f"/disputes/{dispute.public_id}" in page.text
        assert 'name="text"' not in page.text
