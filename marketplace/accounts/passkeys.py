"""The second factor by passkey (WebAuthn level 3). The browser's part is `static/js/passkey.js`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement
from webauthn.registration.verify_registration_response import VerifiedRegistration

from marketplace import clock, settings
from marketplace.accounts import limits
from marketplace.accounts.factors import confirmed, require_right_to_add, settle
from marketplace.accounts.models import FactorKind, SecondFactor, SignIn
from marketplace.actor import Actor
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.text import line

LONGEST_ANSWER = 20_000
# What the library may raise on an answer that somebody made up.
UNREADABLE = (WebAuthnException, ValueError, KeyError, TypeError, RecursionError)


def offer_to_add(session: Session, sign_in: SignIn) -> tuple[str, str]:
    """What the browser needs to make a passkey, as JSON, and the challenge to remember until it answers."""
    options = generate_registration_options(
        rp_id=_host(),
        rp_name=settings.current().operator_name,
        user_id=sign_in.public_id.bytes,
        user_name=sign_in.email,
        user_display_name=sign_in.person.full_name,
        exclude_credentials=_known(_passkeys(session, sign_in.id)),
    )
    return options_to_json(options), bytes_to_base64url(options.challenge)


@use_case
def add_passkey(
    session: Session,
    actor: Actor,
    sign_in_id: int,
    answer: str,
    challenge: str | None,
    label: str = "",
    *,
    signed_in_at: datetime,
) -> list[str]:
    """Keep the passkey that the browser made for `challenge`.

    The first factor brings recovery codes, as in `factors.confirm_totp`. Raises Invalid when it does not
    belong to this site, this person's browser or this challenge.
    """
    require_right_to_add(session, actor, sign_in_id, signed_in_at)
    made = _verify_new(answer, challenge)
    if session.scalar(sa.select(sa.exists().where(SecondFactor.credential_id == made.credential_id))):
        raise Invalid(_("This passkey is in use already."))
    factor = SecondFactor(
        public_id=new_id(),
        sign_in_id=sign_in_id,
        kind=FactorKind.PASSKEY,
        label=line(label)[:100] or _("Passkey"),
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        created_at=clock.now(),
    )
    session.add(factor)
    return settle(session, actor, factor)


def offer_to_use(session: Session, sign_in_id: int) -> tuple[str, str] | None:
    """What the browser needs to use a passkey, and the challenge; None when the person has none."""
    known = _passkeys(session, sign_in_id)
    if not known:
        return None
    options = generate_authentication_options(rp_id=_host(), allow_credentials=_known(known))
    return options_to_json(options), bytes_to_base64url(options.challenge)


def check_passkey(session: Session, sign_in_id: int, answer: str, challenge: str | None) -> None:
    """Take the answer of a passkey to `challenge`, once. Raises Invalid; TooMany as for codes."""
    limits.spend(session, limits.SECOND_FACTOR, str(sign_in_id))
    _check(session, sign_in_id, answer, challenge)
    limits.give_back_one(session, limits.SECOND_FACTOR, str(sign_in_id))


def of_person(session: Session, person_id: int) -> list[SecondFactor]:
    """The passkeys of a person (internal id), the oldest first."""
    query = (
        sa.select(SecondFactor)
        .join(SignIn, SignIn.id == SecondFactor.sign_in_id)
        .where(SignIn.person_id == person_id, SignIn.disabled_at.is_(None))
        .where(SecondFactor.kind == FactorKind.PASSKEY, SecondFactor.confirmed_at.is_not(None))
    )
    return list(session.scalars(query.order_by(SecondFactor.id)))


def offer_to_verify(passkeys: Iterable[SecondFactor], challenge: bytes) -> str:
    """What the browser needs, as JSON, to have its user verified (finger, face or PIN) by one of these."""
    options = generate_authentication_options(
        rp_id=_host(),
        challenge=challenge,
        allow_credentials=_known(passkeys),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def verify_person(
    session: Session, passkeys: Iterable[SecondFactor], answer: str, challenge: bytes
) -> SecondFactor:
    """Which of these passkeys answered `challenge`, with its user verified. Needs a running transaction.

    Raises Invalid for any other answer, and for one that only says that somebody was there.
    """
    try:
        named = _named(answer)
        found = next(each for each in passkeys if each.credential_id == named)
        session.refresh(found, with_for_update=True)
        checked = _verify_use(found, answer, bytes_to_base64url(challenge), verified=True)
    except (Invalid, StopIteration):
        raise Invalid(
            _("That was not the right passkey, or your device did not verify that it is you. Try once more.")
        ) from None
    found.sign_count = checked.new_sign_count
    return found


@use_case
def _check(session: Session, sign_in_id: int, answer: str, challenge: str | None) -> None:
    named = _named(answer)
    passkey = session.scalars(
        sa.select(SecondFactor)
        .where(
            SecondFactor.sign_in_id == sign_in_id,
            SecondFactor.credential_id == named,
            SecondFactor.confirmed_at.is_not(None),
        )
        .with_for_update()
    ).first()
    if passkey is None:
        raise _not_recognised()
    passkey.sign_count = _verify_use(passkey, answer, challenge).new_sign_count


def _verify_new(answer: str, challenge: str | None) -> VerifiedRegistration:
    try:
        return verify_registration_response(
            credential=_bounded(answer),
            expected_challenge=base64url_to_bytes(challenge or ""),
            expected_rp_id=_host(),
            expected_origin=settings.current().base_url,
        )
    except UNREADABLE:
        raise _not_recognised() from None


def _verify_use(
    passkey: SecondFactor, answer: str, challenge: str | None, *, verified: bool = False
) -> VerifiedAuthentication:
    try:
        return verify_authentication_response(
            credential=_bounded(answer),
            expected_challenge=base64url_to_bytes(challenge or ""),
            expected_rp_id=_host(),
            expected_origin=settings.current().base_url,
            credential_public_key=passkey.public_key or b"",
            credential_current_sign_count=passkey.sign_count or 0,
            require_user_verification=verified,
        )
    except UNREADABLE:
        raise _not_recognised() from None


def _named(answer: str) -> bytes:
    try:
        return base64url_to_bytes(json.loads(_bounded(answer))["id"])
    except (*UNREADABLE, AttributeError):
        raise _not_recognised() from None


def _bounded(answer: str) -> str:
    if len(answer) > LONGEST_ANSWER:
        raise ValueError("too long to be a passkey's answer")
    return answer


def _passkeys(session: Session, sign_in_id: int) -> list[SecondFactor]:
    return [each for each in confirmed(session, sign_in_id) if each.kind is FactorKind.PASSKEY]


def _known(passkeys: Iterable[SecondFactor]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=each.credential_id or b"") for each in passkeys]


def _host() -> str:
    return urlsplit(settings.current().base_url).hostname or "localhost"


def _not_recognised() -> Invalid:
    return Invalid(_("The passkey was not recognised. Try once more, or use a code."), field="code")
