"""The calendar of weeks and pay: at a secret address, for programs without a cookie, until it is ended."""

from __future__ import annotations

import re
from datetime import UTC, date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from icalendar import Calendar, Event
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import RoleGrant, SignIn
from marketplace.db import Base
from marketplace.payments import payouts, sending
from marketplace.payments.feeds import addresses, events
from marketplace.payments.gateway import Gateway
from tests.demo.stripe_server.harness import Handle
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week, person_of
from tests.factories.payments import a_paid_deal, a_released_batch, an_approved_week
from tests.visitor import Visitor, words

FRIDAY = MONDAY + timedelta(days=4)
LATER = MONDAY + timedelta(hours=2)


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def read(session: Session, deal: Deal) -> dict[str, Event]:
    """The events by the first word of their uid; of several weeks the earliest."""
    file = Calendar.from_ical(events.calendar(session, person_of(session, deal.expert)))
    found: dict[str, Event] = {}
    for event in file.walk("VEVENT"):
        found.setdefault(str(event["uid"]).partition("-")[0], event)
    return found


def test_weeks_with_hours_and_until_when_to_hand_them_in(session: Session, deal: Deal) -> None:
    with clock.at(LATER):
        found = read(session, deal)
    client = deal.contract.organization.name
    assert str(found["week"]["summary"]) == f"10 h 00 min reserved: {deal.gig.title}, {client}"
    assert (found["week"].start, found["week"].end) == (date(2026, 6, 1), date(2026, 6, 8))
    # Two days after midnight in New York, as one who works elsewhere sees it.
    assert found["submit"].end.astimezone(UTC).isoformat() == "2026-06-10T04:00:00+00:00"
    assert "pay" not in found
    assert deal.contract.signed_at.replace(microsecond=0) == found["week"].DTSTAMP


def test_what_was_handed_in_has_a_day_of_pay_and_no_deadline(session: Session, deal: Deal) -> None:
    with clock.at(LATER):
        a_submitted_week(session, deal, MONDAY)
        file = events.calendar(session, person_of(session, deal.expert)).decode()
        assert "About $150.00 expected" in re.sub(r"\r\n ", "", file)
        assert file.count("UID:week-") == 2
        assert file.count("UID:submit-") == 1


def test_a_deposit_takes_the_place_of_the_promise(session: Session, gateway: Gateway, stripe: Handle) -> None:
    with clock.at(MONDAY):
        deal = a_paid_deal(session, gateway)
    an_approved_week(session, deal, MONDAY)
    with clock.at(FRIDAY):
        batch = a_released_batch(session)
        sending.send_batch(session, gateway, batch.public_id)
        assert "pay" in read(session, deal)
    stripe.settle()
    with clock.at(FRIDAY + timedelta(days=5)):
        payouts.track_payouts(session, gateway)
        found = read(session, deal)
    assert "pay" not in found
    assert str(found["deposit"]["summary"]) == "$150.00 in your bank"


def test_the_same_data_is_the_same_file_and_another_uid_is_never_made(session: Session, deal: Deal) -> None:
    with clock.at(LATER):
        person = person_of(session, deal.expert)
        first = events.calendar(session, person)
    with clock.at(LATER + timedelta(hours=5)):
        assert events.calendar(session, person) == first
    assert first.startswith(b"BEGIN:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in first.split(b"\r\n"))


def made(session: Session, app: Flask, deal: Deal) -> str:
    """The path of a new address, as the page says it."""
    visitor = Visitor(enter(app.test_client(), session, deal.expert))
    assert "nobody can read your calendar" in words(visitor.get("/pay/calendar"))
    found = re.search(r"/calendar/[\w-]+\.ics", visitor.post("/pay/calendar").text)
    assert found is not None
    assert found.group() not in visitor.get("/pay/calendar").text
    return found.group()


def test_a_program_reads_it_without_a_cookie_and_asks_again_for_nothing(
    session: Session, app: Flask, deal: Deal
) -> None:
    with clock.at(LATER):
        path = made(session, app, deal)
        program = app.test_client()
        answer = program.get(path)
        assert (answer.status_code, answer.content_type) == (200, "text/calendar; charset=utf-8")
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        again = program.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")


def test_renewed_and_ended_addresses_open_nothing(session: Session, app: Flask, deal: Deal) -> None:
    with clock.at(LATER):
        path, program = made(session, app, deal), app.test_client()
        token = addresses.new_address(session, deal.expert)
        assert program.get(path).status_code == 404
        assert program.get(f"/calendar/{token}.ics").status_code == 200
        visitor = Visitor(enter(app.test_client(), session, deal.expert))
        visitor.get("/pay/calendar")
        assert "The address is ended" in words(visitor.post("/pay/calendar/end"))
        assert program.get(f"/calendar/{token}.ics").status_code == 404


@pytest.mark.parametrize(("kind", "end"), [(RoleGrant, "ended_at"), (SignIn, "disabled_at")])
def test_who_is_no_expert_any_more_or_cannot_sign_in_has_no_calendar(
    session: Session, app: Flask, deal: Deal, kind: type[Base], end: str
) -> None:
    with clock.at(LATER):
        path, program = made(session, app, deal), app.test_client()
        assert program.get(path).status_code == 200
        for each in session.scalars(sa.select(kind).filter_by(person_id=deal.expert.id)):
            setattr(each, end, LATER)
        session.commit()
        assert program.get(path).status_code == 404


def test_who_guesses_or_asks_too_often_is_stopped(session: Session, app: Flask, deal: Deal) -> None:
    with clock.at(LATER):
        path, program = made(session, app, deal), app.test_client()
        assert [program.get(path).status_code for _n in range(addresses.READS.most)] == [200] * 60
        assert program.get(path).status_code == 429
        guesses = [program.get(f"/calendar/guess{n}.ics").status_code for n in range(21)]
        assert guesses == [404] * 20 + [429]


def test_nobody_else_is_named(session: Session, deal: Deal) -> None:
    with clock.at(LATER):
        a_submitted_week(session, deal, MONDAY)
        file = events.calendar(session, person_of(session, deal.expert)).decode()
    for name in (deal.client.name, deal.approver.name, deal.expert.name):
        assert name not in file
