"""A sign-in that a stranger may be using: nobody gets in, the person is told why, and there is a way back."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from marketplace import jobs, reasons
from marketplace.accounts.models import SignIn
from marketplace.accounts.registering import register
from marketplace.accounts.signing_in import check_password, find_reset, request_reset, reset_password
from marketplace.actor import Actor, Role
from marketplace.audit.models import AuditEvent
from marketplace.errors import DomainError, FreshFactorNeeded, Invalid, NotAllowed, Refused
from marketplace.mail import OutboxMail
from marketplace.reasons import sign_ins, tasks
from marketplace.reasons.appeals import appeal_for
from marketplace.reasons.models import Outcome, Statement
from tests.accounts.test_registering import mailed, token_in
from tests.cast import Cast
from tests.conftest import Committed
from tests.factories.accounts import PASSWORD, a_person, a_sign_in, an_actor
from tests.visitor import Visitor, words

# What an upheld appeal undoes is registered with the jobs.
assert tasks
SAW = "It was used from two continents within an hour."
WROTE = "I was on a plane, and my assistant read my mail for me."
NEW = "four otters sleep upside"


@pytest.fixture
def sign_in(session: Session, cast: Cast) -> SignIn:
    """Ana's; her address is another one than she signs in with."""
    return a_sign_in(session, cast.person(cast.ana), email="ana.signs.in@example.com")


def suspended(session: Session, cast: Cast, sign_in: SignIn) -> Statement:
    return sign_ins.suspend(session, cast.opa, sign_in.public_id, "stolen", SAW)


def other_operator(session: Session) -> Actor:
    return an_actor(session, a_person(session, "Olu Other", Role.OPERATOR))


def last_mail(session: Session, to: str) -> str:
    asked = sa.select(OutboxMail).filter_by(to_address=to).order_by(OutboxMail.id.desc())
    mail = session.scalars(asked).first()
    return f"{mail.subject}\n{mail.text}" if mail else ""


def test_nobody_gets_in_by_a_suspended_sign_in(
    session: Session, app: Flask, cast: Cast, sign_in: SignIn
) -> None:
    ana = cast.visitor(app, cast.ana)
    request_reset(session, sign_in.email)
    jobs.run_due(session)
    link = token_in(mailed(session, sign_in.email))
    assert "Sign out" in words(ana.get("/"))
    suspended(session, cast, sign_in)

    assert "Sign out" not in words(ana.get("/"))
    with pytest.raises(Invalid):
        check_password(session, sign_in.email, PASSWORD)
    with pytest.raises(Refused):
        find_reset(session, link)
    before = session.scalar(sa.select(sa.func.count(OutboxMail.id)))
    request_reset(session, sign_in.email)
    jobs.run_due(session)
    assert session.scalar(sa.select(sa.func.count(OutboxMail.id))) == before


def test_the_person_is_told_why_by_mail_at_every_address(
    session: Session, cast: Cast, sign_in: SignIn
) -> None:
    statement = suspended(session, cast, sign_in)
    for address in (sign_in.email, cast.person(cast.ana).email):
        said = last_mail(session, address)
        assert "Your sign-in was suspended" in said
        assert SAW in said
        assert "It looks as if somebody else is using your sign-in." in said
        assert "Decided by Opa Okafor." in said
        assert "You may appeal until" in said
    assert "/decisions/" not in last_mail(session, cast.person(cast.ana).email)
    assert (statement.person_id, statement.subject_id) == (cast.ana.id, sign_in.public_id)
    verbs = session.scalars(sa.select(AuditEvent.verb).filter_by(subject_id=sign_in.public_id)).all()
    assert "suspend" in verbs


def test_opened_again_it_wants_a_new_password(session: Session, cast: Cast, sign_in: SignIn) -> None:
    suspended(session, cast, sign_in)
    sign_ins.open_again(session, cast.opa, sign_in.public_id)
    assert "set a new one first" in last_mail(session, sign_in.email)
    with pytest.raises(Invalid):
        check_password(session, sign_in.email, PASSWORD)
    request_reset(session, sign_in.email)
    jobs.run_due(session)
    reset_password(session, token_in(mailed(session, sign_in.email)), NEW)
    assert check_password(session, sign_in.email, NEW).id == sign_in.id


def test_a_second_factor_that_is_waited_for_lets_nobody_in(session: Session, app: Flask, cast: Cast) -> None:
    secret = "JBSWY3DPEHPK3PXP"
    sign_in = a_sign_in(session, cast.person(cast.rev), email="rev.signs.in@example.com", totp_secret=secret)
    stranger = Visitor(app.test_client())
    stranger.get("/sign-in")
    asked = stranger.post("/sign-in", email=sign_in.email, password=PASSWORD)
    assert asked.request.path == "/second-factor"
    suspended(session, cast, sign_in)
    assert stranger.get("/second-factor").request.path == "/sign-in"


