"""Registering, and confirming the address."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.accounts import limits
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import Organization, Person, SignIn
from marketplace.accounts.registering import register, verify_email
from marketplace.accounts.signing_in import check_password
from marketplace.actor import Role
from marketplace.errors import DomainError, Invalid, Refused, TooMany
from marketplace.mail import OutboxMail
from tests.factories.accounts import PASSWORD, a_person, a_sign_in


def registered(session: Session, email: str = "Ana@Example.com", **changed: str) -> Person | None:
    asked = {"wants": "expert", "country": "US", "time_zone": "America/New_York", **changed}
    return register(session, "Ana Alvarez", email, asked.pop("password", PASSWORD), **asked)


def mailed(session: Session, to: str = "ana@example.com") -> str:
    """The last mail to an address."""
    asked = sa.select(OutboxMail.text).filter_by(to_address=to).order_by(OutboxMail.id.desc())
    return session.scalars(asked).first() or ""


def token_in(mail: str) -> str:
    return re.findall(r"/(?:verify|reset|invitation)/(\S+)", mail)[0]


def test_an_expert_registers_and_confirms_the_address(session: Session) -> None:
    person = registered(session)
    assert person is not None
    assert person.email == "ana@example.com"
    sign_in = verify_email(session, token_in(mailed(session)), PASSWORD)
    assert sign_in.person_id == person.id
    assert sign_in.email_verified_at == pytest.approx(clock.now(), abs=clock.now() - person.created_at)
    assert actor_for(session, person.id).has(Role.EXPERT)


def test_a_client_becomes_admin_of_an_organization_that_nobody_has_verified(session: Session) -> None:
    person = registered(session, wants="client", organization_name=" Lumen   Labs ")
    assert person is not None
    organization = session.scalars(sa.select(Organization).filter_by(name="Lumen Labs")).one()
    assert organization.verified_at is None
    actor = actor_for(session, person.id)
    assert actor.has(Role.CLIENT_ADMIN, organization_id=organization.id)
    assert not actor.has(Role.EXPERT)


def test_a_client_without_a_company_is_told_which_input_is_missing(session: Session) -> None:
    with pytest.raises(Invalid) as refusal:
        registered(session, wants="client", organization_name=" ")
    assert refusal.value.field == "organization_name"


def test_nobody_signs_in_before_the_address_is_confirmed_and_a_new_link_is_sent(session: Session) -> None:
    registered(session)
    first = token_in(mailed(session))
    with pytest.raises(Refused, match="mailed to you"):
        check_password(session, "ana@example.com", PASSWORD)
    second = token_in(mailed(session))
    with pytest.raises(Refused, match="used already or has run out"):
        verify_email(session, first, PASSWORD)
    assert verify_email(session, second, PASSWORD)


def test_the_link_alone_does_not_confirm_what_a_stranger_registered(session: Session) -> None:
    registered(session, password="the stranger chose this")
    with pytest.raises(Invalid) as refusal:
        verify_email(session, token_in(mailed(session)), PASSWORD)
    assert refusal.value.field == "password"
    assert session.scalars(sa.select(SignIn.email_verified_at)).all() == [None]


def test_registering_again_before_confirming_starts_anew(session: Session) -> None:
    before = registered(session, password="the stranger chose this")
    old = token_in(mailed(session))
    after = registered(session)
    assert before is not None
    assert after is not None
    assert before.closed_at is not None
    with pytest.raises(Refused):
        verify_email(session, old, "the stranger chose this")
    assert verify_email(session, token_in(mailed(session)), PASSWORD).person_id == after.id


def test_an_address_in_use_is_told_to_its_owner_only(session: Session) -> None:
    a_sign_in(session, a_person(session, email="ana@example.com"))
    assert registered(session) is None
    assert "It has an account already" in mailed(session)
    assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == 1


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ana",
        "ana@",
        "ana@example.com, ben@example.com",
        "ana@example.com\r\nBcc: x@y.z",
        "a" * 260 + "@example.com",
    ],
)
def test_what_is_no_address_is_refused_beside_the_input(session: Session, email: str) -> None:
    with pytest.raises(Invalid) as refusal:
        registered(session, email)
    assert refusal.value.field == "email"


@pytest.mark.parametrize(
    ("field", "value"), [("country", "ZZ"), ("country", "Utopia"), ("time_zone", "Mars/Base")]
)
def test_places_that_do_not_exist_are_refused(session: Session, field: str, value: str) -> None:
    with pytest.raises(Invalid) as refusal:
        registered(session, **{field: value})
    assert refusal.value.field == field


def test_one_address_is_mailed_five_times_a_day_and_no_more(session: Session) -> None:
    for _time in range(limits.MAIL.most):
        registered(session)
    with pytest.raises(TooMany):
        registered(session)


def test_a_link_runs_out(session: Session) -> None:
    registered(session)
    token = token_in(mailed(session))
    with clock.at(clock.now().replace(year=clock.now().year + 1)), pytest.raises(DomainError):
        verify_email(session, token, PASSWORD)
