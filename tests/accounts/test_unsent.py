"""What was typed before the session ended, or into an old page, comes back and is never saved unseen."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from marketplace import clock
from marketplace.accounts.models import Person, SignIn, WebSession
from marketplace.actor import Actor
from marketplace.contracts.models import TimeEntry, Timesheet
from marketplace.credentials.models import Credential
from marketplace.gigs.models import Application, Gig
from tests.accounts.test_pages import signed_in
from tests.factories.accounts import PASSWORD, a_sign_in
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week
from tests.factories.gigs import a_gig
from tests.visitor import Visitor, words

TUESDAY = MONDAY + timedelta(days=1)
NIGHT = timedelta(hours=13)
SAID = "I looked at forty studies, <b>one by one</b>, and noted each."
HIDDEN = re.compile(r'<input (?=[^>]*type="hidden")(?=[^>]*name="([^"]+)")(?=[^>]*value="([^"]*)")[^>]*>')


def fields_of(answer: TestResponse, action: str) -> dict[str, str]:
    """The hidden fields of the form that is sent to `action`."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}[^"]*"[^>]*>.*?</form>', answer.text, re.DOTALL)
    assert form, action
    return {name: html.unescape(value) for name, value in HIDDEN.findall(form[0])}


@dataclass
class Case:
    """A form: where it stands, where it is sent, what is typed, and what is written when it is taken."""

    who: Actor
    page: str
    action: str
    typed: dict[str, str]
    written: sa.Select[object]


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


NOTHING_ASKED = {
    f"requirements-{n}-{name}": value
    for n in range(3)
    for name, value in {"type": "", "jurisdiction": "", "level": "4", "max_age_days": "0"}.items()
}
CASES = ("gig", "credential", "entry", "application", "return")


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, session: Session, deal: Deal) -> Case:
    contract, project = deal.contract.public_id, deal.project.public_id
    match request.param:
        case "gig":
            new = f"/projects/{project}/gigs/new"
            typed = {"title": "Rank answers", "description": SAID, **NOTHING_ASKED}
            return Case(deal.client, new, new, typed, sa.select(Gig).filter_by(title="Rank answers"))
        case "credential":
            new = "/credentials/new/us_npi"
            typed = {"identifier": "1234567893", "name_on_register": SAID}
            return Case(deal.expert, new, new, typed, sa.select(Credential))
        case "entry":
            page = f"/work/{contract}"
            typed = {"day": "2026-06-02", "begins": "09:00", "ends": "10:00", "note": SAID}
            typed |= {"task_kind": "rank", "kind": "paid"}
            return Case(deal.expert, page, f"{page}/entries", typed, sa.select(TimeEntry))
        case "application":
            with clock.at(MONDAY):
                gig = a_gig(session, deal.client, deal.project, title="Another").public_id
            written = sa.select(Application).join(Application.gig).where(Gig.public_id == gig)
            return Case(deal.expert, f"/gigs/{gig}", f"/gigs/{gig}/applications", {"note": SAID}, written)
        case _:
            with clock.at(TUESDAY):
                page = (
                    f"/timesheets/{a_submitted_week(session, deal, TUESDAY - timedelta(hours=3)).public_id}"
                )
            typed = {"reason_code": "entry_wrong", "explanation": SAID}
            return Case(
                deal.client, page, f"{page}/return", typed, sa.select(Timesheet).filter_by(state="returned")
            )


def in_at(app: Flask, session: Session, who: Actor) -> Visitor:
    """Somebody who has signed in through the form."""
    return signed_in(Visitor(app.test_client()), email_of(session, who))


def email_of(session: Session, who: Actor) -> str:
    found = session.scalars(sa.select(SignIn).filter_by(person_id=who.id)).first()
    return (found or a_sign_in(session, session.get_one(Person, who.id))).email


def written(session: Session, case: Case) -> int:
    session.expire_all()
    return len(session.scalars(case.written).all())


def opened_and_left(app: Flask, session: Session, case: Case) -> tuple[Visitor, dict[str, str]]:
    """The form is filled in, and lies there until the session has ended."""
    with clock.at(TUESDAY):
        browser = in_at(app, session, case.who)
        return browser, fields_of(browser.get(case.page), case.action) | case.typed


