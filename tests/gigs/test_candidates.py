"""Looking through the experts who fit: counts, choices, marks, and inviting many, each once."""

from __future__ import annotations

import uuid
from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Organization, Person
from marketplace.actor import Actor, Role
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused
from marketplace.gigs import candidates, invitations, marks
from marketplace.gigs.candidates import NEWEST, RATE, look_through
from marketplace.gigs.fit import match_of
from marketplace.gigs.invitations import Sent, invite, invite_many
from marketplace.gigs.masking import masked
from marketplace.gigs.models import ExpertProfile, Gig, Invitation, Project, label_of
from marketplace.gigs.narrowing import Known, Narrowed, Wanted
from marketplace.gigs.profiles import ProfileDraft, save_profile
from marketplace.gigs.projection import push_expert
from marketplace.gigs.publishing import pause_gig
from marketplace.gigs.states import Mark
from marketplace.matching.criteria import explain
from marketplace.money import Money
from tests.factories.accounts import a_person, an_actor, enter
from tests.factories.gigs import (
    RADIOLOGY,
    a_client,
    a_gig,
    a_project,
    an_application,
    an_expert,
    fund,
)
from tests.matching.strategies import DAY
from tests.matching.test_criteria import ANA, GIG
from tests.visitor import Visitor, words

DICE = Random(9)


@pytest.fixture
def client(session: Session) -> Actor:
    return a_client(session)[0]


@pytest.fixture
def gig(session: Session, client: Actor) -> Gig:
    project = a_project(session, client, session.scalars(sa.select(Organization.public_id)).one())
    fund(session, project.public_id, 1_000_000_00)
    return a_gig(session, client, project)


def profile_of(session: Session, who: Actor) -> uuid.UUID:
    return session.get_one(ExpertProfile, who.id).public_id


def says(session: Session, who: Actor, headline: str, *skills: str, about: str = "", rate: int = 120) -> None:
    draft = ProfileDraft(
        headline, (RADIOLOGY,), ("en",), Money(rate * 100, "USD"), 20, about=about, skills=skills
    )
    save_profile(session, who, draft)


def seen(session: Session, gig: Gig, wanted: Wanted, sort: str = "match") -> list[str]:
    return [each.headline for each in look_through(session, gig, wanted, sort).rows]


def test_every_count_is_what_the_choice_would_leave() -> None:
    people = {
        n: Known(
            explain(GIG, ANA, DAY),
            ANA.__class__(
                **{
                    **vars(ANA),
                    "person_id": n,
                    "domains": tuple(DICE.sample(("29-1224", "29-1051", "law"), 2)),
                    "min_rate": DICE.randrange(5_000, 26_000),
                    "currency": DICE.choice(("USD", "EUR")),
                    "country": DICE.choice(("US", "DE")),
                    "languages": tuple(DICE.sample(("en", "de", "fr"), 2)),
                    "hours_per_week": DICE.choice((5, 12, 30)),
                    "credentials": DICE.choice(((), ANA.credentials)),
                }
            ),
            DICE.choice(("kept", "aside", "untouched")),
            invited=DICE.choice((True, False)),
        )
        for n in range(200)
    }
    for _round in range(30):
        wanted = Wanted(
            stage=DICE.choice(((), ("kept",), ("aside", "untouched"), ("invited",))),
            domain=DICE.choice(((), ("medicine",), ("law", "29-1051"))),
            rate=DICE.choice((None, 100, 200)),
            hours=DICE.choice((None, 10)),
            country=DICE.choice(((), ("DE",))),
            language=DICE.choice(((), ("fr",), ("en", "de"))),
            credential=DICE.choice(((), ("us_medical_license",))),
        )
        narrowed = Narrowed(people, wanted, "USD", set(people))
        for facet in narrowed.facets():
            for option in facet.options:
                value = int(option.value) if facet.single else (option.value,)
                alone = Narrowed(people, Wanted(**{**vars(wanted), facet.name: value}), "USD", set(people))
                assert option.count == len(alone.left()), (facet.name, option.value, wanted)


