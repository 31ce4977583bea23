"""The second factor: codes that work once, recovery codes, and who may add or remove one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock, jobs
from marketplace.accounts import factors, limits, passkeys, sessions
from marketplace.accounts.models import RecoveryCode, SecondFactor, SignIn
from marketplace.accounts.signing_in import request_reset, reset_password
from marketplace.errors import FreshFactorNeeded, Invalid, NotAllowed, NotFound, Refused, TooMany
from tests.accounts.test_registering import mailed, token_in
from tests.cast import Cast
from tests.factories.accounts import a_sign_in

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def code_at(moment: datetime) -> str:
    return pyotp.TOTP(SECRET).at(moment)


@pytest.fixture
def fin(session: Session, cast: Cast) -> SignIn:
    """Fin's sign-in, with an app."""
    return a_sign_in(session, cast.person(cast.fin), totp_secret=SECRET)


@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_a_code_works_from_one_step_before_to_one_after(session: Session, fin: SignIn, seconds: int) -> None:
    with clock.at(NOON):
        factors.check_second_factor(session, fin.id, code_at(NOON + timedelta(seconds=seconds)))


@pytest.mark.parametrize("seconds", [-90, 60])
def test_older_and_later_codes_do_not(session: Session, fin: SignIn, seconds: int) -> None:
    with clock.at(NOON), pytest.raises(Invalid):
        factors.check_second_factor(session, fin.id, code_at(NOON + timedelta(seconds=seconds)))