@pytest.mark.parametrize("who", ["ana", "carla", "fin", "gil", "rev", "zed"])
def test_only_operators_suspend(session: Session, cast: Cast, sign_in: SignIn, who: str) -> None:
    for act in (
        lambda actor: sign_ins.suspend(session, actor, sign_in.public_id, "stolen", SAW),
        lambda actor: sign_ins.open_again(session, actor, sign_in.public_id),
        lambda actor: appeal_for(session, actor, "sign_in", sign_in.public_id, WROTE),
    ):
        with pytest.raises(NotAllowed):
            act(getattr(cast, who))


def test_what_is_refused(session: Session, cast: Cast, sign_in: SignIn) -> None:
    own = a_sign_in(session, cast.person(cast.opa), email="opa.signs.in@example.com")
    with pytest.raises(Refused, match="about you"):
        sign_ins.suspend(session, cast.opa, own.public_id, "stolen", SAW)
    with pytest.raises(FreshFactorNeeded):
        sign_ins.suspend(session, replace(cast.opa, second_factor_at=None), sign_in.public_id, "stolen", SAW)
    with pytest.raises(Invalid):
        sign_ins.suspend(session, cast.opa, sign_in.public_id, "places_filled", SAW)
    with pytest.raises(Invalid):
        sign_ins.suspend(session, cast.opa, sign_in.public_id, "stolen", "Bad.")
    with pytest.raises(Refused, match="not suspended"):
        sign_ins.open_again(session, cast.opa, sign_in.public_id)
    assert sign_in.disabled_at is None
    suspended(session, cast, sign_in)
    with pytest.raises(Refused, match="suspended already"):
        suspended(session, cast, sign_in)


def test_an_upheld_appeal_opens_it_again(session: Session, cast: Cast, sign_in: SignIn) -> None:
    suspended(session, cast, sign_in)
    opened = appeal_for(session, cast.opa, "sign_in", sign_in.public_id, WROTE)
    with pytest.raises(Refused, match="Somebody else"):
        reasons.decide(session, cast.opa, opened.public_id, Outcome.UPHELD, "It was the assistant.")
    reasons.decide(session, other_operator(session), opened.public_id, "upheld", "It was the assistant.")
    assert sign_in.disabled_at is None


def test_an_appeal_against_an_older_suspension_does_not_open_a_newer_one(
    session: Session, cast: Cast, sign_in: SignIn
) -> None:
    suspended(session, cast, sign_in)
    opened = appeal_for(session, cast.opa, "sign_in", sign_in.public_id, WROTE)
    sign_ins.open_again(session, cast.opa, sign_in.public_id)
    suspended(session, cast, sign_in)
    reasons.decide(session, other_operator(session), opened.public_id, "upheld", "That was not her fault.")
    assert sign_in.disabled_at is not None


def test_nobody_registers_anew_over_a_suspended_address(session: Session, cast: Cast) -> None:
    first = register(session, "Eve Early", "eve@example.com", PASSWORD, wants="expert", country="US",
                     time_zone="America/New_York")  # fmt: skip
    assert first is not None
    sign_in = session.scalars(sa.select(SignIn).filter_by(email="eve@example.com")).one()
    suspended(session, cast, sign_in)
    again = register(session, "Eve Early", "eve@example.com", NEW, wants="expert", country="US",
                     time_zone="America/New_York")  # fmt: skip
    assert again is None


def test_an_operator_walks_it(session: Session, app: Flask, cast: Cast, sign_in: SignIn) -> None:
    opa, path = cast.visitor(app, cast.opa), f"/sign-ins/{sign_in.public_id}"
    assert sign_in.email in words(opa.get(f"/people/{cast.person(cast.ana).public_id}"))
    opa.get(path)
    assert "Choose a reason." in words(opa.post(f"{path}/suspension", reason_code="", explanation=SAW))
    said = words(opa.post(f"{path}/suspension", reason_code="stolen", explanation=SAW))
    assert "The sign-in is suspended, and the person is told by mail." in said
    assert "It looks as if somebody else" in said
    assert "The appeal is entered." in words(opa.post(f"{path}/appeal", text=WROTE))
    assert "already appealed" in words(opa.post(f"{path}/appeal", text=WROTE))
    assert "The sign-in is open again." in words(opa.post(f"{path}/opening"))
    assert "Why it was suspended" in words(opa.get(path))


@pytest.mark.committed
def test_two_operators_who_suspend_each_other_leave_one(committed: Committed) -> None:
    def operator(name: str) -> tuple[Actor, uuid.UUID]:
        with committed.session() as session:
            person = a_person(session, name, Role.OPERATOR)
            return an_actor(session, person), a_sign_in(session, person).public_id

    (one, first), (two, second) = operator("Opa Okafor"), operator("Olu Other")

    def act(actor: Actor, whose: uuid.UUID) -> str:
        with committed.session() as session:
            try:
                sign_ins.suspend(session, actor, whose, "stolen", SAW)
            except DomainError as refusal:
                return refusal.sentence
            return "done"

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(act, (one, two), (second, first)))
    assert said == ["Your own sign-in was suspended just now.", "done"]