def test_narrowing_down_ordering_and_mistyped_words(session: Session, gig: Gig) -> None:
    for name, headline, rate in (("Ana A", "Chest radiologist", 120), ("Ben B", "Neuro reader", 150)):
        says(session, an_expert(session, name), headline, "triage" if rate == 150 else "CT", rate=rate)
    assert seen(session, gig, Wanted(text="radiolgist")) == ["Chest radiologist"]
    assert seen(session, gig, Wanted(text="triage neuro")) == ["Neuro reader"]
    assert seen(session, gig, Wanted(text="quantum")) == []
    assert seen(session, gig, Wanted(rate=125)) == ["Chest radiologist"]
    assert seen(session, gig, Wanted(), RATE) == ["Chest radiologist", "Neuro reader"]
    assert seen(session, gig, Wanted(), NEWEST) == ["Neuro reader", "Chest radiologist"]
    asked = {"country": ["US", "x1"], "rate": ["125"], "stage": ["kept", "odd"], "text": [" a  b "]}
    assert Wanted.read(asked) == Wanted(text="a b", country=("US",), rate=125, stage=("kept",))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Write to ana.alvarez@mail.example or +1 (212) 555-0100", "Write to … or …"),
        ("Dr Ana Alvarez, 14 years", "Dr … …, 14 years"),
        ("See https://me.example/cv and www.ana.dev or linkedin.com/in/ana", "See … and … or …"),
        ("@drana on every network", "… on every network"),
        ("Read 40 studies a day since 2009-2014", "Read 40 studies a day since 2009-2014"),
        ("Analyst in Anatomy", "Analyst in Anatomy"),
    ],
)
def test_nobody_is_told_who_it_is(said: str, shown: str) -> None:
    assert masked(said, "Ana Alvarez") == shown


def test_the_page_says_nothing_personal(app: Flask, session: Session, client: Actor, gig: Gig) -> None:
    ana = an_expert(session, "Ana Alvarez")
    says(session, ana, "Ana Alvarez, radiologist", about="Call 212 555 0100 or ana@mail.example.")
    page = Visitor(enter(app.test_client(), session, client)).get(f"/gigs/{gig.public_id}/experts")
    assert "… …, radiologist" in words(page)
    for personal in ("Alvarez", "212 555", "@mail", session.get_one(Person, ana.id).email):
        assert personal not in page.text


def test_the_invited_are_listed_and_who_does_not_fit_any_more_is_named_with_the_reason(
    app: Flask, session: Session, client: Actor, gig: Gig
) -> None:
    ana, ben, eve = (an_expert(session, name) for name in ("Ana A", "Ben B", "Eve E"))
    for who, headline in ((ana, "First"), (ben, "Second"), (eve, "Third")):
        says(session, who, headline)
    for who in (ana, ben):
        invite(session, client, gig.public_id, profile_of(session, who), "")
    assert sorted(seen(session, gig, Wanted(stage=("invited",)))) == ["First", "Second"]
    assert candidates.misfits(session, gig) == []
    browser = Visitor(enter(app.test_client(), session, client))
    path = f"/gigs/{gig.public_id}/experts"
    assert "not fitting any more" not in words(browser.get(path))

    says(session, ben, "Second", rate=400)
    says(session, eve, "Third", rate=400)
    assert seen(session, gig, Wanted(stage=("invited",))) == ["First"]
    told = f"Expert {label_of(profile_of(session, ben).hex)} – Rate: Asks for more than the"
    for address in (path, f"{path}?stage=invited"):
        page = words(browser.get(address))
        assert told in page
        assert page.split("not fitting any more")[1].count("Expert ") == 1
        assert "Ben B" not in page
    assert told not in words(browser.get(f"{path}?stage=kept"))
    assert "See whom you invited" in words(browser.get(f"/gigs/{gig.public_id}/overview"))


def test_a_full_gig_makes_nobody_unfit(session: Session, client: Actor, gig: Gig) -> None:
    ana = an_expert(session, "Ana A")
    invite(session, client, gig.public_id, profile_of(session, ana), "")
    session.execute(sa.text("""UPDATE match_gigs SET facts = facts || '{"headcount_left": 0}'"""))
    match = match_of(session, gig, ana.id)
    assert not match.eligible
    assert candidates.misfits(session, gig) == []


def test_marks_are_the_clients_own(app: Flask, session: Session, client: Actor, gig: Gig) -> None:
    ana, ben = an_expert(session, "Ana A"), an_expert(session, "Ben B")
    says(session, ana, "First")
    says(session, ben, "Second")
    browser = Visitor(enter(app.test_client(), session, client))
    browser.get(f"/gigs/{gig.public_id}/experts")
    path = f"/gigs/{gig.public_id}/experts/{profile_of(session, ana)}"
    assert "is kept in mind" in words(browser.post(f"{path}/mark/kept", note="Ask about weekends"))
    assert "Ask about weekends" in words(browser.get(f"/gigs/{gig.public_id}/experts?stage=kept"))
    assert seen(session, gig, Wanted(stage=("kept",))) == ["First"]
    browser.post(f"{path}/mark/aside")
    assert seen(session, gig, Wanted()) == ["Second"]
    assert seen(session, gig, Wanted(stage=("aside",))) == ["First"]
    assert candidates.best(session, gig, Wanted(stage=("aside", "untouched")), 5) == [
        profile_of(session, ben)
    ]
    browser.post(f"{path}/unmarking")
    assert sorted(seen(session, gig, Wanted())) == ["First", "Second"]
    # It changes nothing for them.
    assert invite(session, client, gig.public_id, profile_of(session, ana), "").person_id == ana.id
    rival = a_client(session, "Rival")[0]
    for who in (rival, ana, an_actor(session, a_person(session, "Zed Zero"))):
        with pytest.raises((NotFound, NotAllowed)):
            marks.mark(session, who, gig.public_id, profile_of(session, ben), Mark.KEPT)


