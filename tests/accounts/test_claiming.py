"""Whoever was brought in from a file takes over by a mailed link, and nobody becomes two."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.accounts import bulk, claiming, invitations
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import EmailLink, Person, SignIn
from marketplace.accounts.registering import register
from marketplace.accounts.signing_in import check_password, request_reset
from marketplace.actor import SITE, Role
from marketplace.errors import DomainError, Invalid, NotAllowed, NotFound, Refused
from marketplace.mail import OutboxMail
from tests.factories.accounts import PASSWORD, a_person, a_sign_in, an_actor, enter
from tests.factories.gigs import a_client
from tests.visitor import Visitor, words

EMAIL = "ana@people.example"


@pytest.fixture
def ana(session: Session) -> Person:
    row = bulk.checked("Ana Alvarez", EMAIL, "US", "America/New_York")
    [ana] = bulk.bring_in(session, SITE, [row], Role.EXPERT)
    session.commit()
    return session.get_one(Person, ana)


def mails(session: Session) -> list[str]:
    query = sa.select(OutboxMail.text).filter_by(to_address=EMAIL).order_by(OutboxMail.id)
    return list(session.scalars(query))


def token(session: Session) -> str:
    found: str = re.findall(r"/claim/(\S+)", mails(session)[-1])[0]
    return found


def opened(session: Session, secret: str) -> bool:
    try:
        claiming.find_claim(session, secret)
    except DomainError:
        return False
    return True


def test_whoever_reads_the_mail_takes_over(session: Session, ana: Person) -> None:
    assert claiming.mail_some(session, SITE) == 1
    assert claiming.mail_some(session, SITE) == 0
    secret = token(session)
    sign_in = claiming.claim(session, secret, PASSWORD)
    assert sign_in.person_id == ana.id
    assert check_password(session, EMAIL, PASSWORD).id == sign_in.id
    assert actor_for(session, ana.id).has(Role.EXPERT)
    with pytest.raises(Refused):
        claiming.claim(session, secret, PASSWORD)


def test_who_registers_with_the_address_is_not_a_second_person(session: Session, ana: Person) -> None:
    asked = {"wants": "expert", "country": "DE", "time_zone": "Europe/Berlin"}
    assert register(session, "Somebody Else", EMAIL, PASSWORD, **asked) is None
    assert session.scalars(sa.select(Person.id).filter_by(email=EMAIL)).all() == [ana.id]
    claiming.claim(session, token(session), PASSWORD)
    assert ana.full_name == "Ana Alvarez"
    assert register(session, "Somebody Else", EMAIL, PASSWORD, **asked) is None
    assert "/claim/" not in mails(session)[-1]


def test_a_forgotten_password_that_there_never_was(session: Session, ana: Person) -> None:
    request_reset(session, EMAIL)
    jobs.run_due(session)
    first = token(session)
    request_reset(session, EMAIL)
    jobs.run_due(session)
    assert not opened(session, first)
    assert opened(session, token(session))


def test_a_link_runs_out(session: Session, ana: Person) -> None:
    claiming.mail_some(session, SITE)
    session.execute(sa.update(EmailLink).values(expires_at=clock.now() - timedelta(seconds=1)))
    session.commit()
    with pytest.raises(Refused):
        claiming.claim(session, token(session), PASSWORD)


def test_a_weak_password_uses_nothing_up(session: Session, ana: Person) -> None:
    claiming.mail_some(session, SITE)
    with pytest.raises(Invalid):
        claiming.claim(session, token(session), "short")
    assert opened(session, token(session))
    assert not session.scalars(sa.select(SignIn).filter_by(person_id=ana.id)).all()


def test_nobody_gets_a_link_who_has_a_sign_in_or_is_closed(session: Session, ana: Person) -> None:
    opa = an_actor(session, a_person(session, "Opa Okafor", Role.OPERATOR))
    other = a_person(session, "Ben Baker", Role.EXPERT)
    a_sign_in(session, other)
    ana.closed_at = clock.now()
    session.commit()
    for person in (other, ana):
        with pytest.raises(NotFound):
            claiming.mail_claim(session, opa, person.public_id)
    with pytest.raises(NotAllowed):
        claiming.mail_claim(session, an_actor(session, other), ana.public_id)


def test_an_operator_mails_it_and_the_expert_is_in(app: Flask, session: Session, ana: Person) -> None:
    opa = Visitor(
        enter(app.test_client(), session, an_actor(session, a_person(session, "Opa", Role.OPERATOR)))
    )
    assert "They cannot sign in." in words(opa.get(f"/people/{ana.public_id}"))
    said = words(opa.post(f"/people/{ana.public_id}/claim"))
    assert f"The link is on its way to {EMAIL}." in said
    mine = Visitor(app.test_client())
    path = f"/claim/{token(session)}"
    assert "Welcome, Ana Alvarez" in words(mine.get(path))
    assert "at least 12" in words(mine.post(path, password="short")).lower()
    assert "It is yours now." in words(mine.post(path, password=PASSWORD))
    assert "used already" in words(mine.get(path))


def test_a_colleague_who_was_brought_in_as_an_expert_is_still_one_person(
    session: Session, ana: Person
) -> None:
    carla, company = a_client(session)
    session.commit()
    invitations.invite_member(session, carla, company, EMAIL, Role.CLIENT_APPROVER)
    secret = re.findall(r"/invitation/(\S+)", mails(session)[-1])[0]
    joined = invitations.accept_as_new(session, secret, "Ana A.", "US", "America/New_York", PASSWORD)
    assert joined.person_id == ana.id
    assert actor_for(session, ana.id).has(Role.EXPERT)
    assert actor_for(session, ana.id).has(Role.CLIENT_APPROVER)
    assert claiming.brought_in(session, EMAIL) is None
