"""Saved searches, hidden gigs, and who is told of a new gig: everybody whom it suits, once, as they chose."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, jobs, tasks
from marketplace.accounts.grants import give
from marketplace.accounts.models import Organization, Person
from marketplace.actor import SITE, Actor, Role
from marketplace.db import use_case
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.gigs.drafts import edit_gig
from marketplace.gigs.finding import alerts, hiding, lists, saved, telling
from marketplace.gigs.finding.models import (
    AlertBatch,
    AlertSetting,
    Cadence,
    GigAlert,
    HideReason,
    SavedSearch,
)
from marketplace.gigs.finding.search import NEWEST, Search
from marketplace.gigs.models import ExpertProfile, Gig, Project
from marketplace.gigs.projection import push_expert
from marketplace.gigs.publishing import close_gig, pause_gig, publish_gig
from marketplace.gigs.states import TaskKind
from marketplace.mail import OutboxMail
from marketplace.notifications.models import Notification
from tests.factories.accounts import a_person, a_sign_in, an_actor, enter
from tests.factories.gigs import (
    a_client,
    a_draft,
    a_gig,
    a_project,
    an_application,
    an_expert,
    fund,
    licence,
)
from tests.visitor import Visitor, words

# Eight in the morning in New York, on a Wednesday and on the Monday after.
WEDNESDAY = datetime(2026, 11, 25, 13, 5, tzinfo=UTC)
MONDAY = datetime(2026, 11, 30, 13, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def wednesday() -> Iterator[None]:
    tasks.register()
    with clock.at(WEDNESDAY - timedelta(hours=2)):
        yield


@pytest.fixture
def client(session: Session) -> Actor:
    return a_client(session)[0]


@pytest.fixture
def project(session: Session, client: Actor) -> Project:
    organization = session.scalars(sa.select(Organization.public_id)).one()
    made = a_project(session, client, organization)
    fund(session, made.public_id, 1_000_000_00)
    return made


def someone(session: Session, name: str = "Ana Expert", cadence: Cadence | None = None) -> Actor:
    """An expert who can sign in."""
    actor = an_expert(session, name)
    a_sign_in(session, session.get_one(Person, actor.id))
    session.commit()
    if cadence:
        saved.set_cadence(session, actor, cadence)
    return actor


def announced(session: Session, gig: Gig) -> int:
    """How many more are to be told."""
    before = session.scalar(sa.select(sa.func.count()).select_from(GigAlert)) or 0
    alerts.announce(session, gig.id)
    alerts.spread(session)
    return (session.scalar(sa.select(sa.func.count()).select_from(GigAlert)) or 0) - before


def told(session: Session, who: Actor) -> list[str]:
    query = sa.select(Notification.title).filter_by(person_id=who.id, kind=telling.KIND)
    return list(session.scalars(query.order_by(Notification.id)))


def test_publishing_queues_the_looking_and_it_finds_whom_it_suits(
    session: Session, client: Actor, project: Project
) -> None:
    ana, far = someone(session), an_expert(session, "Far Away", domains=("law",))
    gig = a_gig(session, client, project, title="Review chest reports")
    assert jobs.run_due(session) >= 1
    waiting = session.scalars(sa.select(GigAlert)).all()
    assert [(each.person_id, each.gig_id, each.cadence) for each in waiting] == [(ana.id, gig.id, "daily")]
    assert announced(session, gig) == 0
    assert far.id not in {each.person_id for each in waiting}


@pytest.mark.parametrize(
    ("cadence", "at", "expected"),
    [
        (Cadence.AT_ONCE, None, True),
        (Cadence.DAILY, WEDNESDAY, True),
        (Cadence.DAILY, WEDNESDAY + timedelta(hours=1), False),
        (Cadence.WEEKLY, WEDNESDAY, False),
        (Cadence.WEEKLY, MONDAY, True),
        # The morning was missed.
        (Cadence.DAILY, WEDNESDAY + timedelta(hours=30), True),
    ],
)
def test_each_is_told_when_they_chose(
    session: Session, client: Actor, project: Project, cadence: Cadence, at: datetime | None, expected: bool
) -> None:
    ana = someone(session, cadence=cadence)
    announced(session, a_gig(session, client, project, title="Review chest reports"))
    with clock.at(at or clock.now()):
        telling.tell_at_once(session)
        telling.tell_in_the_morning(session)
        telling.tell_at_once(session)
        telling.tell_in_the_morning(session)
    assert told(session, ana) == (["New gig: Review chest reports"] if expected else [])


def test_a_digest_names_the_best_and_mails_a_way_out(
    app: Flask, session: Session, client: Actor, project: Project
) -> None:
    ana = someone(session)
    for n in range(7):
        announced(session, a_gig(session, client, project, title=f"Gig {n}", rate_max=(150 + n) * 100))
    with clock.at(WEDNESDAY):
        assert telling.tell_in_the_morning(session) == 1
    notice = session.scalars(sa.select(Notification).filter_by(person_id=ana.id)).one()
    assert notice.title == "7 new gigs for you"
    assert notice.body.count("match") == 5
    assert notice.body.endswith("And 2 more.")
    mail = session.scalars(sa.select(OutboxMail).order_by(OutboxMail.id.desc())).first()
    assert mail is not None
    assert mail.unsubscribe is not None
    assert mail.unsubscribe in mail.text

    stranger = app.test_client()
    assert "Turn them off" in words(stranger.get(mail.unsubscribe))
    assert session.get(AlertSetting, ana.id) is None
    assert "You get none any more" in words(
        stranger.post(mail.unsubscribe, data={"List-Unsubscribe": "One-Click"})
    )
    assert saved.cadence_of(session, ana.id) is Cadence.NEVER
    announced(session, a_gig(session, client, project, title="Another"))
    assert session.scalar(sa.select(sa.func.count()).where(GigAlert.told_at.is_(None))) == 0


@pytest.mark.parametrize("change", ["", "0", "x"])
def test_nobody_turns_off_the_alerts_of_another(app: Flask, session: Session, change: str) -> None:
    ana, ben = someone(session), someone(session, "Ben Expert")
    mine = telling.token(session.get_one(Person, ana.id).public_id)
    forged = session.get_one(Person, ben.id).public_id.hex + "." + mine.partition(".")[2] + change
    assert app.test_client().post(f"/alerts/off/{forged}").status_code == 404
    assert app.test_client().get(f"/alerts/off/{change or uuid.uuid4()}").status_code == 404
    assert session.get(AlertSetting, ben.id) is None


def test_whoever_cannot_take_it_any_more_is_not_told(
    session: Session, client: Actor, project: Project
) -> None:
    names = ("closed", "hid", "applied", "acts", "stays", "brought in")
    people = {name: someone(session, f"{name} Expert", Cadence.AT_ONCE) for name in names[:-1]}
    people["brought in"] = an_expert(session, "brought Expert")
    saved.set_cadence(session, people["brought in"], Cadence.AT_ONCE)
    gig = a_gig(session, client, project)
    assert announced(session, gig) == 6

    session.get_one(Person, people["closed"].id).closed_at = clock.now()
    session.commit()
    hiding.hide(session, people["hid"], gig.public_id, HideReason.PAY)
    an_application(session, people["applied"], gig)
    acts = session.get_one(Person, people["acts"].id)

    @use_case
    def joins(session: Session) -> None:
        give(session, SITE, acts, Role.CLIENT_ADMIN, project.organization)
        push_expert(session, acts.id)

    joins(session)
    assert telling.tell_at_once(session) == 1
    assert {name for name, who in people.items() if told(session, who)} == {"stays"}
    assert telling.tell_at_once(session) == 0


def test_a_crowd_is_written_down_in_one_row_and_spread_some_at_a_time(
    session: Session, client: Actor, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [someone(session, f"Number{n} Expert", Cadence.AT_ONCE).id for n in range(5)]
    weekly = someone(session, "Wes Weekly", Cadence.WEEKLY).id
    someone(session, "Nell Never", Cadence.NEVER)
    gig = a_gig(session, client, project)
    alerts.announce(session, gig.id)
    batches = {each.cadence: each.people for each in session.scalars(sa.select(AlertBatch))}
    assert batches == {Cadence.AT_ONCE: people, Cadence.WEEKLY: [weekly]}
    monkeypatch.setattr(alerts, "SOME", 2)
    spread = []
    while (some := alerts._spread_some(session)) is not None:
        spread.append(some)
        # Whoever stopped here, or was told meanwhile, loses nothing.
        telling._tell(session, people[0], Cadence.AT_ONCE)
    assert spread == [2, 2, 1, 1]
    assert session.scalars(sa.select(AlertBatch)).all() == []
    assert sorted(session.scalars(sa.select(GigAlert.person_id))) == sorted([*people, weekly])
    assert len(told(session, an_actor(session, session.get_one(Person, people[0])))) == 1
    assert telling.tell_at_once(session) == 4


def test_telling_spreads_what_was_left(session: Session, client: Actor, project: Project) -> None:
    """As after a crash right behind the announcement."""
    ana = someone(session, cadence=Cadence.AT_ONCE)
    gig = a_gig(session, client, project)
    alerts.announce(session, gig.id)
    assert telling.tell_at_once(session) == 1
    assert len(told(session, ana)) == 1


@pytest.mark.parametrize("stop", [pause_gig, close_gig])
def test_a_gig_that_stopped_meanwhile_is_not_told_of(
    session: Session, client: Actor, project: Project, stop: Callable[[Session, Actor, uuid.UUID], Gig]
) -> None:
    ana = someone(session, cadence=Cadence.AT_ONCE)
    gig = a_gig(session, client, project)
    announced(session, gig)
    stop(session, client, gig.public_id)
    assert telling.tell_at_once(session) == 0
    assert told(session, ana) == []
    assert announced(session, gig) == 0


def test_a_gig_that_opens_to_more_tells_only_them(session: Session, client: Actor, project: Project) -> None:
    ana = someone(session, cadence=Cadence.AT_ONCE)
    dear = someone(session, "Dear Expert", Cadence.AT_ONCE)
    gig = a_gig(session, client, project, rate_max=130_00)
    session.get_one(ExpertProfile, dear.id).min_rate = 150_00
    session.commit()
    push_expert(session, dear.id)
    session.commit()
    jobs.run_due(session)
    telling.tell_at_once(session)
    edit_gig(session, client, gig.public_id, a_draft(rate_max=180_00))
    jobs.run_due(session)
    telling.tell_at_once(session)
    assert (len(told(session, ana)), len(told(session, dear))) == (1, 1)


MATCHING = {
    "nothing asked": Search(),
    "group": Search(domain=("medicine",)),
    "rate": Search(rate=200),
    "hours": Search(hours=10),
    "task": Search(task=("rank", "review")),
    "language": Search(language=("en", "de")),
    "words": Search(text="radiolgy reports"),
    "all": Search(text="review", domain=("29-1224",), rate=100, hours=20, task=("review",), language=("en",)),
}
OTHER = {
    "domain": Search(domain=("law", "29-1051")),
    "hours": Search(hours=5),
    "task": Search(task=("rank",)),
    "language": Search(language=("de",)),
    "words": Search(text="contracts"),
}


@pytest.mark.parametrize(
    ("search", "expected"),
    [*((each, True) for each in MATCHING.values()), *((each, False) for each in OTHER.values())],
    ids=[*(f"finds by {name}" for name in MATCHING), *(f"not by another {name}" for name in OTHER)],
)
def test_a_saved_search_finds_what_its_page_would(
    session: Session, client: Actor, project: Project, search: Search, expected: bool
) -> None:
    a_gig(session, client, project, title="Read radiology reports", description="Something else.")
    # Whoever lacks the licence is told too: they asked for it.
    ana = someone(session, cadence=Cadence.NEVER)
    saved.save_search(session, ana, "Mine", search, Cadence.AT_ONCE)
    gig = a_gig(session, client, project, requirements=(licence(),))
    announced(session, gig)
    telling.tell_at_once(session)
    assert bool(told(session, ana)) is expected
    page = lists.find(session, ana.id, search, NEWEST)
    assert (gig.title in [each.gig.title for each in page.rows]) is expected


def test_the_soonest_of_several_searches_tells(session: Session, client: Actor, project: Project) -> None:
    ana = someone(session)
    saved.save_search(session, ana, "Weekly", Search(), Cadence.WEEKLY)
    mine = saved.save_search(session, ana, "Soon", Search(task=("review",)), Cadence.AT_ONCE)
    announced(session, a_gig(session, client, project))
    alert = session.scalars(sa.select(GigAlert)).one()
    assert (alert.cadence, alert.search_id) == (Cadence.AT_ONCE, mine.id)


def test_keeping_searches(session: Session) -> None:
    ana, ben = someone(session), someone(session, "Ben Expert")
    search = Search(text="chest", task=("review",))
    first = saved.save_search(session, ana, " Chest  CT ", search, Cadence.DAILY)
    assert (first.name, saved.search_of(first)) == ("Chest CT", search)
    again = saved.save_search(session, ana, "Chest CT", Search(rate=100), Cadence.WEEKLY)
    assert again.id == first.id
    other = saved.save_search(session, ana, "Other", search, Cadence.NEVER)
    with pytest.raises(Invalid, match="another search of that name"):
        saved.change_search(session, ana, other.public_id, "Chest CT", Cadence.DAILY)
    with pytest.raises(Invalid, match="Give the search a name"):
        saved.save_search(session, ana, "  ", search, Cadence.DAILY)
    for who in (ben, an_actor(session, a_person(session, "Zed Zero"))):
        with pytest.raises(NotFound):
            saved.delete_search(session, who, first.public_id)
        with pytest.raises(NotFound):
            saved.change_search(session, who, first.public_id, "Mine", Cadence.DAILY)
    saved.delete_search(session, ana, first.public_id)
    for n in range(saved.MOST - 1):
        saved.save_search(session, ana, f"Number {n}", search, Cadence.NEVER)
    with pytest.raises(Refused, match="twenty saved searches"):
        saved.save_search(session, ana, "One more", search, Cadence.NEVER)


def test_a_hidden_gig_is_in_no_list_until_it_is_shown_again(
    app: Flask, session: Session, client: Actor, project: Project
) -> None:
    ana = someone(session)
    gig = a_gig(session, client, project, title="Review chest reports")
    other = a_gig(session, client, project, title="Review head reports", task_kind=TaskKind.REVIEW)
    assert [each.gig.id for each in lists.alike(session, ana.id, other)] == [gig.id]
    browser = Visitor(enter(app.test_client(), session, ana))
    browser.get(f"/gigs/{gig.public_id}/hiding")
    assert "You do not see it any more" in words(
        browser.post(f"/gigs/{gig.public_id}/hiding", reason="pay", note="Half of what I ask.")
    )
    for sort in ("match", "rate", "newest"):
        assert "Review chest reports" not in words(browser.get(f"/gigs?sort={sort}"))
    assert lists.alike(session, ana.id, other) == []
    kept = words(browser.get("/gigs/hidden"))
    assert "Review chest reports" in kept
    assert "It pays too little: Half of what I ask." in kept
    browser.post(f"/gigs/{gig.public_id}/showing")
    assert "Review chest reports" in words(browser.get("/gigs"))
    # Whoever hid nothing sees it all along.
    assert "Review chest reports" in words(
        Visitor(enter(app.test_client(), session, someone(session, "Ben Expert"))).get("/gigs")
    )


def test_gigs_like_this(session: Session, client: Actor, project: Project) -> None:
    ana = an_expert(session)
    this = a_gig(session, client, project, title="This")
    for title, changes in {
        "Same": {},
        "Other task": {"task_kind": TaskKind.RANK},
        "Same group": {"domain": "29-1051"},
        "Elsewhere": {"domain": "law"},
        "Too little": {"rate_min": 50_00, "rate_max": 90_00},
    }.items():
        a_gig(session, client, project, title=title, **changes)
    found = [each.gig.title for each in lists.alike(session, ana.id, this)]
    assert found == ["Same", "Other task", "Same group", "Too little"]


def test_saving_a_search_from_its_page(app: Flask, session: Session) -> None:
    ana = someone(session)
    browser = Visitor(enter(app.test_client(), session, ana))
    page = browser.get("/gigs/searches/new?task=review&rate=100")
    assert "at least $100.00 an hour · Review outputs" in words(page)
    answer = browser.post("/gigs/searches/new?task=review&rate=100", name="Mine", cadence="weekly")
    assert "You are told: Each Monday" in words(answer)
    kept = session.scalars(sa.select(SavedSearch)).one()
    assert (kept.query, kept.rate) == ("rate=100&task=review", 100_00)
    assert 'href="/gigs?sort=newest&amp;rate=100&amp;task=review"' in answer.text
    answer = browser.post("/gigs/alerts", cadence="never")
    assert "We tell you as you chose" in words(answer)
    assert saved.cadence_of(session, ana.id) is Cadence.NEVER


def test_publishing_again_tells_nobody_twice(session: Session, client: Actor, project: Project) -> None:
    ana = someone(session, cadence=Cadence.AT_ONCE)
    gig = a_gig(session, client, project)
    announced(session, gig)
    telling.tell_at_once(session)
    pause_gig(session, client, gig.public_id)
    publish_gig(session, client, gig.public_id)
    announced(session, gig)
    telling.tell_at_once(session)
    assert len(told(session, ana)) == 1
