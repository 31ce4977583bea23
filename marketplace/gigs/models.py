"""Projects, gigs, what experts say of themselves, and how the two come together."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from marketplace.accounts.models import Organization, Person
from marketplace.actor import CLIENT, Actor, Role
from marketplace.db import Base, Key, Public, Word
from marketplace.gigs.qualification.models import QualificationTest
from marketplace.gigs.states import (
    BOUND,
    LIVE,
    ApplicationState,
    GigState,
    InvitationState,
    Kept,
    Mark,
    Owner,
    ProjectState,
    TaskKind,
)
from marketplace.money import Money

TEXTS = ARRAY(sa.Text)
_IS_LIVE = sa.text("state IN ({})".format(", ".join(f"'{state}'" for state in LIVE)))


class ExpertProfile(Public, Base):
    """What an expert says of themselves; every field but `headline` and `about` decides matches."""

    __tablename__ = "expert_profiles"

    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True)
    headline: Mapped[str]
    about: Mapped[str]
    domains: Mapped[list[str]] = mapped_column(TEXTS)
    skills: Mapped[list[str]] = mapped_column(TEXTS)
    languages: Mapped[list[str]] = mapped_column(TEXTS)
    refusals: Mapped[list[str]] = mapped_column(TEXTS, server_default="{}")
    min_rate: Mapped[int]
    currency: Mapped[str]
    hours_per_week: Mapped[int]
    updated_at: Mapped[datetime]

    person: Mapped[Person] = relationship()

    @property
    def label(self) -> str:
        """What a client sees before a contract: `Expert 7F3A`, nothing personal."""
        return label_of(self.public_id.hex)

    @property
    def asked(self) -> Money:
        """The least that the expert works for, an hour."""
        return Money(self.min_rate, self.currency)


def label_of(hexadecimal: str) -> str:
    """The last four digits: a UUIDv7 begins with its time, so only its end tells people apart."""
    return hexadecimal[-4:].upper()


class ExternalId(Base):
    """What a file that was imported calls an expert, and a digest of what it said of them last."""

    __tablename__ = "external_ids"

    kind: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    internal_id: Mapped[int]
    digest: Mapped[bytes]


class Project(Public, Base):
    """A client's budget and the gigs that spend it. One currency. `created_by` is None for an import."""

    __tablename__ = "projects"

    id: Mapped[Key]
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organizations.id"), index=True)
    name: Mapped[str]
    summary: Mapped[str]
    currency: Mapped[str]
    purchase_order: Mapped[str | None]
    cost_centre: Mapped[str | None]
    state: Mapped[ProjectState] = mapped_column(Word(ProjectState))
    created_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    created_at: Mapped[datetime]

    organization: Mapped[Organization] = relationship()

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """The client's own people, finance staff and operators."""
        return _of_organizations(cls.organization_id, actor)


