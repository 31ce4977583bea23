"""Guidelines: every version stays, goes to every contract, and is read as paid time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.contracts import guidelines
from marketplace.contracts.models import TimeEntry
from marketplace.contracts.states import TimeKind
from marketplace.contracts.timer import running, start_timer
from marketplace.errors import NotAllowed, NotFound, Refused
from marketplace.gigs.drafts import edit_gig
from marketplace.gigs.guidelines import Became, Part, compared
from marketplace.gigs.models import Guidelines
from marketplace.notifications.models import Notification
from tests.factories.accounts import a_person, an_actor
from tests.factories.contracts import MONDAY, Deal, a_deal, an_offer, sign
from tests.factories.gigs import a_draft, a_gig, an_expert

HOUR = timedelta(hours=1)
SECOND = "Mark every finding.\n\nSay how sure you are."


@pytest.fixture
def deal(session: Session) -> Deal:
    with clock.at(MONDAY):
        return a_deal(session)


def say(session: Session, deal: Deal, text: str) -> None:
    edit_gig(session, deal.client, deal.gig.public_id, replace(a_draft(), guidelines=text))


def unread(session: Session, deal: Deal) -> int | None:
    found = guidelines.unread(session, [deal.contract]).get(deal.contract.id)
    return found.version if found else None


def test_reading_is_paid_work(session: Session, deal: Deal) -> None:
    contract = deal.contract.public_id
    with clock.at(MONDAY + HOUR):
        assert unread(session, deal) == 1
        guidelines.begin_reading(session, deal.expert, contract)
        # A second click starts nothing.
        guidelines.begin_reading(session, deal.expert, contract)
    with clock.at(MONDAY + HOUR + timedelta(minutes=25)):
        guidelines.finish_reading(session, deal.expert, contract, 1)
        guidelines.finish_reading(session, deal.expert, contract, 1)
    assert running(session, deal.expert.id) is None
    assert unread(session, deal) is None
    entry = session.scalars(sa.select(TimeEntry)).one()
    assert (entry.kind, entry.minutes, entry.note) == (
        TimeKind.PAID, 25, "Reading the guidelines, version 1",
    )  # fmt: skip


def test_a_timer_that_runs_for_the_work_goes_on(session: Session, deal: Deal) -> None:
    contract = deal.contract.public_id
    with clock.at(MONDAY + HOUR):
        start_timer(session, deal.expert, contract, "review")
        guidelines.begin_reading(session, deal.expert, contract)
        guidelines.finish_reading(session, deal.expert, contract, 1)
    assert running(session, deal.expert.id) is not None
    assert session.scalar(sa.select(sa.func.count()).select_from(TimeEntry)) == 1


def test_but_not_one_for_somebody_else(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + HOUR):
        other = a_gig(session, deal.client, deal.project, title="Another gig")
        second = sign(session, deal.expert, an_offer(session, deal.client, deal.expert, other))
        start_timer(session, deal.expert, deal.contract.public_id, "review")
        with pytest.raises(Refused, match="Stop it first"):
            guidelines.begin_reading(session, deal.expert, second.public_id)


def test_a_new_version_goes_to_everybody_who_works_and_shows_what_is_new(
    session: Session, deal: Deal
) -> None:
    contract = deal.contract.public_id
    with clock.at(MONDAY + HOUR):
        guidelines.begin_reading(session, deal.expert, contract)
        guidelines.finish_reading(session, deal.expert, contract, 1)
        say(session, deal, SECOND)
        say(session, deal, SECOND)
    kept = session.scalars(sa.select(Guidelines).order_by(Guidelines.version)).all()
    assert [(each.version, each.text, each.written_by) for each in kept] == [
        (1, "Mark every finding.", deal.client.id), (2, SECOND, deal.client.id),
    ]  # fmt: skip
    told = session.scalars(sa.select(Notification).filter_by(kind="guidelines.changed")).one()
    assert (told.person_id, told.title) == (deal.expert.id, "New guidelines, version 2")
    reading = guidelines.of_contract(session, deal.contract)
    assert (reading.since, unread(session, deal)) == (1, 2)
    assert reading.parts == [
        Part(Became.SAME, "Mark every finding."), Part(Became.NEW, "Say how sure you are."),
    ]  # fmt: skip


def test_what_was_not_read_cannot_be_said_to_be(session: Session, deal: Deal) -> None:
    contract = deal.contract.public_id
    with clock.at(MONDAY + HOUR):
        with pytest.raises(Refused, match="Start reading first"):
            guidelines.finish_reading(session, deal.expert, contract, 1)
        guidelines.begin_reading(session, deal.expert, contract)
        say(session, deal, SECOND)
        with pytest.raises(Refused, match="changed meanwhile"):
            guidelines.finish_reading(session, deal.expert, contract, 1)
        with pytest.raises(NotAllowed):
            guidelines.begin_reading(session, deal.client, contract)
        with pytest.raises(NotFound):
            guidelines.begin_reading(session, an_actor(session, a_person(session, "Zed Zero")), contract)


def test_a_draft_has_no_versions_and_a_gig_may_have_none(session: Session, deal: Deal) -> None:
    with clock.at(MONDAY + HOUR):
        other = a_gig(session, deal.client, deal.project, title="Without", guidelines="")
        ben = an_expert(session, "Ben Expert")
        bare = sign(session, ben, an_offer(session, deal.client, ben, other))
    assert guidelines.unread(session, [bare]) == {}
    with pytest.raises(NotFound, match="no guidelines"):
        guidelines.of_contract(session, bare)


def test_no_version_is_ever_changed(session: Session, deal: Deal) -> None:
    with pytest.raises(DBAPIError, match=r"append-only|permission denied"), session.begin_nested():
        session.execute(sa.update(Guidelines).values(text="Something else"))


def test_comparing_tells_what_became_of_each_paragraph() -> None:
    assert compared("", "") == []
    assert compared("One\n\nTwo", "One\n\nThree") == [
        Part(Became.SAME, "One"), Part(Became.GONE, "Two"), Part(Became.NEW, "Three"),
    ]  # fmt: skip
    assert compared("One", "") == [Part(Became.GONE, "One")]
