"""Many claims at once, for imports. None counts for being imported: somebody attests, or reviewers look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace import bulk, clock
from marketplace.credentials import jurisdictions, types
from marketplace.credentials.claims import check_kind, check_last_day, check_number, hash_of
from marketplace.credentials.decisions import DOCUMENT_SEEN
from marketplace.credentials.models import Attestation, Credential
from marketplace.credentials.states import OVER, CredentialState, Method, Standing
from marketplace.errors import Invalid
from marketplace.i18n import gettext as _
from marketplace.text import line


@dataclass(frozen=True)
class Claim:
    """A credential as a file names it, checked for its form."""

    type: str
    jurisdiction: str | None
    identifier: str | None
    hash: bytes | None
    expires_on: date | None
    name_on_register: str


def checked(text: str, name: str) -> Claim:
    """Read `type:jurisdiction:identifier:expires`, of which the later may be missing. Raises Invalid."""
    type, jurisdiction, identifier, expires = (*(part.strip() for part in text.split(":", 3)), "", "", "")[:4]
    kind = check_kind(type)
    number = check_number(kind, identifier, name)
    try:
        until = date.fromisoformat(expires) if expires else None
    except ValueError:
        raise Invalid(_("Write the day as 2027-03-31."), field="credentials") from None
    place = kind.place(jurisdiction or None)
    return Claim(
        kind.code, place, number, hash_of(kind, number), check_last_day(kind, until, place), line(name)
    )


def taken(session: Session, hashes: Sequence[bytes]) -> set[bytes]:
    """Which of these identifiers somebody has claimed already."""
    return set(
        session.scalars(
            sa.select(Credential.identifier_hash).where(
                Credential.identifier_hash == sa.any_(sa.literal(list(hashes), sa.ARRAY(sa.LargeBinary))),
                Credential.state.not_in(OVER),
            )
        )
    )


def bring_in(
    session: Session, claims: Sequence[tuple[int, Claim]], attested_by: int | None, note: str
) -> None:
    """Add the claims, each of a person (internal id), in the running transaction.

    They wait for a reviewer, or count from now on with what `attested_by` (internal id) stands for: that
    the documents were seen. Checks no rights.
    """
    now, ids = clock.now(), bulk.new_keys(session, Credential, len(claims))
    made = list(zip(ids, claims, strict=True))
    bulk.copy(
        session,
        Credential,
        (_row(id_, person, claim) for id_, (person, claim) in made),
        state=CredentialState.NEEDS_REVIEW,
        submitted_at=now,
    )
    checks = (_check(id_, claim, attested_by) for id_, (_person, claim) in made)
    bulk.copy(
        session,
        Attestation,
        (row for row in checks if row is not None),
        looked_at=now,
        valid_from=now,
        reviewer_person_id=attested_by,
        note=note,
    )
    if attested_by is not None:
        # Only now: the database takes none as verified that nothing attests.
        mine = Credential.id == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.BigInteger)))
        session.execute(sa.update(Credential).where(mine).values(state=CredentialState.VERIFIED))


def _row(id_: int, person: int, claim: Claim) -> dict[str, object]:
    return {
        "id": id_,
        "public_id": bulk.new_public_id(),
        "person_id": person,
        "type": claim.type,
        "jurisdiction": claim.jurisdiction,
        "identifier": claim.identifier,
        "identifier_mask": types.mask(claim.identifier) if claim.identifier else None,
        "identifier_hash": claim.hash,
        "name_on_register": claim.name_on_register,
        "expires_on": claim.expires_on,
    }


def _check(credential: int, claim: Claim, attested_by: int | None) -> dict[str, object] | None:
    """The check of the form, or what somebody stands for."""
    kind = types.TYPES[claim.type]
    if attested_by is None and not kind.well_formed_means:
        return None
    end = jurisdictions.end_of(claim.expires_on, claim.jurisdiction) if claim.expires_on else None
    by_hand = attested_by is not None
    return {
        "public_id": bulk.new_public_id(),
        "credential_id": credential,
        "method": Method.HAND if by_hand else Method.AUTOMATIC,
        "source": str(kind.source if by_hand else kind.title),
        "fields_agreed": sorted(kind.agree) if by_hand else [],
        "status_at_source": Standing.ACTIVE if by_hand else Standing.UNKNOWN,
        "valid_to": end if by_hand else None,
        "level": DOCUMENT_SEEN if by_hand else 1,
    }