def test_many_are_invited_once_each(session: Session, client: Actor, gig: Gig) -> None:
    people = [an_expert(session, f"Expert Number{n}") for n in range(6)]
    invite(session, client, gig.public_id, profile_of(session, people[0]), "")
    an_application(session, people[1], gig)
    session.get_one(Person, people[2].id).closed_at = clock.now()
    session.commit()
    push_expert(session, people[2].id)
    session.commit()
    asked = [profile_of(session, each) for each in people]
    sent = invite_many(session, client, gig.public_id, [*asked, asked[4], uuid.uuid4()], "Please look.")
    assert sent == Sent(invited=3, before=1, applied=1, unfit=2)
    assert invite_many(session, client, gig.public_id, asked, "Again.") == Sent(0, 4, 1, 1)
    rows = session.scalars(sa.select(Invitation).order_by(Invitation.id)).all()
    assert [(each.person_id, each.message) for each in rows[1:]] == [
        (each.id, "Please look.") for each in people[3:]
    ]


def test_inviting_many_is_bounded(
    session: Session, client: Actor, gig: Gig, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [profile_of(session, an_expert(session, f"Expert Number{n}")) for n in range(4)]
    with pytest.raises(Invalid, match="Tick the experts"):
        invite_many(session, client, gig.public_id, [], "")
    monkeypatch.setattr(invitations, "MOST_AT_ONCE", 3)
    with pytest.raises(Refused, match="at most 3 experts at a time"):
        invite_many(session, client, gig.public_id, people, "")
    monkeypatch.setattr(invitations, "MOST_A_DAY", 2)
    with pytest.raises(Refused, match="0 experts within a day, of at most 2"):
        invite_many(session, client, gig.public_id, people[:3], "")
    assert session.scalar(sa.select(sa.func.count()).select_from(Invitation)) == 0
    invite_many(session, client, gig.public_id, people[:2], "")
    with pytest.raises(Refused, match="2 experts within a day"):
        invite(session, client, gig.public_id, people[3], "")
    with clock.at(clock.now() + timedelta(days=1, minutes=1)):
        assert invite_many(session, client, gig.public_id, people[2:], "").invited == 2
    pause_gig(session, client, gig.public_id)
    with pytest.raises(Refused, match="Publish the gig"):
        invite_many(session, client, gig.public_id, people, "")


def test_inviting_the_best_from_the_page(app: Flask, session: Session, client: Actor, gig: Gig) -> None:
    for n in range(25):
        an_expert(session, f"Expert Number{n}", min_rate=(100 + n) * 100)
    browser = Visitor(enter(app.test_client(), session, client))
    experts = f"/gigs/{gig.public_id}/experts"
    browser.get(experts)
    ranked = candidates.best(session, gig, Wanted(rate=125), 22)
    answer = browser.post(
        f"/gigs/{gig.public_id}/invitations?rate=125", message="Look.", best="22", which="best"
    )
    assert "22 experts are invited." in words(answer)
    invited = session.scalars(
        sa.select(ExpertProfile.public_id)
        .join(Invitation, Invitation.person_id == ExpertProfile.person_id)
        .order_by(Invitation.id)
    ).all()
    assert invited == ranked
    again = browser.post(
        f"/gigs/{gig.public_id}/invitations?rate=125", message="Look.", best="22", which="best"
    )
    assert "3 experts are invited." in words(again)
    unsaid = browser.post(f"/gigs/{gig.public_id}/invitations", which="best")
    assert "Say how many of the best you want to invite." in words(unsaid)
    nobody = browser.post(f"/gigs/{gig.public_id}/invitations", message="Look again.")
    assert "Tick the experts whom you want to invite." in words(nobody)
    assert "Look again." in nobody.text


def test_who_acts_for_the_client_is_not_invited(session: Session, client: Actor, gig: Gig) -> None:
    project = session.get_one(Project, gig.project_id)
    both = a_person(session, "Bo Both", Role.EXPERT, Role.CLIENT_ADMIN, organization=project.organization)
    actor = an_actor(session, both)
    says(session, actor, "Both")
    assert "Both" not in seen(session, gig, Wanted())
    with pytest.raises(Refused, match="cannot take the gig any more"):
        invite(session, client, gig.public_id, profile_of(session, actor), "")
