"""What every decision about a credential has in common: the check recorded, the reasons given, the move."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import audit, clock, reasons
from marketplace.actor import Actor
from marketplace.credentials import hooks, types
from marketplace.credentials.models import Attestation, Credential
from marketplace.credentials.states import CredentialState, Method, Standing
from marketplace.db import new_id
from marketplace.errors import Invalid, NotFound, Refused
from marketplace.i18n import gettext as _
from marketplace.storage import Document
from marketplace.text import line, paragraph

SEEN_AT_SOURCE, DOCUMENT_SEEN, NOT_SEEN = 4, 2, 0
# What a reason for a decision says of the credential's standing.
STANDING_BY_REASON = {
    "not_on_register": Standing.NOT_FOUND,
    "not_in_force": Standing.INACTIVE,
    "lapsed": Standing.EXPIRED,
    "conditions": Standing.CONDITIONS,
}


def locked(session: Session, public_id: uuid.UUID) -> Credential:
    """The credential, for change. Raises NotFound."""
    found = session.scalars(sa.select(Credential).filter_by(public_id=public_id).with_for_update()).first()
    if found is None:
        raise NotFound(_("There is no such credential."))
    return found


def require_another(actor: Actor, credential: Credential) -> None:
    """Raise Refused for its owner, and for the reviewer whose decision on it fell."""
    if credential.person_id == actor.id:
        raise Refused(_("This is your own credential. A colleague has to review it."))
    if credential.barred_reviewer_id == actor.id:
        raise Refused(_("Your earlier decision fell on appeal. Another reviewer has to look at this one."))


def record(
    session: Session,
    actor: Actor,
    credential: Credential,
    standing: Standing,
    source_url: str | None,
    *,
    source_as_of: date | None = None,
    fields_agreed: list[str] | None = None,
    valid_to: datetime | None = None,
    note: str | None = None,
    conditions: str | None = None,
) -> Attestation:
    """Add the check; the document is bound by its hash, so that another file can never take its place."""
    kind, now = types.TYPES[credential.type], clock.now()
    document = session.get(Document, credential.document_id) if credential.document_id else None
    url = address(source_url)
    attestation = Attestation(
        public_id=new_id(),
        credential=credential,
        method=Method.HAND,
        source=str(kind.source),
        source_url=url,
        source_as_of=source_as_of,
        looked_at=now,
        reviewer_person_id=actor.id,
        fields_agreed=fields_agreed or [],
        status_at_source=standing,
        conditions=paragraph(conditions or "") if standing is Standing.CONDITIONS else None,
        valid_from=now,
        valid_to=valid_to,
        level=SEEN_AT_SOURCE if url else DOCUMENT_SEEN if standing is Standing.ACTIVE else NOT_SEEN,
        evidence_document_id=document.id if document else None,
        evidence_sha256=document.sha256 if document else None,
        note=paragraph(note or "") or None,
    )
    session.add(attestation)
    session.flush()
    return attestation


def decide(session: Session, actor: Actor, credential: Credential, to: CredentialState) -> None:
    """Move it, forget what was asked about it, and tell who wants to know."""
    credential.move(to)
    credential.question = credential.answer = credential.noticed_days = None
    audit.record(session, actor, to.value, "credential", credential.public_id)
    hooks.tell_changed(session, credential.person_id)


def give_reasons(
    session: Session,
    actor: Actor,
    credential: Credential,
    decision: str,
    reason_code: str,
    explanation: str,
    source_url: str | None,
) -> None:
    """A statement of reasons to its owner. Raises Invalid for a reason or explanation that will not do."""
    kind = types.TYPES[credential.type]
    evidence = {str(kind.source): line(source_url or "") or _("the document that was sent")}
    reasons.state(
        session,
        actor,
        person_id=credential.person_id,
        subject_kind="credential",
        subject_id=credential.public_id,
        decision=decision,
        reason_code=reason_code,
        explanation=explanation,
        evidence=evidence,
    )


def address(url: str | None) -> str | None:
    """The address of a source, safe to be shown as a link; None when none was given."""
    kept = line(url or "")
    if kept and (urlsplit(kept).scheme not in ("https", "http") or not urlsplit(kept).hostname):
        raise Invalid(_("Write the full address of the source, starting with https://."), field="source_url")
    return kept or None