def test_after_signing_in_again_the_form_is_as_it_was_left(app: Flask, session: Session, case: Case) -> None:
    browser, sent = opened_and_left(app, session, case)
    with clock.at(TUESDAY + NIGHT):
        asked = browser.client.post(case.action, data=sent, follow_redirects=True)
        assert "You were signed out, so nothing was saved" in words(asked)
        again = browser._seen(asked)
        came_back = browser.post(
            "/sign-in", email=email_of(session, case.who), password=PASSWORD, **next_of(again)
        )
        assert "What you typed is still here" in words(came_back)
        kept = fields_of(came_back, case.action)
        shown = browser.client.post(case.action, data=kept)
        assert shown.status_code == 422
        assert "Nothing of this is saved yet" in words(shown)
        assert html.escape(SAID, quote=False) in shown.text
        assert written(session, case) == 0
        taken = browser.client.post(case.action, data=fields_of(shown, case.action) | case.typed)
        assert taken.status_code == 303
        assert written(session, case) == 1
        assert "What you typed" not in words(browser.get("/unsent"))


def next_of(answer: TestResponse) -> dict[str, str]:
    return {"next": fields_of(answer, "/sign-in").get("next", "")}


@pytest.mark.parametrize("case", ["entry"], indirect=True)
def test_nobody_else_is_shown_what_was_typed(app: Flask, session: Session, deal: Deal, case: Case) -> None:
    browser, sent = opened_and_left(app, session, case)
    with clock.at(TUESDAY + NIGHT):
        asked = browser._seen(browser.client.post(case.action, data=sent, follow_redirects=True))
        answer = browser.post(
            "/sign-in", email=email_of(session, deal.client), password=PASSWORD, **next_of(asked)
        )
        assert SAID not in html.unescape(answer.text)
        assert "What you typed" not in words(browser.get("/unsent"))
    assert SAID not in str(session.scalars(sa.select(WebSession.data)).all())


@pytest.mark.parametrize("case", ["entry"], indirect=True)
def test_an_old_page_of_an_earlier_session_leads_back_too(app: Flask, session: Session, case: Case) -> None:
    browser, sent = opened_and_left(app, session, case)
    with clock.at(TUESDAY + NIGHT):
        in_another_tab = signed_in(browser, email_of(session, case.who))
        refused = in_another_tab.client.post(case.action, data=sent)
        assert refused.status_code == 400
        shown = browser.client.post(case.action, data=fields_of(refused, case.action))
        assert "Nothing of this is saved yet" in words(shown)
        assert html.escape(SAID, quote=False) in shown.text
    assert written(session, case) == 0


@pytest.mark.parametrize("case", ["entry"], indirect=True)
def test_words_put_into_somebodys_form_are_not_shown_to_them(
    app: Flask, session: Session, deal: Deal, case: Case
) -> None:
    with clock.at(TUESDAY):
        stranger = in_at(app, session, deal.client)
        planted = fields_of(stranger.get(f"/projects/{deal.project.public_id}/gigs/new"), "/projects")
        victim = in_at(app, session, case.who)
        answer = victim.client.post(case.action, data=planted | case.typed)
    assert answer.status_code == 400
    assert SAID not in html.unescape(answer.text)


@pytest.mark.parametrize("case", ["entry"], indirect=True)
def test_what_cannot_be_kept_is_shown_to_be_copied(app: Flask, session: Session, case: Case) -> None:
    browser, sent = opened_and_left(app, session, case)
    with clock.at(TUESDAY + timedelta(days=15)):
        answer = browser.client.post(case.action, data=sent)
    assert answer.status_code == 401
    assert html.escape(SAID, quote=False) in answer.text


def test_a_button_of_an_ended_session_leads_back_to_its_page(
    app: Flask, session: Session, deal: Deal
) -> None:
    page = f"/work/{deal.contract.public_id}"
    with clock.at(TUESDAY):
        browser = in_at(app, session, deal.expert)
        browser.get(page)
        token = browser.token
    with clock.at(TUESDAY + NIGHT):
        asked = browser.client.post(
            "/work/timer/stop", data={"csrf_token": token}, headers={"Referer": f"http://localhost{page}"},
            follow_redirects=True,
        )  # fmt: skip
        assert "nothing was done" in words(asked)
        browser._seen(asked)
        answer = browser.post(
            "/sign-in", email=email_of(session, deal.expert), password=PASSWORD, **next_of(asked)
        )
    assert answer.request.path == page


def test_a_password_is_never_kept(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        browser = in_at(app, session, deal.expert)
        sent = fields_of(browser.get("/security/password"), "/security/password")
    with clock.at(TUESDAY + NIGHT):
        asked = browser.client.post(
            "/security/password", data=sent | {"password": "one two three four five"}, follow_redirects=True
        )
        assert "nothing was done" in words(asked)
        browser._seen(asked)
        signed_in(browser, email_of(session, deal.expert))
        assert "What you typed" not in words(browser.get("/unsent"))
