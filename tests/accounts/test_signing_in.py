"""The password, its limits, and setting a new one."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.accounts import limits, passwords, sessions
from marketplace.accounts.models import SignIn
from marketplace.accounts.registering import register, verify_email
from marketplace.accounts.signing_in import change_password, check_password, request_reset, reset_password
from marketplace.audit.models import AuditEvent
from marketplace.errors import Invalid, Refused, TooMany
from tests.accounts.test_registering import mailed, token_in
from tests.cast import Cast
from tests.factories.accounts import PASSWORD, a_person, a_sign_in

NEW = "lanterns over the water"


@pytest.fixture
def ana(session: Session) -> SignIn:
    return a_sign_in(session, a_person(session, email="ana@example.com"))


def test_the_right_password_opens_the_sign_in_however_the_address_is_typed(
    session: Session, ana: SignIn
) -> None:
    assert check_password(session, " Ana@Example.COM", PASSWORD).id == ana.id


def test_wrong_password_unknown_address_and_disabled_account_say_the_same(
    session: Session, ana: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = a_sign_in(session, a_person(session, email="gone@example.com"))
    gone.disabled_at = clock.now()
    session.commit()
    hashed: list[str] = []
    verify = passwords.matches
    monkeypatch.setattr(passwords, "matches", lambda kept, typed: hashed.append(typed) or verify(kept, typed))
    said = set()
    for email, password in [
        ("ana@example.com", NEW),
        ("nobody@example.com", NEW),
        ("gone@example.com", PASSWORD),
    ]:
        with pytest.raises(Invalid) as refusal:
            check_password(session, email, password)
        said.add((refusal.value.sentence, refusal.value.field))
    assert len(said) == 1
    assert len(hashed) == 3, "each answer takes one hash, so that time tells nothing"


def test_ten_wrong_tries_lock_the_address_for_strangers_but_not_for_its_own_browser(
    session: Session, ana: SignIn
) -> None:
    for n in range(limits.PASSWORD.most):
        with pytest.raises(Invalid):
            check_password(session, "ana@example.com", NEW, network=f"192.0.2.{n}")
    with pytest.raises(TooMany, match="5 minutes"):
        check_password(session, "ana@example.com", PASSWORD, network="192.0.2.99")
    assert check_password(session, "ana@example.com", PASSWORD, network="192.0.2.99", browser="known")
    with clock.at(clock.now() + timedelta(minutes=5, seconds=1)):
        assert check_password(session, "ana@example.com", PASSWORD)


def test_one_network_cannot_try_many_addresses(session: Session, ana: SignIn) -> None:
    for n in range(limits.PASSWORD.most):
        with pytest.raises(Invalid):
            check_password(session, f"somebody{n}@example.com", NEW, network="192.0.2.7")
    with pytest.raises(TooMany):
        check_password(session, "ana@example.com", PASSWORD, network="192.0.2.7")


def test_signing_in_gives_the_tries_back(session: Session, ana: SignIn) -> None:
    for _time in range(3 * limits.PASSWORD.most):
        assert check_password(session, "ana@example.com", PASSWORD, network="192.0.2.7")


def test_signing_in_forgives_no_tries_at_other_accounts(session: Session, ana: SignIn) -> None:
    for number in range(limits.PASSWORD.most - 1):
        with pytest.raises(Invalid):
            check_password(session, f"somebody{number}@example.com", PASSWORD, network="192.0.2.7")
    check_password(session, "ana@example.com", PASSWORD, network="192.0.2.7")
    with pytest.raises(Invalid):
        check_password(session, "another@example.com", PASSWORD, network="192.0.2.7")
    with pytest.raises(TooMany):
        check_password(session, "yet.another@example.com", PASSWORD, network="192.0.2.7")


def test_all_addresses_of_one_ipv6_subscriber_count_as_one() -> None:
    assert limits.network("2001:db8:1:2::1") == limits.network("2001:db8:1:2:ffff::9")
    assert limits.network("2001:db8:1:2::1") != limits.network("2001:db8:1:3::1")
    assert limits.network("192.0.2.1") != limits.network("192.0.2.2")
    assert limits.network(None) == limits.network("not an address") == ""


def test_a_reset_link_sets_a_new_password_once_and_ends_all_sessions(session: Session, ana: SignIn) -> None:
    _begun, cookie = sessions.begin(session, "A browser", {}, sign_in_id=ana.id)
    request_reset(session, "Ana@example.com")
    jobs.run_due(session)
    token = token_in(mailed(session))
    reset_password(session, token, NEW)
    assert sessions.find(session, cookie) is None
    assert check_password(session, "ana@example.com", NEW)
    with pytest.raises(Refused):
        reset_password(session, token, PASSWORD)
    assert "password of this account was just changed" in mailed(session)


def test_a_reset_leaves_no_link_that_confirms_the_address_and_signs_in(session: Session) -> None:
    register(
        session, "Ana Alvarez", "ana@example.com", PASSWORD, wants="expert", country="US", time_zone="UTC"
    )
    first = token_in(mailed(session))
    request_reset(session, "ana@example.com")
    jobs.run_due(session)
    reset_password(session, token_in(mailed(session)), NEW)
    with pytest.raises(Refused, match="used already or has run out"):
        verify_email(session, first, NEW)


def test_a_newer_reset_link_makes_the_older_useless_and_an_hour_ends_both(
    session: Session, ana: SignIn
) -> None:
    tokens = []
    for _time in range(2):
        request_reset(session, "ana@example.com")
        jobs.run_due(session)
        tokens.append(token_in(mailed(session)))
    with pytest.raises(Refused):
        reset_password(session, tokens[0], NEW)
    with clock.at(clock.now() + timedelta(hours=1)), pytest.raises(Refused):
        reset_password(session, tokens[1], NEW)


def test_a_refused_new_password_leaves_the_link_usable(session: Session, ana: SignIn) -> None:
    request_reset(session, "ana@example.com")
    jobs.run_due(session)
    token = token_in(mailed(session))
    with pytest.raises(Invalid):
        reset_password(session, token, "short")
    assert reset_password(session, token, NEW)


def test_nobody_is_mailed_about_an_address_that_nobody_has(session: Session) -> None:
    request_reset(session, "nobody@example.com")
    jobs.run_due(session)
    assert mailed(session, "nobody@example.com") == ""


def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(
    session: Session, cast: Cast
) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    here, mine = sessions.begin(session, "Here", {}, sign_in_id=ana.id)
    _there, other = sessions.begin(session, "There", {}, sign_in_id=ana.id)
    with pytest.raises(Invalid) as refusal:
        change_password(session, cast.ana, ana.id, NEW, NEW, keep_session=here.id)
    assert refusal.value.field == "old_password"
    change_password(session, cast.ana, ana.id, PASSWORD, NEW, keep_session=here.id)
    assert sessions.find(session, mine) is not None
    assert sessions.find(session, other) is None


def test_the_present_password_cannot_be_guessed_from_a_session_left_open(
    session: Session, cast: Cast
) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    for _time in range(limits.PRESENT_PASSWORD.most):
        with pytest.raises(Invalid):
            change_password(session, cast.ana, ana.id, "a guess at this one", NEW)
    with pytest.raises(TooMany):
        change_password(session, cast.ana, ana.id, PASSWORD, NEW)


def test_strangers_who_ask_for_resets_use_up_no_link_that_confirms(session: Session) -> None:
    register(
        session, "Ana Alvarez", "ana@example.com", PASSWORD, wants="expert", country="US", time_zone="UTC"
    )
    for _time in range(limits.RESETS.most):
        request_reset(session, "ana@example.com")
    with pytest.raises(TooMany):
        request_reset(session, "ana@example.com")
    with pytest.raises(Refused, match="mailed to you"):
        check_password(session, "ana@example.com", PASSWORD)
    assert "/verify/" in mailed(session)


def test_nobody_changes_the_password_of_somebody_else(session: Session, cast: Cast) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    with pytest.raises(Refused):
        change_password(session, cast.zed, ana.id, PASSWORD, NEW)


def test_a_session_ends_by_idleness_by_age_and_when_the_account_does(session: Session, ana: SignIn) -> None:
    begun, token = sessions.begin(session, "A browser", {}, sign_in_id=ana.id)
    assert sessions.find(session, token) is not None
    with clock.at(begun.last_seen_at + timedelta(hours=12, seconds=1)):
        assert sessions.find(session, token) is None
    with clock.at(begun.created_at + timedelta(days=6, hours=23)):
        sessions.keep(session, begun.id, {})
    with clock.at(begun.created_at + timedelta(days=7, seconds=1)):
        assert sessions.find(session, token) is None
    ana.person.closed_at = clock.now()
    session.commit()
    assert sessions.find(session, token) is None


def test_what_happens_to_an_account_is_on_the_trail(session: Session, ana: SignIn) -> None:
    sessions.begin(session, "A browser", {}, sign_in_id=ana.id, request_id="r1")
    said = session.execute(sa.select(AuditEvent.verb, AuditEvent.person_id, AuditEvent.request_id)).all()
    assert ("sign_in", ana.person_id, "r1") in said
