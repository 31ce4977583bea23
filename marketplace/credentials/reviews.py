"""What reviewers do with what waits: claim it, attest it, ask for more, or reject it.

Nobody reviews their own credential, nor again one whose first decision by them fell on appeal.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.credentials import jurisdictions, notices, types
from marketplace.credentials.decisions import (
    STANDING_BY_REASON,
    decide,
    give_reasons,
    locked,
    record,
    require_another,
)
from marketplace.credentials.models import Attestation, Credential
from marketplace.credentials.states import CredentialState, Standing
from marketplace.credentials.types import CredentialType
from marketplace.db import use_case
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _
from marketplace.text import paragraph

LEASE = timedelta(minutes=30)


@use_case
def claim_review(session: Session, actor: Actor, public_id: uuid.UUID) -> Credential:
    """Take a waiting credential for half an hour, or keep it for another.

    Raises NotFound, or Refused when it does not wait, is one's own, was decided by oneself before an appeal,
    or is in a colleague's hands.
    """
    actor.require(Role.REVIEWER)
    credential = locked(session, public_id)
    require_another(actor, credential)
    if credential.state is not CredentialState.NEEDS_REVIEW:
        raise Refused(_("This credential does not wait for a review any more."))
    if _held_by_colleague(actor, credential):
        raise Refused(_("A colleague is looking at this one. Take the next."))
    credential.claimed_by, credential.lease_until = actor.id, clock.now() + LEASE
    audit.record(session, actor, "claim", "credential", credential.public_id)
    return credential


@use_case
def release_review(session: Session, actor: Actor, public_id: uuid.UUID) -> Credential:
    """Put a claimed credential back into the queue. Raises Refused when it is not in one's hands."""
    credential = _claimed(session, actor, public_id)
    credential.claimed_by = credential.lease_until = None
    audit.record(session, actor, "release", "credential", credential.public_id)
    return credential


@use_case
def attest(
    session: Session,
    actor: Actor,
    credential_public_id: uuid.UUID,
    source_url: str | None,
    source_as_of: date | None,
    fields_agreed: Collection[str],
    status_at_source: Standing = Standing.ACTIVE,
    conditions: str | None = None,
    valid_to: date | None = None,
    note: str | None = None,
) -> Attestation:
    """Record that everything agreed, and verify the credential through `valid_to`, its last day.

    With `source_url` the primary source was seen (level 4), without it only the document (level 2).
    Raises Refused unless the reviewer holds it, the status is active without conditions and every field that
    the type asks for agrees, the name always among them; Invalid for days that cannot be.
    """
    credential = _claimed(session, actor, credential_public_id)
    kind = types.TYPES[credential.type]
    _require_agreement(kind, fields_agreed, status_at_source, conditions)
    _require_recent(kind, source_as_of)
    _require_something_seen(credential, source_url)
    end = _end(kind, valid_to, credential.jurisdiction)
    attestation = record(
        session, actor, credential, Standing.ACTIVE, source_url,
        source_as_of=source_as_of, fields_agreed=sorted(fields_agreed), valid_to=end, note=note,
    )  # fmt: skip
    credential.expires_on = valid_to if kind.expires else None
    decide(session, actor, credential, CredentialState.VERIFIED)
    notices.verified(session, credential)
    return attestation


@use_case
def request_info(session: Session, actor: Actor, public_id: uuid.UUID, question: str) -> Credential:
    """Ask the expert for more; the credential waits for their answer. Raises Invalid without a question."""
    credential = _claimed(session, actor, public_id)
    asked = paragraph(question)
    if not asked:
        raise Invalid(_("Write what you need, and why."), field="question")
    credential.question, credential.answer = asked, None
    credential.move(CredentialState.INFO_REQUESTED)
    audit.record(session, actor, "ask", "credential", credential.public_id)
    notices.asked(session, credential)
    return credential


@use_case
def reject(
    session: Session,
    actor: Actor,
    public_id: uuid.UUID,
    reason_code: str,
    explanation: str,
    source_url: str | None = None,
) -> Credential:
    """Do not accept a claim, with a statement of reasons to the expert. Ends what earlier checks said.

    Raises Refused unless the reviewer holds it, Invalid without a known reason and an explanation.
    """
    credential = _claimed(session, actor, public_id)
    standing = STANDING_BY_REASON.get(reason_code, Standing.UNKNOWN)
    give_reasons(session, actor, credential, "rejected", reason_code, explanation, source_url)
    record(session, actor, credential, standing, source_url, conditions=explanation)
    decide(session, actor, credential, CredentialState.REJECTED)
    return credential


def _claimed(session: Session, actor: Actor, public_id: uuid.UUID) -> Credential:
    actor.require(Role.REVIEWER)
    credential = locked(session, public_id)
    require_another(actor, credential)
    lease = credential.lease_until
    if credential.claimed_by != actor.id or lease is None or lease <= clock.now():
        raise Refused(_("Your half hour with this credential is over. Take it again from the queue."))
    return credential


def _held_by_colleague(actor: Actor, credential: Credential) -> bool:
    lease = credential.lease_until
    return credential.claimed_by not in (None, actor.id) and lease is not None and lease > clock.now()


def _require_agreement(
    kind: CredentialType, agreed: Collection[str], standing: Standing, conditions: str | None
) -> None:
    if standing is not Standing.ACTIVE or conditions:
        raise Refused(_("Only what the source calls active, without conditions, can be verified. Reject it."))
    missing = [types.agreement(name) for name in kind.agree if name not in agreed]
    if missing:
        sentence = _("Everything has to agree. Not ticked: %(what)s. Ask for more, or reject it.")
        raise Refused(sentence % {"what": "; ".join(missing)})


def _require_recent(kind: CredentialType, as_of: date | None) -> None:
    if as_of is None:
        return
    age = (clock.today("UTC") - as_of).days
    if age < -1:
        raise Invalid(_("The source cannot speak for a day to come."), field="source_as_of")
    if age > kind.source_days:
        sentence = _("The source is older than %(days)s days. Look for a newer one.", days=kind.source_days)
        raise Invalid(sentence, field="source_as_of")


def _require_something_seen(credential: Credential, source_url: str | None) -> None:
    if not source_url and credential.document_id is None:
        sentence = _("No document was sent, so say where you looked it up: give the address of the page.")
        raise Invalid(sentence, field="source_url")


def _end(kind: CredentialType, valid_to: date | None, place: str | None) -> datetime | None:
    if not kind.expires:
        return None
    if valid_to is None:
        raise Invalid(_("Write the last day of validity that the source shows."), field="valid_to")
    end = jurisdictions.end_of(valid_to, place)
    if end <= clock.now():
        raise Invalid(_("It has expired. Reject it, or ask for the renewal."), field="valid_to")
    return end