class Gig(Public, Base):
    """A piece of work at a rate band. Amounts are minor units of the project's currency for an hour.

    What the work trains, what it may be `used_in`, who owns it, how long it is kept and its `uses` are its
    statement on the use of the work, see `data_use`; `uses` are those that experts may refuse (see
    `matching.uses`). None until the client has said. `secrecy` is what an expert has to keep to themselves;
    `questions` are answered by whoever applies.
    `left_at` is when it was last paused or closed; None while it is published. `test` is passed before
    anybody is offered a contract; None when there is none. `cost_centre` stands in for the project's. With
    `same_person` submitting a week asks for the passkey that was bound at the identity check.
    """

    __tablename__ = "gigs"

    id: Mapped[Key]
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("projects.id"), index=True)
    title: Mapped[str]
    domain: Mapped[str | None] = mapped_column(sa.ForeignKey("match_domains.code"))
    task_kind: Mapped[TaskKind | None] = mapped_column(Word(TaskKind))
    description: Mapped[str]
    guidelines: Mapped[str]
    trains: Mapped[str] = mapped_column(server_default="", default="")
    used_in: Mapped[str]
    owned_by: Mapped[Owner | None] = mapped_column(Word(Owner))
    kept_for: Mapped[Kept | None] = mapped_column(Word(Kept))
    uses: Mapped[list[str] | None] = mapped_column(TEXTS)
    secrecy: Mapped[str] = mapped_column(server_default="", default="")
    questions: Mapped[list[str]] = mapped_column(TEXTS, server_default="{}", default=list)
    rate_min: Mapped[int | None]
    rate_max: Mapped[int | None]
    hours_per_week: Mapped[int | None]
    headcount: Mapped[int | None]
    same_person: Mapped[bool] = mapped_column(server_default=sa.false(), default=False)
    languages: Mapped[list[str]] = mapped_column(TEXTS)
    countries: Mapped[list[str]] = mapped_column(TEXTS)
    skills: Mapped[list[str]] = mapped_column(TEXTS)
    time_zone: Mapped[str | None]
    shared_hours: Mapped[int] = mapped_column(sa.SmallInteger)
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    test_id: Mapped[int | None] = mapped_column(sa.ForeignKey("qualification_tests.id"))
    state: Mapped[GigState] = mapped_column(Word(GigState))
    published_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    version: Mapped[int]
    cost_centre: Mapped[str | None]

    project: Mapped[Project] = relationship()
    test: Mapped[QualificationTest | None] = relationship()
    succession: Mapped[Succession | None] = relationship(
        foreign_keys="Succession.gig_id", viewonly=True, uselist=False
    )
    requirements: Mapped[list[GigRequirement]] = relationship(
        order_by="GigRequirement.id", cascade="all, delete-orphan"
    )

    __table_args__ = (sa.Index("ix_gigs_published", "id", postgresql_where=sa.text("state = 'published'")),)

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """Published gigs to experts, and any gig they were invited to or applied for; a client's own.

        One that is taken down only to those who hold an offer or a contract, and to its client.
        """
        seen: list[sa.ColumnElement[bool]] = [
            cls.project_id.in_(sa.select(Project.id).where(Project.visible_to(actor)))
        ]
        if actor.has(Role.EXPERT):
            applied = sa.select(Application.gig_id).where(Application.person_id == actor.id)
            invited = sa.select(Invitation.gig_id).where(Invitation.person_id == actor.id)
            bound = applied.where(Application.state.in_(BOUND))
            known = sa.or_(cls.id.in_(applied), cls.id.in_(invited))
            seen += [
                cls.state == GigState.PUBLISHED,
                known & (cls.state != GigState.REMOVED),
                cls.id.in_(bound),
            ]
        return sa.or_(*seen)

    @property
    def charged_to(self) -> str | None:
        """The client's cost centre for it: its own, or that of the project."""
        return self.cost_centre or self.project.cost_centre

    @property
    def band(self) -> tuple[Money, Money] | None:
        """Lowest and highest rate an hour, once both are said."""
        if self.rate_min is None or self.rate_max is None:
            return None
        currency = self.project.currency
        return Money(self.rate_min, currency), Money(self.rate_max, currency)


class GigText(Base):
    """The words of a gig that was published, to be searched."""

    __tablename__ = "gig_texts"

    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id", ondelete="CASCADE"), primary_key=True)
    words: Mapped[str] = mapped_column(TSVECTOR)

    __table_args__ = (sa.Index(None, "words", postgresql_using="gin"),)


class SearchWord(Base):
    """A word that some gig has said, as it is compared: mistyped ones are taken for the most alike."""

    __tablename__ = "search_words"

    word: Mapped[str] = mapped_column(sa.Text(collation="C"), primary_key=True)

    __table_args__ = (
        sa.Index(
            "ix_search_words_alike", "word", postgresql_using="gin", postgresql_ops={"word": "gin_trgm_ops"}
        ),
    )


class GigRequirement(Base):
    """A credential that the expert must hold. `level` 2 to 4; `max_age_days` since it was
    checked (None: any age)."""

    __tablename__ = "gig_requirements"

    id: Mapped[Key]
    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"))
    type: Mapped[str]
    jurisdiction: Mapped[str | None]
    level: Mapped[int]
    max_age_days: Mapped[int | None]

    __table_args__ = (
        sa.UniqueConstraint("gig_id", "type", "jurisdiction", postgresql_nulls_not_distinct=True),
    )


class Guidelines(Base):
    """What a gig's guidelines said from `written_at` on. Versions count from 1 and stay as they are."""

    __tablename__ = "guidelines"

    id: Mapped[Key]
    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"))
    version: Mapped[int]
    text: Mapped[str]
    written_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    written_at: Mapped[datetime]

    __table_args__ = (sa.UniqueConstraint("gig_id", "version"),)


class DataUse(Base):
    """What a gig's statement on the use of the work said from `written_at` on. Versions count from 1 and stay
    as they are. One that was written before the statement had fields of its own lacks some of them."""

    __tablename__ = "data_uses"

    id: Mapped[Key]
    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"))
    version: Mapped[int]
    trains: Mapped[str]
    used_in: Mapped[str]
    owned_by: Mapped[Owner | None] = mapped_column(Word(Owner))
    kept_for: Mapped[Kept | None] = mapped_column(Word(Kept))
    uses: Mapped[list[str] | None] = mapped_column(TEXTS)
    written_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    written_at: Mapped[datetime]

    __table_args__ = (sa.UniqueConstraint("gig_id", "version"),)


