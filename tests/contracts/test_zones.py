"""Times of day between people in different zones: whose clock it is stands beside them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, i18n
from marketplace.accounts.models import Person
from marketplace.actor import Actor
from marketplace.contracts.timer import start_timer
from marketplace.errors import Refused
from tests.factories.accounts import enter
from tests.factories.contracts import MONDAY, Deal, a_deal, a_submitted_week, an_entry, an_offer
from tests.factories.gigs import an_expert
from tests.visitor import Visitor, words

# The contract is kept in New York, where it is noon; in Berlin it is six in the evening.
TUESDAY = MONDAY + timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def deal(session: Session) -> Deal:
    """A contract of New York whose client, and whose expert by now, are in Berlin."""
    with clock.at(MONDAY):
        made = a_deal(session)
    for each in (made.client, made.expert):
        session.get_one(Person, each.id).time_zone = "Europe/Berlin"
    session.commit()
    return made


def at_browser(app: Flask, session: Session, actor: Actor) -> Visitor:
    return Visitor(enter(app.test_client(), session, actor))


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("America/New_York", "New York time"),
        ("America/Argentina/Buenos_Aires", "Buenos Aires time"),
        ("UTC", "UTC"),
    ],
)
def test_a_zone_has_a_name(zone: str, name: str) -> None:
    assert i18n.zone_name(zone) == name


def test_the_client_reads_hours_on_the_contracts_clock_and_the_deadline_on_their_own(
    app: Flask, session: Session, deal: Deal
) -> None:
    with clock.at(TUESDAY + 2 * HOUR):
        sheet = a_submitted_week(session, deal, TUESDAY)
        client = at_browser(app, session, deal.client)
        page = words(client.get(f"/timesheets/{sheet.public_id}"))
        waiting = words(client.get("/timesheets/waiting"))
    assert "Entries, on the clock of the contract: New York time" in page
    assert "12:00–13:00" in page
    assert "on the clock of the contract, which is New York time." in page
    assert "counts as approved on Sun 7 Jun 2026, 20:00, Berlin time" in page
    assert "The next deadline first, in Berlin time." in waiting


def test_the_timers_stop_is_on_the_clock_of_its_start(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY):
        start_timer(session, deal.expert, deal.contract.public_id, "review")
        page = words(at_browser(app, session, deal.expert).get(f"/work/{deal.contract.public_id}"))
    assert "Since 12:00 on" in page
    assert "It stops by itself on Tue 2 Jun 2026, 22:00, New York time" in page
    assert "Times of day are New York time." in page


def test_a_refusal_speaks_the_contracts_clock_as_the_form_does(session: Session, deal: Deal) -> None:
    with clock.at(TUESDAY + 2 * HOUR):
        an_entry(session, deal, TUESDAY)
        with i18n.reading(zone="Europe/Berlin"), pytest.raises(Refused) as refusal:
            an_entry(session, deal, TUESDAY)
    assert "Tue 2 Jun 2026, 12:00, New York time" in refusal.value.sentence


def test_an_offers_end_is_named_for_both_sides(app: Flask, session: Session, deal: Deal) -> None:
    with clock.at(MONDAY):
        expert = an_expert(session, "Bea Expert")
        offer = an_offer(session, deal.client, expert, deal.gig)
        path = f"/offers/{offer.public_id}"
        theirs = words(at_browser(app, session, deal.client).get(path))
        mine = words(at_browser(app, session, expert).get(path))
    assert "Mon 8 Jun 2026, 18:00, Berlin time" in theirs
    assert "Mon 8 Jun 2026, 12:00, New York time" in mine
