"""Credentials made through the use cases: claimed by an expert, attested by a reviewer."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

from sqlalchemy.orm import Session

from marketplace import clock
from marketplace.actor import Actor
from marketplace.credentials import claims, reviews, types
from marketplace.credentials.models import Attestation, Credential
from marketplace.storage import Upload

PDF = Upload("licence.pdf", b"%PDF-1.7 a licence")
PNG = Upload("card.png", b"\x89PNG\r\n\x1a\n a card")
_numbers = itertools.count(100_001)


def in_days(days: int) -> date:
    """A calendar day as seen from now."""
    return clock.today("UTC") + timedelta(days=days)


def a_claim(
    session: Session,
    expert: Actor,
    type: str = "us_medical_license",
    *,
    jurisdiction: str | None = "US-CA",
    identifier: str = "",
    expires_on: date | None = None,
    document: Upload | None = None,
) -> Credential:
    """A credential that waits for review; a Californian licence for another year unless said otherwise."""
    return claims.submit_credential(
        session,
        expert,
        type,
        jurisdiction,
        identifier or f"A {next(_numbers)}",
        expert.name,
        expires_on or in_days(365),
        document,
    )


def attested(
    session: Session,
    reviewer: Actor,
    credential: Credential,
    *,
    source_url: str | None = "https://www.docinfo.org/",
    valid_to: date | None = None,
) -> Attestation:
    """The reviewer takes the credential from the queue and verifies it."""
    reviews.claim_review(session, reviewer, credential.public_id)
    return reviews.attest(
        session,
        reviewer,
        credential.public_id,
        source_url,
        clock.today("UTC") if source_url else None,
        types.TYPES[credential.type].agree,
        valid_to=valid_to or credential.expires_on,
    )


def a_verified_credential(
    session: Session,
    expert: Actor,
    reviewer: Actor,
    type: str = "us_medical_license",
    *,
    jurisdiction: str | None = "US-CA",
    identifier: str = "",
    expires_on: date | None = None,
    source_url: str | None = "https://www.docinfo.org/",
) -> Credential:
    """A credential seen at its primary source today."""
    credential = a_claim(
        session, expert, type, jurisdiction=jurisdiction, identifier=identifier, expires_on=expires_on
    )
    attested(session, reviewer, credential, source_url=source_url)
    return credential
