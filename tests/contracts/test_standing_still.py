"""What stands still is named on both sides: a credential that lapsed, a returned week nobody corrects."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor, Role
from marketplace.contracts import notices
from marketplace.contracts.models import Timesheet
from marketplace.contracts.timesheets import return_timesheet, submit_timesheet
from marketplace.credentials.tasks import expire
from marketplace.notifications.models import Notification
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week
from tests.factories.credentials import a_verified_credential, in_days
from tests.factories.gigs import a_client, an_expert, licence
from tests.visitor import Visitor, words

LATER = MONDAY + timedelta(days=3)
LACKS = "the last check counted until Wed 3 Jun 2026"


def at_browser(app: Flask, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, actor))


def told(session: Session, actor: Actor, kind: str) -> list[str]:
    query = sa.select(Notification.title).filter_by(person_id=actor.id, kind=kind)
    return list(session.scalars(query))


@pytest.fixture
def lapsing(session: Session) -> Deal:
    """A contract whose expert's licence ends two days later."""
    rev = an_actor(session, a_person(session, "Rev Reviewer", Role.REVIEWER))
    with clock.at(MONDAY):
        expert = an_expert(session)
        a_verified_credential(session, expert, rev, expires_on=in_days(1))
        return a_deal(session, expert=expert, requirements=(licence(),))


@pytest.fixture
def returned(session: Session) -> Timesheet:
    with clock.at(MONDAY):
        deal = a_deal(session)
    with clock.at(MONDAY + timedelta(hours=4)):
        sheet = a_submitted_week(session, deal, MONDAY)
        said = "You worked on Tuesday, not on Monday."
        return return_timesheet(session, deal.client, sheet.public_id, sheet.version, "entry_wrong", said)


def test_a_client_reads_of_a_lapsed_credential_wherever_it_matters(
    app: Flask, session: Session, lapsing: Deal
) -> None:
    contract, project = (
        f"/contracts/{lapsing.contract.public_id}",
        f"/projects/{lapsing.project.public_id}",
    )
    with clock.at(MONDAY):
        before = [words(at_browser(app, session, lapsing.client).get(path)) for path in (contract, project)]
        assert not any("paid time" in page for page in before)
    with clock.at(LATER):
        for who in (lapsing.client, lapsing.approver):
            browser = at_browser(app, session, who)
            for path in (contract, project):
                page = words(browser.get(path))
                assert LACKS in page
                assert "Time worked before is submitted and paid as always" in page
            assert "No paid time now: a credential does not count." in words(browser.get("/contracts"))
            assert "On a contract no paid time can be entered now" in words(browser.get("/"))
        rival, _organization = a_client(session, "Rival AI")
        assert "no paid time" not in words(at_browser(app, session, rival).get("/"))


def test_a_client_is_told_once_that_a_credential_lapsed(session: Session, lapsing: Deal) -> None:
    with clock.at(LATER):
        expire(session)
        once = ["Ana Expert cannot enter paid time now"]
        assert told(session, lapsing.client, notices.LAPSED) == once
        notices.tell_of_lapse(session, lapsing.expert.id)
    assert told(session, lapsing.client, notices.LAPSED) == once
    assert told(session, lapsing.approver, notices.LAPSED) == once
    assert told(session, lapsing.expert, notices.LAPSED) == []


def test_a_returned_week_stands_on_both_first_pages(
    app: Flask, session: Session, returned: Timesheet
) -> None:
    contract = returned.contract
    expert = an_actor(session, contract.person)
    dev = an_actor(
        session, a_person(session, "Dee Approver", Role.CLIENT_APPROVER, organization=contract.organization)
    )
    rival, _organization = a_client(session, "Rival AI")
    with clock.at(LATER):
        assert "returned to you on Mon 1 Jun 2026" in words(at_browser(app, session, expert).get("/"))
        page = words(at_browser(app, session, dev).get("/"))
        assert "returned on Mon 1 Jun 2026" in page
        assert "its money stays reserved" in page
        assert "returned" not in words(at_browser(app, session, rival).get("/"))
        sheet = words(at_browser(app, session, dev).get(f"/timesheets/{returned.public_id}"))
        assert "Its money stays reserved" in sheet


def test_an_expert_is_reminded_of_a_returned_week_until_it_is_answered(
    session: Session, returned: Timesheet
) -> None:
    expert = an_actor(session, returned.contract.person)
    day = timedelta(days=1)
    with clock.at(MONDAY + 2 * day):
        assert notices.remind_returned(session) == 0
    with clock.at(MONDAY + 4 * day):
        assert notices.remind_returned(session) == 1
        assert notices.remind_returned(session) == 0
    with clock.at(MONDAY + 8 * day):
        assert notices.remind_returned(session) == 1
        session.refresh(returned)
        submit_timesheet(session, expert, returned.public_id, returned.version)
    with clock.at(MONDAY + 20 * day):
        assert notices.remind_returned(session) == 0
    assert len(told(session, expert, notices.UNANSWERED)) == 2
