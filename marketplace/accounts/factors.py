"""The second factor by code: six digits from an app (TOTP, RFC 6238), or a recovery code when it is lost."""

from __future__ import annotations

import hmac
import re
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, mail
from marketplace.accounts import limits, sessions
from marketplace.accounts.grants import actor_for
from marketplace.accounts.models import FactorKind, Person, RecoveryCode, SecondFactor, SignIn
from marketplace.accounts.signing_in import own_sign_in
from marketplace.accounts.tokens import token_hash
from marketplace.actor import FRESH, SECOND_FACTOR, Actor, Role
from marketplace.db import new_id, use_case
from marketplace.errors import FreshFactorNeeded, Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.text import line

STEP_SECONDS = 30
# A code is taken one step early or late, for clocks that differ (RFC 6238 5.2).
DRIFT = (0, -1, 1)
RECOVERY_CODES = 10
# 24 letters of 32 are 120 bits, above the 112 from which a plain hash is enough (ASVS 6.5.2).
LETTERS, GROUPS, GROUP = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 4, 6
DIGITS = re.compile(r"[0-9]{6}")


def confirmed(session: Session, sign_in_id: int) -> Sequence[SecondFactor]:
    """The factors that count, the oldest first."""
    return session.scalars(
        sa.select(SecondFactor)
        .where(SecondFactor.sign_in_id == sign_in_id, SecondFactor.confirmed_at.is_not(None))
        .order_by(SecondFactor.id)
    ).all()


def recovery_codes_left(session: Session, sign_in_id: int) -> int:
    """How many recovery codes were not used yet."""
    left = sa.select(sa.func.count()).where(
        RecoveryCode.sign_in_id == sign_in_id, RecoveryCode.used_at.is_(None)
    )
    return session.scalar(left) or 0


@use_case
def enrol_totp(
    session: Session,
    actor: Actor,
    sign_in_id: int,
    begun_id: uuid.UUID | None = None,
    *,
    signed_in_at: datetime,
) -> SecondFactor:
    """Begin to add an authenticator app: a secret to show. It counts when a code confirms it.

    `begun_id` is what was begun in the same browser session: looking again shows the same secret. No other
    session ever sees it, or who knew the password before could keep the secret that the owner confirms.
    """
    require_right_to_add(session, actor, sign_in_id, signed_in_at)
    begun = session.scalars(_begun(sign_in_id, begun_id)).first()
    if begun is None:
        begun = SecondFactor(
            public_id=new_id(), sign_in_id=sign_in_id, kind=FactorKind.TOTP, label=_("Authenticator app"),
            secret=pyotp.random_base32(), created_at=clock.now(),
        )  # fmt: skip
        session.add(begun)
        session.flush()
    return begun


@use_case
def confirm_totp(
    session: Session,
    actor: Actor,
    sign_in_id: int,
    begun_id: uuid.UUID | None,
    code: str,
    label: str = "",
    *,
    signed_in_at: datetime,
) -> list[str]:
    """Make the app that was begun in this browser session count, by a code from it.

    The first factor brings recovery codes, which are returned and never shown again; otherwise the list is
    empty. Raises Invalid for a wrong code; Refused when none was begun.
    """
    require_right_to_add(session, actor, sign_in_id, signed_in_at)
    begun = session.scalars(_begun(sign_in_id, begun_id).with_for_update()).first()
    if begun is None:
        raise Refused(_("Begin again: scan the new picture with your app."))
    if not _takes(session, begun, _spaceless(code)):
        raise _wrong_code()
    begun.label = line(label)[:100] or begun.label
    return settle(session, actor, begun)


def settle(session: Session, actor: Actor, factor: SecondFactor) -> list[str]:
    """Let a factor count, tell its owner by mail, and give recovery codes if it is the first."""
    first = not confirmed(session, factor.sign_in_id)
    factor.confirmed_at = clock.now()
    session.flush()
    sign_in = session.get_one(SignIn, factor.sign_in_id)
    audit.record(session, actor, "add_factor", "sign_in", sign_in.public_id, kind=factor.kind)
    _tell(session, sign_in, "factor_added", factor.label)
    return _new_codes(session, factor.sign_in_id) if first else []


def check_second_factor(session: Session, sign_in_id: int, code: str) -> None:
    """Take a six-digit code or a recovery code. Each works once.

    Raises Invalid for a wrong, old or used one; TooMany after five within five minutes, twenty within an
    hour, or fifty within a day. Wrong ones stay counted when a right one follows: it may be another's.
    """
    limits.spend(session, limits.SECOND_FACTOR, str(sign_in_id))
    _take(session, sign_in_id, _spaceless(code))
    limits.give_back_one(session, limits.SECOND_FACTOR, str(sign_in_id))


@use_case
def remove_factor(session: Session, actor: Actor, sign_in_id: int, factor_public_id: uuid.UUID) -> None:
    """Stop using a factor. Asks for a fresh one; who must have one keeps the last."""
    actor.require_fresh_factor()
    sign_in = own_sign_in(session, actor, sign_in_id)
    mine = confirmed(session, sign_in_id)
    factor = next((each for each in mine if each.public_id == factor_public_id), None)
    if factor is None:
        raise NotFound(_("There is no such second factor."))
    if len(mine) == 1 and actor.has(*SECOND_FACTOR):
        raise Refused(_("Your role needs a second factor. Add another one before you remove this."))
    session.delete(factor)
    if len(mine) == 1:
        session.execute(sa.delete(RecoveryCode).where(RecoveryCode.sign_in_id == sign_in_id))
    audit.record(session, actor, "remove_factor", "sign_in", sign_in.public_id, kind=factor.kind)
    _tell(session, sign_in, "factor_removed", factor.label)