class Succession(Base):
    """A gig follows another of the same client, much the same, and pays `less` minor units an hour less.

    `overlap` is how much of the two is the same, in percent: see `successors`.
    """

    __tablename__ = "gig_successions"

    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"), primary_key=True, autoincrement=False)
    earlier_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"), index=True)
    overlap: Mapped[int] = mapped_column(sa.SmallInteger)
    less: Mapped[int]
    found_at: Mapped[datetime]

    earlier: Mapped[Gig] = relationship(foreign_keys=[earlier_id], lazy="joined", innerjoin=True)


class Autosave(Base):
    """What a person has typed into the form of a gig and not saved: its `fields` as they came, (name, value).

    For a gig that is not there yet, `gig_id` is None, and each person has one in each project. `version`
    counts what was kept, so that one tab does not write over another.
    """

    __tablename__ = "autosaves"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("projects.id"))
    gig_id: Mapped[int | None] = mapped_column(sa.ForeignKey("gigs.id"), index=True)
    fields: Mapped[list[list[str]]] = mapped_column(JSONB)
    version: Mapped[int]
    saved_at: Mapped[datetime]

    person: Mapped[Person] = relationship()

    __table_args__ = (
        sa.UniqueConstraint("person_id", "project_id", "gig_id", postgresql_nulls_not_distinct=True),
    )


class Application(Public, Base):
    """An expert's wish to work on a gig, with the match as it stood on that day.

    `answers` are those to the gig's questions, each with its `question` as it was asked.
    """

    __tablename__ = "applications"

    id: Mapped[Key]
    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"), index=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    note: Mapped[str]
    answers: Mapped[list[dict[str, str]]] = mapped_column(JSONB, server_default="[]", default=list)
    state: Mapped[ApplicationState] = mapped_column(Word(ApplicationState))
    score: Mapped[int]
    explanation: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    applied_at: Mapped[datetime]

    gig: Mapped[Gig] = relationship()
    person: Mapped[Person] = relationship()

    __table_args__ = (
        sa.Index("uq_applications_live", "gig_id", "person_id", unique=True, postgresql_where=_IS_LIVE),
    )

    @classmethod
    def visible_to(cls, actor: Actor) -> sa.ColumnElement[bool]:
        """The applicant, and the people of the client whose gig it is."""
        project = sa.select(Project.id).where(_of_organizations(Project.organization_id, actor))
        gig = sa.select(Gig.id).where(Gig.project_id.in_(project))
        return sa.or_(cls.person_id == actor.person_id, cls.gig_id.in_(gig))


class CandidateMark(Base):
    """What a client thinks of an expert for a gig, before anybody applied."""

    __tablename__ = "candidate_marks"

    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True)
    mark: Mapped[Mark] = mapped_column(Word(Mark))
    note: Mapped[str]
    marked_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    marked_at: Mapped[datetime]


class Invitation(Public, Base):
    """A client's wish that this expert applies."""

    __tablename__ = "invitations"

    id: Mapped[Key]
    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    state: Mapped[InvitationState] = mapped_column(Word(InvitationState))
    message: Mapped[str]
    invited_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    at: Mapped[datetime]

    gig: Mapped[Gig] = relationship()

    __table_args__ = (sa.UniqueConstraint("gig_id", "person_id"),)


class OutsideInvitation(Public, Base):
    """A client's wish that somebody who may not be here yet comes and applies.

    Its link is kept only as a hash. Who does not come is forgotten within a day after `expires_at`.
    """

    __tablename__ = "outside_invitations"

    id: Mapped[Key]
    gig_id: Mapped[int] = mapped_column(sa.ForeignKey("gigs.id"))
    email: Mapped[str] = mapped_column(index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    message: Mapped[str]
    invited_by: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    at: Mapped[datetime]
    expires_at: Mapped[datetime]
    taken_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))

    gig: Mapped[Gig] = relationship()

    __table_args__ = (sa.UniqueConstraint("gig_id", "email"),)


class MailRefusal(Base):
    """Somebody who wants no invitations by mail; their address as a keyed fingerprint."""

    __tablename__ = "mail_refusals"

    address: Mapped[bytes] = mapped_column(primary_key=True)
    at: Mapped[datetime]


def _of_organizations(column: sa.orm.InstrumentedAttribute[int], actor: Actor) -> sa.ColumnElement[bool]:
    if actor.has(Role.OPERATOR, Role.FINANCE_PREPARER, Role.FINANCE_RELEASER):
        return sa.true()
    return column.in_(actor.organizations(*CLIENT))
