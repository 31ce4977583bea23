"""Credentials that experts claim, and the dated checks (attestations) that say what the source said."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Person, SecondFactor
from marketplace.actor import Actor, Role
from marketplace.credentials.states import OVER, CredentialState, Method, Standing, require_move
from marketplace.crypto import Sealed
from marketplace.db import Base, Key, Public, Word
from marketplace.storage import Document


class Credential(Public, Base):
    """What an expert says of themselves. The number is sealed; its mask is for screens, its hash for look-up.

    `expires_on` is the last day on which it is valid, in the place that issued it. `question` is what a
    reviewer asked, `answer` what the expert said to it. `barred_reviewer_id` decided before an appeal was
    upheld. `noticed_days` is the last notice of expiry given: 60, 30 or 7 days before.
    """

    __tablename__ = "credentials"
    __table_args__ = (
        sa.Index("ix_credentials_person_id_type", "person_id", "type"),
        sa.Index(
            "ix_credentials_waiting",
            "submitted_at",
            "id",
            postgresql_where=sa.text("state = 'needs_review'"),
        ),
        sa.Index(
            "ix_credentials_expires_on",
            "expires_on",
            postgresql_where=sa.text("state IN ('verified', 'expiring')"),
        ),
        sa.Index(None, "identifier_hash"),
        sa.Index(
            "uq_credentials_live_identifier",
            "type",
            "jurisdiction",
            "identifier_hash",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=sa.text(
                "identifier_hash IS NOT NULL AND state NOT IN ('rejected', 'revoked', 'withdrawn')"
            ),
        ),
    )

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    type: Mapped[str]
    jurisdiction: Mapped[str | None]
    identifier: Mapped[str | None] = mapped_column(Sealed("credentials.identifier"))
    identifier_mask: Mapped[str | None]
    identifier_hash: Mapped[bytes | None]
    name_on_register: Mapped[str]
    state: Mapped[CredentialState] = mapped_column(Word(CredentialState))
    expires_on: Mapped[date | None]
    document_id: Mapped[int | None] = mapped_column(sa.ForeignKey("documents.id"))
    submitted_at: Mapped[datetime]
    claimed_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    lease_until: Mapped[datetime | None]
    question: Mapped[str | None]
    answer: Mapped[str | None]
    barred_reviewer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    withdrawn_at: Mapped[datetime | None]
    noticed_days: Mapped[int | None]

    person: Mapped[Person] = relationship(foreign_keys=[person_id])
    document: Mapped[Document | None] = relationship()

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """One's own, and all of them for those who review."""
        if actor.has(Role.REVIEWER, Role.OPERATOR):
            return sa.true()
        return cls.person_id == actor.id

    @property
    def over(self) -> bool:
        """Has it ended, so that the same number may be submitted anew?"""
        return self.state in OVER

    def move(self, to: CredentialState) -> None:
        """Change the state. Raises Refused when that is no allowed move."""
        require_move(self.state, to)
        self.state = to
        self.claimed_by = self.lease_until = None


class Attestation(Public, Base):
    """One dated check: who looked, where, how, what agreed, and what the source said. Append-only.

    It speaks for the interval [`valid_from`, `valid_to`) in UTC. `level` is 0 self-stated, 1 format,
    2 document seen, 3 registry file, 4 primary source seen.
    """

    __tablename__ = "attestations"
    __table_args__ = (sa.Index("ix_attestations_credential_id", "credential_id", "looked_at"),)

    id: Mapped[Key]
    credential_id: Mapped[int] = mapped_column(sa.ForeignKey("credentials.id"))
    method: Mapped[Method] = mapped_column(Word(Method))
    source: Mapped[str]
    source_url: Mapped[str | None]
    source_as_of: Mapped[date | None]
    looked_at: Mapped[datetime]
    reviewer_person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    fields_agreed: Mapped[list[str]] = mapped_column(ARRAY(sa.Text))
    status_at_source: Mapped[Standing] = mapped_column(Word(Standing))
    conditions: Mapped[str | None]
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    level: Mapped[int] = mapped_column(sa.SmallInteger)
    evidence_document_id: Mapped[int | None] = mapped_column(sa.ForeignKey("documents.id"))
    evidence_sha256: Mapped[bytes | None]
    note: Mapped[str | None]

    credential: Mapped[Credential] = relationship()


class IdentityPasskey(Public, Base):
    """The passkey that a person bound to a check of their identity: whoever holds it is who was checked.

    Its key is kept here, so that what it confirmed can be verified when it is gone from the account. One
    check binds one passkey; the one before ends then.
    """

    __tablename__ = "identity_passkeys"
    __table_args__ = (
        sa.Index(
            "uq_identity_passkeys_live",
            "person_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    attestation_id: Mapped[int] = mapped_column(sa.ForeignKey("attestations.id"), unique=True)
    factor_id: Mapped[int | None] = mapped_column(sa.ForeignKey("second_factors.id", ondelete="SET NULL"))
    label: Mapped[str]
    credential_id: Mapped[bytes]
    public_key: Mapped[bytes]
    bound_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    attestation: Mapped[Attestation] = relationship()
    factor: Mapped[SecondFactor | None] = relationship()
