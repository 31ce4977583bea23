"""What must hold of every credential."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.credentials.gate import speaking
from marketplace.credentials.models import Attestation, Credential
from marketplace.credentials.states import COUNTING, CredentialState, Method
from marketplace.proof import Drift, Proof

# How long after its last moment a credential may wait for the job that calls it expired.
JOB_SLACK = timedelta(days=1)
CHUNK = 1_000


def verified_are_attested(session: Session) -> Iterator[Drift]:
    """What is called verified rests on an attestation that speaks for now."""
    moment = clock.now() - JOB_SLACK
    for credential, attestations in _with_checks(session, COUNTING):
        checks = speaking(credential, attestations)
        if not any(check.end is None or check.end > moment for check in checks):
            yield Drift(f"credential {credential.public_id}", "an attestation in force", "none")


def expired_do_not_count(session: Session) -> Iterator[Drift]:
    """What is called expired is spoken for by no attestation."""
    for credential, attestations in _with_checks(session, {CredentialState.EXPIRED}):
        if any(check.covers(clock.now()) for check in speaking(credential, attestations)):
            yield Drift(f"credential {credential.public_id}", "no attestation in force", "one in force")


PROOFS = [
    Proof("V1", "Every verified credential rests on an attestation in force", verified_are_attested),
    Proof("V2", "No expired credential counts", expired_do_not_count),
]


def _with_checks(
    session: Session, states: set[CredentialState] | frozenset[CredentialState]
) -> Iterator[tuple[Credential, list[Attestation]]]:
    last = 0
    query = sa.select(Credential).where(Credential.state.in_(states)).order_by(Credential.id).limit(CHUNK)
    while found := session.scalars(query.where(Credential.id > last)).all():
        last = found[-1].id
        rows = session.scalars(
            sa.select(Attestation)
            .where(Attestation.credential_id.in_([each.id for each in found]))
            .where(Attestation.method != Method.AUTOMATIC)
            .order_by(Attestation.looked_at, Attestation.id)
        )
        by_credential: dict[int, list[Attestation]] = defaultdict(list)
        for attestation in rows:
            by_credential[attestation.credential_id].append(attestation)
        yield from ((each, by_credential[each.id]) for each in found)