@use_case
def reset_factors(session: Session, actor: Actor, person_public_id: uuid.UUID) -> None:
    """Remove the factors of somebody who has lost them and their recovery codes; all sessions end.

    Operators, with a fresh factor of their own, who have made sure that it is this person who asks. Raises
    Refused for oneself.
    """
    actor.require(Role.OPERATOR)
    actor.require_fresh_factor()
    person = session.scalars(sa.select(Person).filter_by(public_id=person_public_id)).first()
    if person is None:
        raise NotFound(_("There is no such person."))
    if person.id == actor.id:
        raise Refused(_("Ask another operator, because these are your own."))
    for sign_in in session.scalars(
        sa.select(SignIn).filter_by(person_id=person.id).with_for_update(of=SignIn)
    ):
        session.execute(sa.delete(SecondFactor).where(SecondFactor.sign_in_id == sign_in.id))
        session.execute(sa.delete(RecoveryCode).where(RecoveryCode.sign_in_id == sign_in.id))
        sessions.end_all(session, sign_in.id)
        audit.record(session, actor, "reset_factors", "sign_in", sign_in.public_id)
        _tell(session, sign_in, "factor_removed", _("all second factors"))


@use_case
def renew_recovery_codes(session: Session, actor: Actor, sign_in_id: int) -> list[str]:
    """Ten new recovery codes; those before stop working. Asks for a fresh factor."""
    actor.require_fresh_factor()
    sign_in = own_sign_in(session, actor, sign_in_id)
    if not confirmed(session, sign_in_id):
        raise Refused(_("Add a second factor first. Recovery codes stand in for it."))
    audit.record(session, actor, "renew_recovery_codes", "sign_in", sign_in.public_id)
    return _new_codes(session, sign_in_id)


def require_right_to_add(session: Session, actor: Actor, sign_in_id: int, signed_in_at: datetime) -> None:
    """The first factor is added by who just gave the password; the next by who just gave a factor.

    Raises FreshFactorNeeded otherwise.
    """
    own_sign_in(session, actor, sign_in_id)
    if confirmed(session, sign_in_id):
        actor.require_fresh_factor()
    elif clock.now() - signed_in_at > FRESH:
        raise FreshFactorNeeded(_("Sign in again, then add the second factor."))


def _begun(sign_in_id: int, begun_id: uuid.UUID | None) -> sa.Select[SecondFactor]:
    return sa.select(SecondFactor).filter_by(
        public_id=begun_id, sign_in_id=sign_in_id, kind=FactorKind.TOTP, confirmed_at=None
    )


@use_case
def _take(session: Session, sign_in_id: int, code: str) -> None:
    apps = (each for each in confirmed(session, sign_in_id) if each.kind is FactorKind.TOTP)
    if not any(_takes(session, app, code) for app in apps) and not _spend_code(session, sign_in_id, code):
        raise _wrong_code()


def _takes(session: Session, factor: SecondFactor, code: str) -> bool:
    """Does this app show `code` now? Marks its step as used in the same statement that checks it."""
    if not DIGITS.fullmatch(code) or factor.secret is None:
        return False
    now = int(clock.now().timestamp()) // STEP_SECONDS
    one_time = pyotp.TOTP(factor.secret)
    steps = [now + drift for drift in DRIFT if hmac.compare_digest(one_time.generate_otp(now + drift), code)]
    return any(_use_step(session, factor.id, step) for step in steps)


def _use_step(session: Session, factor_id: int, step: int) -> bool:
    used = session.execute(
        sa.update(SecondFactor)
        .where(
            SecondFactor.id == factor_id,
            sa.func.coalesce(SecondFactor.last_step, 0) < step,
        )
        .values(last_step=step)
        .returning(SecondFactor.id)
    )
    return used.first() is not None


def _spend_code(session: Session, sign_in_id: int, code: str) -> bool:
    used = session.execute(
        sa.update(RecoveryCode)
        .where(
            RecoveryCode.sign_in_id == sign_in_id,
            RecoveryCode.code_hash == token_hash(code.replace("-", "").upper()),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=clock.now())
        .returning(RecoveryCode.id)
    ).first()
    if used is None:
        return False
    sign_in = session.get_one(SignIn, sign_in_id)
    audit.record(
        session, actor_for(session, sign_in.person_id), "use_recovery_code", "sign_in", sign_in.public_id
    )
    _tell(session, sign_in, "recovery_code_used", "")
    return True


def _new_codes(session: Session, sign_in_id: int) -> list[str]:
    session.execute(sa.delete(RecoveryCode).where(RecoveryCode.sign_in_id == sign_in_id))
    codes = ["".join(secrets.choice(LETTERS) for _i in range(GROUPS * GROUP)) for _n in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(sign_in_id=sign_in_id, code_hash=token_hash(code)) for code in codes)
    return ["-".join(code[i : i + GROUP] for i in range(0, len(code), GROUP)) for code in codes]


def _tell(session: Session, sign_in: SignIn, template: str, label: str) -> None:
    person = sign_in.person
    mail.send(session, sign_in.email, template, locale=person.locale, name=person.full_name, label=label)


def _spaceless(code: str) -> str:
    return "".join(code.split())


def _wrong_code() -> Invalid:
    return Invalid(
        _("This code does not work. Each works once, for half a minute. Type the next one."),
        field="code",
    )
