"""The passkey of a checked identity: bound within days of the check, and never to a second device unchecked.

Rented and shared accounts end here: who sits at the device is verified by the device (finger, face or PIN),
and the device was named when a reviewer had the person's papers in hand.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased
from webauthn.helpers import base64url_to_bytes

from marketplace import audit, clock
from marketplace.accounts import limits, passkeys
from marketplace.accounts.models import Person, SecondFactor
from marketplace.actor import Actor, Role
from marketplace.credentials.gate import checks_of
from marketplace.credentials.models import Attestation, Credential, IdentityPasskey
from marketplace.credentials.states import OVER, CredentialState, Method, Standing
from marketplace.db import new_id, use_case
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _

TYPE = "gov_id"
BIND_WITHIN = timedelta(days=7)
# A document must have been seen, which is level 2.
LEAST_LEVEL = 2


class Next(StrEnum):
    """What a person has to do before they can confirm by the passkey of their identity."""

    NOTHING = "nothing"
    ADD_PASSKEY = "add_passkey"
    BIND = "bind"
    CHECK = "check"
    WAIT = "wait"


@dataclass(frozen=True)
class Stand:
    """Where a person stands: what comes next, the passkey that is bound, the check to bind one to, and until
    when."""

    next: Next
    bound: IdentityPasskey | None
    attestation: Attestation | None
    until: datetime | None


def stand(session: Session, person_id: int) -> Stand:
    """Where a person (internal id) stands now."""
    bound, attestation = bound_of(session, person_id), open_check(session, person_id)
    until = attestation.looked_at + BIND_WITHIN if attestation else None
    if bound:
        return Stand(Next.NOTHING, bound, attestation, until)
    if attestation is None:
        return Stand(Next.WAIT if _waits(session, person_id) else Next.CHECK, None, None, None)
    ready = passkeys.of_person(session, person_id)
    return Stand(Next.BIND if ready else Next.ADD_PASSKEY, None, attestation, until)


def bound_of(session: Session, person_id: int) -> IdentityPasskey | None:
    """The passkey that counts: still in the account, and of a check that nobody took back.

    What a reviewer said against the identity ends it for good, whatever its owner sends in afterwards.
    """
    against = aliased(Attestation)
    fell = sa.exists().where(
        against.credential_id == Attestation.credential_id,
        against.id > Attestation.id,
        against.method != Method.AUTOMATIC,
        against.status_at_source != Standing.ACTIVE,
    )
    query = (
        sa.select(IdentityPasskey)
        .join(IdentityPasskey.attestation)
        .join(Attestation.credential)
        .join(SecondFactor, SecondFactor.id == IdentityPasskey.factor_id)
        .where(IdentityPasskey.person_id == person_id, IdentityPasskey.ended_at.is_(None))
        .where(Credential.state.not_in([*OVER, CredentialState.SUSPENDED]), ~fell)
    )
    return session.scalars(query).one_or_none()


def open_check(session: Session, person_id: int) -> Attestation | None:
    """The newest check of the identity that counts, is at most seven days old, and has bound no passkey."""
    now = clock.now()
    fresh = [
        each.attestation
        for each in checks_of(session, [person_id]).get(person_id, [])
        if each.credential.type == TYPE
        and each.attestation.level >= LEAST_LEVEL
        and each.covers(now)
        and now - each.attestation.looked_at <= BIND_WITHIN
    ]
    newest = max(fresh, key=lambda each: each.looked_at, default=None)
    if newest is None:
        return None
    used = sa.exists().where(IdentityPasskey.attestation_id == newest.id)
    return None if session.scalar(sa.select(used)) else newest


def offer_to_bind(session: Session, actor: Actor, nonce: str) -> str:
    """What the browser needs to bind one of the person's passkeys, as JSON."""
    return passkeys.offer_to_verify(
        passkeys.of_person(session, actor.id), challenge_for(nonce, "identity", actor.id)
    )


def bind_passkey(session: Session, actor: Actor, answer: str, nonce: str | None) -> IdentityPasskey:
    """Bind the passkey that answered to the newest check of the person's identity.

    Raises Refused without a check of the last seven days that is still free; Invalid for an answer that is
    not of a passkey of theirs, or without its user verified; TooMany as for codes.
    """
    actor.require(Role.EXPERT)
    limits.spend(session, limits.SECOND_FACTOR, f"identity {actor.id}")
    made = _bind(session, actor, answer, nonce)
    limits.give_back_one(session, limits.SECOND_FACTOR, f"identity {actor.id}")
    return made


def challenge_for(nonce: str | None, purpose: str, *about: object) -> bytes:
    """A challenge for one purpose and thing: an answer to it is an answer to nothing else.

    Raises Invalid without the nonce that this browser was given.
    """
    if not nonce:
        raise Invalid(_("Begin again: this page was open for too long, or in two windows."))
    said = "\n".join([purpose, *map(str, about)]).encode()
    return hashlib.sha256(base64url_to_bytes(nonce) + b"\n" + said).digest()


@use_case
def _bind(session: Session, actor: Actor, answer: str, nonce: str | None) -> IdentityPasskey:
    person = session.get_one(Person, actor.id, with_for_update={"key_share": True}, populate_existing=True)
    attestation = open_check(session, person.id)
    if attestation is None:
        raise Refused(
            _("A passkey is bound within seven days of a check of your identity. Ask for a new check first.")
        )
    factor = passkeys.verify_person(
        session,
        passkeys.of_person(session, person.id),
        answer,
        challenge_for(nonce, "identity", person.id),
    )
    session.execute(
        sa.update(IdentityPasskey)
        .where(IdentityPasskey.person_id == person.id, IdentityPasskey.ended_at.is_(None))
        .values(ended_at=clock.now())
    )
    bound = IdentityPasskey(
        public_id=new_id(),
        person_id=person.id,
        attestation_id=attestation.id,
        factor_id=factor.id,
        label=factor.label,
        credential_id=factor.credential_id or b"",
        public_key=factor.public_key or b"",
        bound_at=clock.now(),
    )
    session.add(bound)
    session.flush()
    audit.record(
        session, actor, "identity.bound", "identity_passkey", bound.public_id,
        attestation=attestation.public_id,
    )  # fmt: skip
    return bound


def _waits(session: Session, person_id: int) -> bool:
    waiting = (CredentialState.NEEDS_REVIEW, CredentialState.INFO_REQUESTED)
    return bool(
        session.scalar(
            sa.select(
                sa.exists().where(
                    Credential.person_id == person_id,
                    Credential.type == TYPE,
                    Credential.state.in_(waiting),
                )
            )
        )
    )
