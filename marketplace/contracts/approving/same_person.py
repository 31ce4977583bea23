"""Weeks that have to come from the same person: submitting asks for the passkey of the checked identity.

Pay that was earned is never withheld for a missing passkey: what the site submits is marked, and that is all.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload
from webauthn.helpers import bytes_to_base64url

from marketplace import audit, clock
from marketplace.accounts import passkeys
from marketplace.actor import Actor
from marketplace.contracts.approving.models import WeekConfirmation
from marketplace.contracts.models import Contract, Offer, Timesheet
from marketplace.contracts.states import TimesheetState
from marketplace.credentials import identity
from marketplace.credentials.models import IdentityPasskey
from marketplace.errors import Refused
from marketplace.i18n import gettext as _

PURPOSE = "submit week"


@dataclass(frozen=True)
class Answer:
    """What the passkey answered, and the nonce that this browser was given."""

    text: str
    nonce: str | None


def asked_for(contract: Contract) -> bool:
    """Does the contract ask for the passkey each week? A paid test, which the site measures, never does."""
    return contract.offer.same_person and contract.test_id is None


def returned() -> sa.ColumnElement[bool]:
    """Weeks that came back to their expert and are submitted with the passkey only."""
    asks = Timesheet.contract.has(sa.and_(Contract.offer.has(Offer.same_person), Contract.test_id.is_(None)))
    return sa.and_(Timesheet.state == TimesheetState.RETURNED, asks)


def offer_to_confirm(sheet: Timesheet, bound: IdentityPasskey) -> tuple[str, str]:
    """What the browser needs to confirm this version of the week, as JSON, and a nonce to remember."""
    nonce = bytes_to_base64url(secrets.token_bytes(32))
    factors = [bound.factor] if bound.factor else []
    return passkeys.offer_to_verify(factors, challenge_of(sheet, sheet.version, nonce)), nonce


def challenge_of(sheet: Timesheet, version: int, nonce: str | None) -> bytes:
    """The challenge for one version of one week."""
    return identity.challenge_for(nonce, PURPOSE, sheet.public_id, version)


def verify(
    session: Session, actor: Actor, sheet: Timesheet, version: int, answer: Answer | None
) -> WeekConfirmation | None:
    """The confirmation of this version, to be kept when it is submitted; None where none is asked for.

    Raises Refused without an answer or a bound passkey, Invalid for the answer of another device, to another
    challenge, or without its user verified.
    """
    if not asked_for(sheet.contract):
        return None
    bound = identity.bound_of(session, actor.id)
    if answer is None or bound is None or bound.factor is None:
        raise Refused(
            _("This week is confirmed with the passkey of your identity. Open it, and submit it there.")
        )
    challenge = challenge_of(sheet, version, answer.nonce)
    passkeys.verify_person(session, [bound.factor], answer.text, challenge)
    return WeekConfirmation(
        timesheet_id=sheet.id,
        version=version,
        passkey=bound,
        challenge=challenge,
        answer=answer.text,
    )


def keep(session: Session, actor: Actor, sheet: Timesheet, confirmation: WeekConfirmation) -> None:
    """Keep it with the submission that it confirmed."""
    confirmation.at = sheet.submitted_at or clock.now()
    session.add(confirmation)
    session.flush()
    audit.record(
        session, actor, "timesheet.confirmed", "timesheet", sheet.public_id,
        version=confirmation.version, passkey=confirmation.passkey.public_id,
    )  # fmt: skip


def unconfirmed(session: Session, sheets: sa.Select[Timesheet]) -> set[int]:
    """Which of these submitted weeks (internal ids) lack the confirmation that their contract asks for."""
    ids = sheets.with_only_columns(Timesheet.id, maintain_column_froms=True)
    confirmed = sa.exists().where(
        WeekConfirmation.timesheet_id == Timesheet.id, WeekConfirmation.at == Timesheet.submitted_at
    )
    query = (
        sa.select(Timesheet.id)
        .join(Timesheet.contract)
        .join(Contract.offer)
        .where(Timesheet.id.in_(ids), Offer.same_person, Contract.test_id.is_(None), ~confirmed)
    )
    return set(session.scalars(query))


def confirmation_of(session: Session, sheet: Timesheet) -> WeekConfirmation | None:
    """By which passkey the week was confirmed as it was submitted last; None when it was not."""
    query = sa.select(WeekConfirmation).where(
        WeekConfirmation.timesheet_id == sheet.id, WeekConfirmation.at == sheet.submitted_at
    )
    return session.scalars(query.options(joinedload(WeekConfirmation.passkey))).one_or_none()
