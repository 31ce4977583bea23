"""A client hears of experts who come to fit a gig: once each, without anything personal, and while it may."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, tasks
from marketplace.accounts.models import RoleGrant
from marketplace.actor import Actor
from marketplace.errors import Invalid, NotAllowed, NotFound
from marketplace.gigs import marks, watching
from marketplace.gigs.finding.models import Cadence, ExpertWatch
from marketplace.gigs.models import ExpertProfile, Gig
from marketplace.gigs.narrowing import Wanted
from marketplace.gigs.publishing import pause_gig
from marketplace.gigs.states import Mark
from marketplace.notifications.models import Notification
from tests.factories.accounts import enter
from tests.factories.gigs import a_client, an_expert, an_open_gig
from tests.visitor import Visitor, words

# Eight in the morning in New York, on a Wednesday, the day after, and the Monday after.
WEDNESDAY = datetime(2026, 11, 25, 13, 5, tzinfo=UTC)
THURSDAY, MONDAY = WEDNESDAY + timedelta(days=1), WEDNESDAY + timedelta(days=5)


@pytest.fixture(autouse=True)
def the_evening_before() -> Iterator[None]:
    tasks.register()
    with clock.at(WEDNESDAY - timedelta(hours=16)):
        yield


@pytest.fixture
def opened(session: Session) -> tuple[Actor, Gig]:
    client, gig = an_open_gig(session, headcount=5)
    session.commit()
    return client, gig


def watch(session: Session, opened: tuple[Actor, Gig], wanted: Wanted | None = None) -> ExpertWatch:
    client, gig = opened
    return watching.watch(session, client, gig.public_id, wanted or Wanted(), Cadence.DAILY)


def told(session: Session, at: datetime) -> list[Notification]:
    before = set(session.scalars(sa.select(Notification.id)))
    with clock.at(at):
        watching.tell_watchers(session)
    query = sa.select(Notification).where(Notification.id.not_in(before)).order_by(Notification.id)
    return list(session.scalars(query))


def come(session: Session, name: str, **said: object) -> Actor:
    made = an_expert(session, name, **said)  # type: ignore[arg-type]
    session.commit()
    return made


def test_who_newly_fits_is_told_of_once(session: Session, opened: tuple[Actor, Gig]) -> None:
    come(session, "Known Before")
    watch(session, opened)
    assert told(session, WEDNESDAY) == []
    new = come(session, "Nina Newcomer")
    [notice] = told(session, THURSDAY)
    label = session.get_one(ExpertProfile, new.id).label
    assert notice.title == f"1 more expert fits {opened[1].title}"
    assert f"Expert {label} in United States, match " in notice.body
    assert "Nina" not in notice.title + notice.body
    assert notice.path == f"/gigs/{opened[1].public_id}/experts?sort=newest"
    assert told(session, THURSDAY + timedelta(minutes=30)) == []
    # Within one morning nobody is looked for twice.
    assert session.scalars(sa.select(ExpertWatch.looked_at)).one() == pytest.approx(
        THURSDAY, abs=timedelta(minutes=1)
    )
    assert told(session, THURSDAY + timedelta(days=1)) == []


def test_many_are_told_in_one_notice(session: Session, opened: tuple[Actor, Gig]) -> None:
    watch(session, opened)
    for n in range(7):
        come(session, f"Expert Number{n}")
    [notice] = told(session, WEDNESDAY)
    assert notice.title.startswith("7 more experts fit")
    assert notice.body.splitlines()[-1] == "And 2 more."
    assert len(notice.body.splitlines()) == 6


def test_only_what_is_wanted_and_not_set_aside(session: Session, opened: tuple[Actor, Gig]) -> None:
    client, gig = opened
    watch(session, opened, Wanted(country=("GB",)))
    other = come(session, "Somebody Else")
    assert told(session, WEDNESDAY) == []
    watch(session, opened)
    marks.unmark(session, client, gig.public_id, session.get_one(ExpertProfile, other.id).public_id)
    aside = session.get_one(ExpertProfile, come(session, "Set Aside").id).public_id
    marks.mark(session, client, gig.public_id, aside, Mark.ASIDE, "")
    assert told(session, THURSDAY) == []


def test_weekly_on_monday_only(session: Session, opened: tuple[Actor, Gig]) -> None:
    client, gig = opened
    watching.watch(session, client, gig.public_id, Wanted(), Cadence.WEEKLY)
    come(session, "Nina Newcomer")
    assert told(session, THURSDAY) == []
    assert len(told(session, MONDAY)) == 1


def test_a_morning_that_was_missed_is_made_up_for(session: Session, opened: tuple[Actor, Gig]) -> None:
    watch(session, opened)
    come(session, "Nina Newcomer")
    assert told(session, WEDNESDAY + timedelta(hours=3)) == []
    assert len(told(session, WEDNESDAY + timedelta(hours=12))) == 1


def test_a_paused_gig_tells_nobody_and_loses_nobody(session: Session, opened: tuple[Actor, Gig]) -> None:
    client, gig = opened
    watch(session, opened)
    come(session, "Nina Newcomer")
    pause_gig(session, client, gig.public_id)
    assert told(session, WEDNESDAY) == []
    assert session.scalars(sa.select(ExpertWatch)).one().known == []


def test_who_left_the_company_hears_nothing(session: Session, opened: tuple[Actor, Gig]) -> None:
    watch(session, opened)
    come(session, "Nina Newcomer")
    session.execute(sa.update(RoleGrant).filter_by(person_id=opened[0].id).values(ended_at=clock.now()))
    session.commit()
    assert told(session, WEDNESDAY) == []
    assert session.scalars(sa.select(ExpertWatch)).all() == []


def test_nobody_watches_the_gigs_of_others(session: Session, opened: tuple[Actor, Gig]) -> None:
    other, _organization = a_client(session, "Rival AI")
    ana = come(session, "Ana Expert")
    with pytest.raises(NotFound):
        watching.watch(session, other, opened[1].public_id, Wanted(), Cadence.DAILY)
    with pytest.raises(NotAllowed):
        watching.watch(session, ana, opened[1].public_id, Wanted(), Cadence.DAILY)
    with pytest.raises(NotFound):
        watching.unwatch(session, other, opened[1].public_id)
    with pytest.raises(Invalid):
        watching.watch(session, opened[0], opened[1].public_id, Wanted(), Cadence.AT_ONCE)


def test_in_the_browser(app: Flask, session: Session, opened: tuple[Actor, Gig]) -> None:
    client, gig = opened
    come(session, "Ana Expert")
    carla = Visitor(enter(app.test_client(), session, client))
    page = f"/gigs/{gig.public_id}/experts"
    assert "Hear of others who come to fit" in words(carla.get(f"{page}?country=US"))
    assert "Fill this in." in words(carla.post(f"{page}/watch?country=US"))
    said = words(carla.post(f"{page}/watch?country=US", cadence="weekly"))
    assert "You hear of others who come to fit: Each Monday." in said
    kept = session.scalars(sa.select(ExpertWatch)).one()
    assert (kept.query, len(kept.known)) == ("country=US", 1)
    assert "Hear of others who come to fit" in words(carla.post(f"{page}/unwatch"))
    assert session.scalars(sa.select(ExpertWatch)).all() == []
