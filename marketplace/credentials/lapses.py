"""What happens to a credential after a decision: its source changes, or an appeal is upheld."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace import audit, clock
from marketplace.actor import Actor, Role
from marketplace.credentials import hooks
from marketplace.credentials.claims import LIVE_ONCE
from marketplace.credentials.decisions import address, decide, give_reasons, locked, record, require_another
from marketplace.credentials.models import Attestation, Credential
from marketplace.credentials.states import CredentialState, Method, Standing
from marketplace.db import use_case, violated
from marketplace.errors import Invalid, Refused
from marketplace.i18n import gettext as _

REASONS = {
    Standing.CONDITIONS: "conditions",
    Standing.INACTIVE: "not_in_force",
    Standing.SUSPENDED: "not_in_force",
    Standing.REVOKED: "not_in_force",
    Standing.EXPIRED: "lapsed",
    Standing.NOT_FOUND: "not_on_register",
}


@use_case
def record_lapse(
    session: Session,
    actor: Actor,
    public_id: uuid.UUID,
    standing: Standing,
    explanation: str,
    source_url: str,
) -> Credential:
    """A source says of a verified credential that it is not in order any more: suspend it, or revoke it.

    Time from now on does not count; time before does. Raises Invalid for a standing that is in order, or
    without the address where it was seen; Refused for one's own credential or one not verified.
    """
    actor.require(Role.REVIEWER)
    credential = locked(session, public_id)
    require_another(actor, credential)
    reason = REASONS.get(standing)
    if reason is None:
        raise Invalid(_("Choose what the source says."), field="standing")
    if not address(source_url):
        raise Invalid(_("Give the address where you saw it."), field="source_url")
    revoked = standing is Standing.REVOKED
    to = CredentialState.REVOKED if revoked else CredentialState.SUSPENDED
    give_reasons(session, actor, credential, to.value, reason, explanation, source_url)
    record(session, actor, credential, standing, source_url, conditions=explanation)
    decide(session, actor, credential, to)
    return credential


@use_case
def reopen(session: Session, actor: Actor, public_id: uuid.UUID) -> None:
    """An appeal was upheld: another reviewer looks again. Nothing happens when it has moved on meanwhile.

    Raises Refused when somebody else has claimed the same number since.
    """
    credential = locked(session, public_id)
    fallen = {CredentialState.REJECTED, CredentialState.SUSPENDED, CredentialState.REVOKED}
    if credential.state not in fallen:
        return
    credential.barred_reviewer_id = _last_reviewer(session, credential)
    try:
        with session.begin_nested():
            credential.move(CredentialState.NEEDS_REVIEW)
            credential.submitted_at = clock.now()
    except IntegrityError as error:
        if violated(error) != LIVE_ONCE:
            raise
        raise Refused(_("Somebody else has claimed this number since. Settle with both first.")) from error
    audit.record(session, actor, "reopen", "credential", credential.public_id)
    hooks.tell_changed(session, credential.person_id)


def _last_reviewer(session: Session, credential: Credential) -> int | None:
    return session.scalar(
        sa.select(Attestation.reviewer_person_id)
        .filter_by(credential_id=credential.id, method=Method.HAND)
        .order_by(Attestation.looked_at.desc(), Attestation.id.desc())
        .limit(1)
    )
