"""People, organizations and roles. A person is not a sign-in: duties are separated by person."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.actor import Role
from marketplace.crypto import Sealed
from marketplace.db import Base, Json, Key, Public, Word


class OrganizationKind(StrEnum):
    """Who an organization is to the site."""

    CLIENT = "client"
    PLATFORM = "platform"


class Theme(StrEnum):
    """How a person wants pages to look; `system` follows their device."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class LinkPurpose(StrEnum):
    """What opening a link from an e-mail does."""

    VERIFY = "verify"
    RESET = "reset"
    INVITE = "invite"
    CLAIM = "claim"


class FactorKind(StrEnum):
    """How a second factor proves itself: six digits (RFC 6238) or a passkey (WebAuthn)."""

    TOTP = "totp"
    PASSKEY = "passkey"


class Organization(Public, Base):
    """A client's company, or the one that runs the site. `verified_at` says an operator knows who it is.

    The legal name, address and tax number are what stands on invoices, as the client wrote them.
    """

    __tablename__ = "organizations"
    __table_args__ = (
        sa.Index(
            "uq_organizations_platform",
            "kind",
            unique=True,
            postgresql_where=sa.text("kind = 'platform'"),
        ),
    )

    id: Mapped[Key]
    kind: Mapped[OrganizationKind] = mapped_column(Word(OrganizationKind))
    name: Mapped[str]
    country: Mapped[str]
    verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    legal_name: Mapped[str | None]
    legal_address: Mapped[str | None]
    tax_number: Mapped[str | None]


class Person(Public, Base):
    """A human being. `email` is where to write to; `country` is ISO 3166-1 alpha-2, `time_zone` IANA."""

    __tablename__ = "people"
    __table_args__ = (sa.Index(None, "email"),)

    id: Mapped[Key]
    full_name: Mapped[str]
    email: Mapped[str]
    country: Mapped[str]
    time_zone: Mapped[str]
    locale: Mapped[str] = mapped_column(default="en_US")
    theme: Mapped[Theme] = mapped_column(Word(Theme), default=Theme.SYSTEM)
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class RoleGrant(Public, Base):
    """A role held from `granted_at` until `ended_at`; `granted_by` is None where the site gave it."""

    __tablename__ = "role_grants"
    __table_args__ = (
        sa.Index(
            "uq_role_grants_live",
            "person_id",
            "role",
            "organization_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    role: Mapped[Role] = mapped_column(Word(Role))
    organization_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organizations.id"), index=True)
    granted_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    granted_at: Mapped[datetime]
    ended_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(foreign_keys=person_id, lazy="raise")
    organization: Mapped[Organization | None] = relationship(lazy="raise")


class Delegation(Public, Base):
    """Who stands in for a client's person while they are away, from the first day to the last, both whole on
    that person's clock: [`starts_at`, `ends_at`) in UTC. Taken back at `ended_at`."""

    __tablename__ = "delegations"
    __table_args__ = (
        ExcludeConstraint(
            ("organization_id", "="),
            ("person_id", "="),
            (sa.func.tstzrange(sa.column("starts_at"), sa.column("ends_at")), "&&"),
            name="ex_delegations_one_at_a_time",
            where=sa.text("ended_at IS NULL"),
            using="gist",
        ),
        sa.Index("ix_delegations_delegate_id", "delegate_id", "ends_at"),
    )

    id: Mapped[Key]
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    delegate_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    first_day: Mapped[date]
    last_day: Mapped[date]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))

    organization: Mapped[Organization] = relationship()
    person: Mapped[Person] = relationship(foreign_keys=[person_id])
    delegate: Mapped[Person] = relationship(foreign_keys=[delegate_id])


class SignIn(Public, Base):
    """One way in for a person: an address, lower-cased, and a password (Argon2id)."""

    __tablename__ = "sign_ins"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    email_verified_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class EmailLink(Public, Base):
    """A secret sent to `email`, kept as its hash: works once, until `expires_at`.

    An invitation names the organization and the role it offers, a claim the person who has no sign-in yet;
    the others name the sign-in they are for.
    """

    __tablename__ = "email_links"

    id: Mapped[Key]
    purpose: Mapped[LinkPurpose] = mapped_column(Word(LinkPurpose))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    email: Mapped[str]
    sign_in_id: Mapped[int | None] = mapped_column(sa.ForeignKey("sign_ins.id"), index=True)
    organization_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organizations.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"), index=True)
    role: Mapped[Role | None] = mapped_column(Word(Role))
    invited_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    sign_in: Mapped[SignIn | None] = relationship(lazy="raise")
    organization: Mapped[Organization | None] = relationship(lazy="raise")


class SecondFactor(Public, Base):
    """A way to prove presence besides the password; counts once it is confirmed.

    `last_step` is the last 30-second step whose code was taken, so that no code works twice (RFC 6238 5.2).
    """

    __tablename__ = "second_factors"

    id: Mapped[Key]
    sign_in_id: Mapped[int] = mapped_column(sa.ForeignKey("sign_ins.id"), index=True)
    kind: Mapped[FactorKind] = mapped_column(Word(FactorKind))
    label: Mapped[str]
    secret: Mapped[str | None] = mapped_column(Sealed("second_factors.secret"))
    last_step: Mapped[int | None]
    credential_id: Mapped[bytes | None] = mapped_column(unique=True)
    public_key: Mapped[bytes | None]
    sign_count: Mapped[int | None]
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that stands in for a lost second factor, once."""

    __tablename__ = "recovery_codes"

    id: Mapped[Key]
    sign_in_id: Mapped[int] = mapped_column(sa.ForeignKey("sign_ins.id"), index=True)
    code_hash: Mapped[bytes] = mapped_column(unique=True)
    used_at: Mapped[datetime | None]


class WebSession(Public, Base):
    """A browser's session, known by the hash of its cookie; ended here, whatever the browser keeps."""

    __tablename__ = "web_sessions"
    __table_args__ = (sa.Index(None, "ends_at"),)

    id: Mapped[Key]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    sign_in_id: Mapped[int | None] = mapped_column(sa.ForeignKey("sign_ins.id"), index=True)
    data: Mapped[Json]
    user_agent: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    second_factor_at: Mapped[datetime | None]
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    sign_in: Mapped[SignIn | None] = relationship(lazy="raise")


class Attempt(Base):
    """One try at something that is limited, such as a password for an address."""

    __tablename__ = "attempts"
    __table_args__ = (sa.Index(None, "key", "at"),)

    id: Mapped[Key]
    key: Mapped[str]
    at: Mapped[datetime]