def test_a_code_works_once_and_so_do_those_before_it(session: Session, fin: SignIn) -> None:
    with clock.at(NOON):
        factors.check_second_factor(session, fin.id, code_at(NOON))
        for seen in (NOON, NOON - timedelta(seconds=30)):
            with pytest.raises(Invalid):
                factors.check_second_factor(session, fin.id, code_at(seen))


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "١٢٣٤٥٦", "１２３４５６", "abcdef", "-12345", "1" * 5000]
)
def test_what_is_no_code_is_refused_beside_the_input(session: Session, fin: SignIn, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        factors.check_second_factor(session, fin.id, code)
    assert refusal.value.field == "code"


def test_five_wrong_codes_in_five_minutes_and_even_the_right_one_waits(session: Session, fin: SignIn) -> None:
    with clock.at(NOON):
        for _time in range(limits.SECOND_FACTOR.most):
            with pytest.raises(Invalid):
                factors.check_second_factor(session, fin.id, "000000")
        with pytest.raises(TooMany):
            factors.check_second_factor(session, fin.id, code_at(NOON))


@pytest.mark.parametrize(("most", "apart", "waits"), [(20, 2, "hour"), (50, 20, "24 hours")])
def test_whoever_goes_slowly_is_stopped_by_the_hour_and_by_the_day(
    session: Session, fin: SignIn, most: int, apart: int, waits: str
) -> None:
    for number in range(most):
        moment = NOON + timedelta(minutes=apart * number)
        with clock.at(moment), pytest.raises(Invalid):
            factors.check_second_factor(session, fin.id, "000000")
    with clock.at(moment + timedelta(minutes=apart)), pytest.raises(TooMany, match=waits):
        factors.check_second_factor(session, fin.id, code_at(clock.now()))


def test_a_right_code_forgives_no_wrong_ones(session: Session, fin: SignIn) -> None:
    with clock.at(NOON):
        for _time in range(limits.SECOND_FACTOR.most - 1):
            with pytest.raises(Invalid):
                factors.check_second_factor(session, fin.id, "000000")
        factors.check_second_factor(session, fin.id, code_at(NOON))
        with pytest.raises(Invalid):
            factors.check_second_factor(session, fin.id, "000000")
        with pytest.raises(TooMany):
            factors.check_second_factor(session, fin.id, "000000")


def test_the_first_app_brings_ten_recovery_codes_each_good_once(session: Session, cast: Cast) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    begun = factors.enrol_totp(session, cast.ana, ana.id, signed_in_at=clock.now())
    code = pyotp.TOTP(begun.secret or "").at(clock.now())
    codes = factors.confirm_totp(
        session, cast.ana, ana.id, begun.public_id, code, "my phone", signed_in_at=clock.now()
    )
    assert len(set(codes)) == factors.recovery_codes_left(session, ana.id) == 10
    assert [f.label for f in factors.confirmed(session, ana.id)] == ["my phone"]
    factors.check_second_factor(session, ana.id, codes[3].lower())
    assert "just used a recovery code" in mailed(session, ana.email)
    with pytest.raises(Invalid):
        factors.check_second_factor(session, ana.id, codes[3])
    assert factors.recovery_codes_left(session, ana.id) == 9
    assert not any(
        code.encode() in kept for code in codes for kept in session.scalars(sa.select(RecoveryCode.code_hash))
    )


def test_an_app_counts_only_after_a_right_code(session: Session, cast: Cast) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    begun = factors.enrol_totp(session, cast.ana, ana.id, signed_in_at=clock.now()).public_id
    with pytest.raises(Invalid):
        factors.confirm_totp(session, cast.ana, ana.id, begun, "000000", signed_in_at=clock.now())
    assert factors.confirmed(session, ana.id) == []


def test_a_secret_is_shown_and_confirmed_only_in_the_session_that_began_it(
    session: Session, cast: Cast
) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    theirs = factors.enrol_totp(session, cast.ana, ana.id, signed_in_at=clock.now())
    mine = factors.enrol_totp(session, cast.ana, ana.id, signed_in_at=clock.now())
    assert mine.secret != theirs.secret
    again = factors.enrol_totp(session, cast.ana, ana.id, mine.public_id, signed_in_at=clock.now())
    assert again.secret == mine.secret
    code = pyotp.TOTP(theirs.secret or "").at(clock.now())
    for begun in (mine.public_id, None):
        with pytest.raises((Invalid, Refused)):
            factors.confirm_totp(session, cast.ana, ana.id, begun, code, signed_in_at=clock.now())
    assert factors.confirmed(session, ana.id) == []


def test_what_was_begun_is_forgotten_at_sign_in_and_at_a_reset(session: Session, cast: Cast) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    factors.enrol_totp(session, cast.ana, ana.id, signed_in_at=clock.now())
    sessions.begin(session, "A browser", {}, sign_in_id=ana.id)
    assert session.scalars(sa.select(SecondFactor)).all() == []
    factors.enrol_totp(session, cast.ana, ana.id, signed_in_at=clock.now())
    request_reset(session, ana.email)
    jobs.run_due(session)
    reset_password(session, token_in(mailed(session, ana.email)), "lanterns over the water")
    assert session.scalars(sa.select(SecondFactor)).all() == []


def test_the_secret_is_not_readable_in_the_database(session: Session, fin: SignIn) -> None:
    kept = session.execute(sa.text("SELECT secret FROM second_factors")).scalar_one()
    assert SECRET.encode() not in bytes(kept)
    assert session.scalars(sa.select(SecondFactor)).one().secret == SECRET


def test_a_long_open_session_cannot_add_the_first_factor(session: Session, cast: Cast) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    with pytest.raises(FreshFactorNeeded):
        factors.enrol_totp(session, cast.ana, ana.id, signed_in_at=clock.now() - timedelta(minutes=11))


def test_a_further_factor_needs_a_fresh_one(session: Session, cast: Cast, fin: SignIn) -> None:
    stale = replace(cast.fin, second_factor_at=clock.now() - timedelta(minutes=11))
    with pytest.raises(FreshFactorNeeded):
        factors.enrol_totp(session, stale, fin.id, signed_in_at=clock.now())
    assert factors.enrol_totp(session, cast.fin, fin.id, signed_in_at=clock.now())


def test_finance_keeps_the_last_factor_and_an_expert_may_remove_it(
    session: Session, cast: Cast, fin: SignIn
) -> None:
    (app,) = factors.confirmed(session, fin.id)
    with pytest.raises(Refused, match="Your role needs"):
        factors.remove_factor(session, cast.fin, fin.id, app.public_id)
    ana = a_sign_in(session, cast.person(cast.ana), totp_secret=SECRET)
    fresh = replace(cast.ana, second_factor_at=clock.now())
    (own,) = factors.confirmed(session, ana.id)
    with pytest.raises(FreshFactorNeeded):
        factors.remove_factor(session, cast.ana, ana.id, own.public_id)
    with pytest.raises(NotFound):
        factors.remove_factor(session, fresh, ana.id, app.public_id)
    factors.remove_factor(session, fresh, ana.id, own.public_id)
    assert factors.confirmed(session, ana.id) == []


def test_new_recovery_codes_replace_the_old(session: Session, cast: Cast, fin: SignIn) -> None:
    before = factors.renew_recovery_codes(session, cast.fin, fin.id)
    factors.renew_recovery_codes(session, cast.fin, fin.id)
    with pytest.raises(Invalid):
        factors.check_second_factor(session, fin.id, before[0])


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", '{"id": 7}', '{"id": "AAAA"}', "x" * 30_000, "[" * 15_000]
)
def test_a_made_up_passkey_is_not_recognised(session: Session, fin: SignIn, answer: str) -> None:
    with pytest.raises(Invalid, match="not recognised"):
        passkeys.check_passkey(session, fin.id, answer, "Y2hhbGxlbmdl")


@pytest.mark.parametrize("challenge", [None, "", "Y2hhbGxlbmdl"])
def test_a_made_up_new_passkey_is_not_kept(session: Session, cast: Cast, challenge: str | None) -> None:
    ana = a_sign_in(session, cast.person(cast.ana))
    with pytest.raises(Invalid):
        passkeys.add_passkey(session, cast.ana, ana.id, '{"id": "AAAA"}', challenge, signed_in_at=clock.now())
    assert factors.confirmed(session, ana.id) == []


def test_an_operator_helps_who_lost_everything_and_the_owner_is_told(
    session: Session, cast: Cast, fin: SignIn
) -> None:
    _row, cookie = sessions.begin(session, "A browser", {}, sign_in_id=fin.id)
    factors.reset_factors(session, cast.opa, cast.person(cast.fin).public_id)
    assert factors.confirmed(session, fin.id) == []
    assert sessions.find(session, cookie) is None
    assert "all second factors" in mailed(session, fin.email)


def test_nobody_else_resets_factors_and_no_operator_their_own(
    session: Session, cast: Cast, fin: SignIn
) -> None:
    victim = cast.person(cast.fin).public_id
    for who in (cast.ana, cast.gil, cast.zed):
        with pytest.raises(NotAllowed):
            factors.reset_factors(session, who, victim)
    with pytest.raises(FreshFactorNeeded):
        factors.reset_factors(session, replace(cast.opa, second_factor_at=None), victim)
    with pytest.raises(Refused, match="your own"):
        factors.reset_factors(session, cast.opa, cast.person(cast.opa).public_id)
    assert len(factors.confirmed(session, fin.id)) == 1
