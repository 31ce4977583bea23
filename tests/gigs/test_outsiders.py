"""Somebody who is not here yet is asked by mail, sees the gig, and finds the invitation when they come."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts.models import Person, SignIn
from marketplace.actor import Actor, Role
from marketplace.errors import Invalid, NotAllowed, NotFound, Refused, TooMany
from marketplace.gigs import outsiders
from marketplace.gigs.funnel import funnel
from marketplace.gigs.models import Gig, Invitation, OutsideInvitation
from marketplace.gigs.publishing import pause_gig
from marketplace.mail import OutboxMail
from tests.factories.accounts import a_person, a_sign_in, an_actor, enter
from tests.factories.gigs import a_client, a_gig, a_project, an_expert, an_open_gig, fund, knows
from tests.visitor import Visitor, words

EVE = "eve@example.org"


@dataclass(frozen=True)
class Scene:
    client: Actor
    gig: Gig


@pytest.fixture
def scene(app: Flask, session: Session) -> Scene:
    client, gig = an_open_gig(session)
    session.commit()
    return Scene(client, gig)


def asked(session: Session, scene: Scene, email: str = EVE) -> str:
    """Ask, and the token from the mail."""
    outsiders.ask(session, scene.client, scene.gig.public_id, email, "Your paper on nodules is fine work.")
    query = sa.select(OutboxMail.text).filter_by(to_address=email).order_by(OutboxMail.id.desc())
    text = session.scalars(query).first() or ""
    assert "Your paper on nodules is fine work." in text
    found = re.search(r"/invited/(\S+)", text)
    assert found is not None
    return found[1]


def mails(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(OutboxMail).filter_by(to_address=EVE)) or 0


def invited(session: Session, person: Actor) -> list[int]:
    return list(session.scalars(sa.select(Invitation.gig_id).filter_by(person_id=person.id)))


def test_one_mail_for_each_gig(session: Session, scene: Scene) -> None:
    asked(session, scene)
    outsiders.ask(session, scene.client, scene.gig.public_id, "EVE@example.org ", "")
    assert mails(session) == 1


def test_the_link_is_kept_only_as_a_hash(session: Session, scene: Scene) -> None:
    token = asked(session, scene)
    kept = session.scalars(sa.select(OutsideInvitation)).one()
    assert token.encode() not in kept.token_hash
    assert outsiders.find_asked(session, token).id == kept.id


def test_the_invitation_waits_for_whoever_comes_with_the_address(session: Session, scene: Scene) -> None:
    asked(session, scene)
    other = an_expert(session, "Ola Other")
    person = a_person(session, "Eve Elsewhere", Role.EXPERT)
    sign_in = a_sign_in(session, person)
    sign_in.email, sign_in.email_verified_at = EVE, None
    session.commit()
    outsiders.arrive(session, person.id)
    assert session.scalars(sa.select(Invitation)).all() == []
    session.get_one(SignIn, sign_in.id).email_verified_at = clock.now()
    session.commit()
    outsiders.arrive(session, person.id)
    outsiders.arrive(session, person.id)
    session.commit()
    assert invited(session, an_actor(session, person)) == [scene.gig.id]
    assert invited(session, other) == []
    assert funnel(session, scene.gig).stages[0].told == "1 asked by mail, 1 came"


def test_writing_a_profile_is_coming(session: Session, scene: Scene) -> None:
    asked(session, scene)
    eve = an_expert(session, "Eve Elsewhere")
    sign_in = a_sign_in(session, session.get_one(Person, eve.id))
    sign_in.email = EVE
    session.commit()
    knows(session, eve)
    assert invited(session, eve) == [scene.gig.id]


def test_whoever_holds_the_link_takes_it_once(session: Session, scene: Scene) -> None:
    token = asked(session, scene)
    eve, other = an_expert(session, "Eve Elsewhere"), an_expert(session, "Ola Other")
    for _click in range(2):
        assert outsiders.take(session, eve, token).id == scene.gig.id
    assert invited(session, eve) == [scene.gig.id]
    with pytest.raises(Refused, match="Somebody took this invitation"):
        outsiders.take(session, other, token)
    with pytest.raises(NotAllowed):
        outsiders.take(session, scene.client, token)


def test_who_wants_no_mail_gets_none_of_anybody(session: Session, scene: Scene) -> None:
    token = asked(session, scene)
    outsiders.refuse(session, token)
    assert session.scalars(sa.select(OutsideInvitation)).all() == []
    with pytest.raises(Refused, match="wants no invitations by mail"):
        outsiders.ask(session, scene.client, scene.gig.public_id, EVE, "")
    rival, organization = a_client(session, "Rival Labs")
    project = a_project(session, rival, organization)
    fund(session, project.public_id, 50_000_00)
    another = a_gig(session, rival, project)
    with pytest.raises(Refused, match="wants no invitations by mail"):
        outsiders.ask(session, rival, another.public_id, EVE, "")
    assert mails(session) == 1


def test_a_link_runs_out_and_the_address_is_forgotten(
    session: Session, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = asked(session, scene)
    later = clock.now() + outsiders.LASTS + timedelta(minutes=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(Refused, match="run out"):
        outsiders.find_asked(session, token)
    outsiders.forget_outsiders(session)
    assert session.scalars(sa.select(OutsideInvitation)).all() == []


def test_what_cannot_be_asked(session: Session, scene: Scene) -> None:
    with pytest.raises(Invalid):
        outsiders.ask(session, scene.client, scene.gig.public_id, "no address", "")
    rival, _organization = a_client(session, "Rival Labs")
    with pytest.raises(NotFound):
        outsiders.ask(session, rival, scene.gig.public_id, EVE, "")
    token = asked(session, scene, "another@example.org")
    pause_gig(session, scene.client, scene.gig.public_id)
    with pytest.raises(Refused, match="takes no applications"):
        outsiders.take(session, an_expert(session), token)
    with pytest.raises(Refused, match="Publish the gig"):
        outsiders.ask(session, scene.client, scene.gig.public_id, EVE, "")


def test_nobody_fills_the_world_with_mail(session: Session, scene: Scene) -> None:
    for n in range(50):
        outsiders.ask(session, scene.client, scene.gig.public_id, f"expert{n}@example.org", "")
    with pytest.raises(TooMany):
        outsiders.ask(session, scene.client, scene.gig.public_id, EVE, "")


def test_on_the_pages(app: Flask, session: Session, scene: Scene) -> None:
    carla = Visitor(enter(app.test_client(), session, scene.client))
    path = f"/gigs/{scene.gig.public_id}/outsiders"
    assert "Nobody was asked by mail yet" in words(carla.get(path))
    assert carla.post(path, email="nobody", message="").status_code == 422
    done = words(carla.post(path, email=EVE, message="Come and see."))
    assert f"The invitation is on its way to {EVE}." in done
    assert "Waits until" in done
    token = asked(session, scene, "another@example.org")
    stranger = Visitor(app.test_client())
    seen = words(stranger.get(f"/invited/{token}"))
    assert "Review radiology reports" in seen
    assert "$100.00" in seen
    assert "Sign up as an expert" in seen
    assert "run out" in words(stranger.get("/invited/nonsense"))
    eve = Visitor(enter(app.test_client(), session, an_expert(session, "Eve Elsewhere")))
    assert "See how it suits you" in words(eve.get(f"/invited/{token}"))
    assert "Review radiology reports" in words(eve.post(f"/invited/{token}/take"))
    assert "Came" in words(carla.get(path))
    third = asked(session, scene, "third@example.org")
    assert "You get none any more" in words(stranger.post(f"/invited/{third}/refusal"))
