"""What experts do with their own credentials: submit, send again, withdraw."""

from __future__ import annotations

import uuid
from datetime import date

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import audit, clock, storage
from marketplace.accounts import limits
from marketplace.actor import Actor, Role
from marketplace.credentials import hooks, jurisdictions, types
from marketplace.credentials.models import Attestation, Credential
from marketplace.credentials.states import CredentialState, Method, Standing
from marketplace.credentials.types import Ask, CredentialType
from marketplace.crypto import fingerprint
from marketplace.db import new_id, use_case, violated
from marketplace.errors import Invalid, NotFound
from marketplace.i18n import gettext as _
from marketplace.storage import Upload
from marketplace.text import line, paragraph

LIVE_ONCE = "uq_credentials_live_identifier"


def submit_credential(
    session: Session,
    actor: Actor,
    type: str,
    jurisdiction: str | None,
    identifier: str | None,
    name_on_register: str,
    expires_on: date | None = None,
    document: Upload | None = None,
) -> Credential:
    """Claim a credential; a well-formed one waits for a reviewer, and counts for nothing until then.

    Raises Invalid, naming the input, for what is missing, mistyped, past, or claimed by somebody already;
    TooMany after many documents.
    """
    actor.require(Role.EXPERT)
    _count(session, actor, document)
    return _submit(session, actor, type, jurisdiction, identifier, name_on_register, expires_on, document)


@use_case
def _submit(
    session: Session,
    actor: Actor,
    type: str,
    jurisdiction: str | None,
    identifier: str | None,
    name_on_register: str,
    expires_on: date | None,
    document: Upload | None,
) -> Credential:
    kind = check_kind(type)
    place, number = kind.place(jurisdiction), check_number(kind, identifier, name_on_register)
    _require_document(kind, document is not None)
    credential = Credential(
        public_id=new_id(),
        person_id=actor.id,
        type=kind.code,
        jurisdiction=place,
        identifier=number,
        identifier_mask=types.mask(number) if number else None,
        identifier_hash=hash_of(kind, number),
        name_on_register=_name(name_on_register),
        state=CredentialState.NEEDS_REVIEW,
        expires_on=check_last_day(kind, expires_on, place),
        submitted_at=clock.now(),
    )
    _add_once(session, credential)
    _attest_form(session, credential, kind)
    # The last that can be refused: of a claim that is refused before, no file is left.
    credential.document_id = _keep(session, actor, document)
    audit.record(session, actor, "submit", "credential", credential.public_id, type=kind.code)
    hooks.tell_changed(session, actor.id)
    return credential


def resubmit_credential(
    session: Session,
    actor: Actor,
    public_id: uuid.UUID,
    *,
    expires_on: date | None = None,
    answer: str = "",
    document: Upload | None = None,
) -> Credential:
    """Send one's credential to review again: to answer a question, to renew it, or for a fresh check.

    What was verified goes on counting until its own end. Raises NotFound, Refused when its state does not
    allow it, Invalid for what is missing; TooMany after many documents.
    """
    _count(session, actor, document)
    return _resubmit(session, actor, public_id, expires_on, answer, document)


@use_case
def _resubmit(
    session: Session,
    actor: Actor,
    public_id: uuid.UUID,
    expires_on: date | None,
    answer: str,
    document: Upload | None,
) -> Credential:
    credential = _own(session, actor, public_id)
    kind = check_kind(credential.type)
    if credential.question is not None and not line(answer):
        raise Invalid(_("Answer what the reviewer asked."), field="answer")
    credential.move(CredentialState.NEEDS_REVIEW)
    credential.expires_on = check_last_day(kind, expires_on or credential.expires_on, credential.jurisdiction)
    credential.answer = paragraph(answer) or None
    credential.document_id = _keep(session, actor, document) or credential.document_id
    credential.submitted_at = clock.now()
    audit.record(session, actor, "resubmit", "credential", credential.public_id)
    hooks.tell_changed(session, actor.id)
    return credential


@use_case
def withdraw_credential(session: Session, actor: Actor, public_id: uuid.UUID) -> Credential:
    """Take back one's credential: it counts for nothing from now on; hours worked before keep their proof."""
    credential = _own(session, actor, public_id)
    credential.move(CredentialState.WITHDRAWN)
    credential.withdrawn_at = clock.now()
    audit.record(session, actor, "withdraw", "credential", credential.public_id)
    hooks.tell_changed(session, actor.id)
    return credential


def _own(session: Session, actor: Actor, public_id: uuid.UUID) -> Credential:
    found = session.scalars(
        sa.select(Credential).filter_by(public_id=public_id, person_id=actor.id).with_for_update()
    ).first()
    if found is None:
        raise NotFound(_("There is no such credential."))
    return found


def check_kind(code: str) -> CredentialType:
    """The type with this code. Raises Invalid."""
    kind = types.find(code)
    if kind is None:
        raise Invalid(_("Choose what kind of credential it is."), field="type")
    return kind


def check_number(kind: CredentialType, identifier: str | None, name: str) -> str | None:
    """The identifier as it is kept. A check digit proves typing, never standing."""
    if kind.number is None:
        return None
    number = kind.normal(line(identifier or ""))
    mistake = kind.check(number, line(name))
    if mistake:
        raise Invalid(mistake, field="identifier")
    return number


def _name(name: str) -> str:
    kept = line(name)
    if not kept:
        raise Invalid(_("Write your name as the register shows it."), field="name_on_register")
    return kept


def check_last_day(kind: CredentialType, expires_on: date | None, place: str | None) -> date | None:
    """The day to keep: one that has not passed, or None where nothing expires. Raises Invalid."""
    if not kind.expires:
        return None
    if expires_on is None:
        raise Invalid(_("Say until when it is valid."), field="expires_on")
    if jurisdictions.end_of(expires_on, place) <= clock.now():
        raise Invalid(_("This day has passed. Renew it with the issuer first."), field="expires_on")
    return expires_on


def _require_document(kind: CredentialType, sent: bool) -> None:
    if kind.document is Ask.MUST and not sent:
        raise Invalid(_("Add a copy of the document: PDF, PNG or JPEG."), field="document")


def _count(session: Session, actor: Actor, document: Upload | None) -> None:
    """In a transaction of its own: a document that is refused counts too."""
    if document is not None:
        limits.spend(session, limits.DOCUMENTS, str(actor.id))


def _keep(session: Session, actor: Actor, document: Upload | None) -> int | None:
    return storage.keep(session, actor.id, document.name, document.data).id if document else None


def hash_of(kind: CredentialType, number: str | None) -> bytes | None:
    """By which the same identifier is found again; None where two people may share one."""
    return fingerprint(kind.key(number), f"credentials.{kind.code}") if number and kind.unique else None


def _add_once(session: Session, credential: Credential) -> None:
    try:
        with session.begin_nested():
            session.add(credential)
    except IntegrityError as error:
        if violated(error) != LIVE_ONCE:
            raise
        sentence = _("This number is on the site already. If it is yours, ask an operator to look into it.")
        raise Invalid(sentence, field="identifier") from error


def _attest_form(session: Session, credential: Credential, kind: CredentialType) -> None:
    if not kind.well_formed_means:
        return
    session.add(
        Attestation(
            public_id=new_id(),
            credential=credential,
            method=Method.AUTOMATIC,
            source=str(kind.title),
            looked_at=clock.now(),
            fields_agreed=[],
            status_at_source=Standing.UNKNOWN,
            valid_from=clock.now(),
            level=1,
        )
    )
