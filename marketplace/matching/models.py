"""Narrow copies of experts and gigs, so that matching reads nothing of anybody else's.

The slices above push plain values in; there are no foreign keys to theirs, and one command rebuilds all.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.db import Base, Json, Key, Public, Word
from marketplace.matching.uses import NOT_SAID

TEXTS = ARRAY(sa.Text)
NUMBERS = ARRAY(sa.BigInteger)
SKILLS = ARRAY(sa.Integer)


class RuleChange(StrEnum):
    """What a new version of the rules changed."""

    SHIPPED = "shipped"
    WEIGHTS = "weights"
    ADDED = "added"
    RENAMED = "renamed"
    MOVED = "moved"
    WITHDRAWN = "withdrawn"
    OFFERED = "offered"


class MatchExpert(Base):
    """All facts of an expert but the credentials, for the exact match of those who come into question."""

    __tablename__ = "match_experts"

    person_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    domains: Mapped[list[str]] = mapped_column(TEXTS)
    min_rate: Mapped[int]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    country: Mapped[str] = mapped_column(sa.CHAR(2))
    time_zone: Mapped[str]
    languages: Mapped[list[str]] = mapped_column(TEXTS)
    hours_per_week: Mapped[int]
    suspended: Mapped[bool]
    skills: Mapped[list[str]] = mapped_column(TEXTS)
    record: Mapped[int | None]
    response_hours: Mapped[int | None]
    conflicts: Mapped[list[int]] = mapped_column(NUMBERS)
    refusals: Mapped[list[str]] = mapped_column(TEXTS, server_default="{}")

    __table_args__ = (
        sa.Index("ix_match_experts_conflicts", "conflicts", postgresql_using="gin"),
        sa.Index("ix_match_experts_time_zone", "time_zone", "person_id"),
    )


class MatchCredential(Base):
    """A credential of an expert, as a fact."""

    __tablename__ = "match_credentials"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(
        sa.ForeignKey("match_experts.person_id", ondelete="CASCADE"), index=True
    )
    type: Mapped[str]
    jurisdiction: Mapped[str | None]
    level: Mapped[int] = mapped_column(sa.SmallInteger)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    checked_on: Mapped[date]


class MatchSkill(Base):
    """The number of a skill."""

    __tablename__ = "match_skills"

    id: Mapped[int] = mapped_column(sa.Integer, sa.Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

    __table_args__ = (
        sa.Index(
            "ix_match_skills_alike", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}
        ),
    )


class MatchSkillAlias(Public, Base):
    """A second name of a skill, as an operator said; both as `skills.key` writes them."""

    __tablename__ = "match_skill_aliases"

    name: Mapped[str] = mapped_column(primary_key=True)
    stands_for: Mapped[str] = mapped_column(index=True)
    set_by: Mapped[int] = mapped_column(sa.BigInteger)
    set_at: Mapped[datetime]

    __table_args__ = (sa.CheckConstraint("name <> stands_for", name="of_another"),)


class MatchRules(Public, Base):
    """A version of the rules: the weights, and what was changed, why and by whom. None is ever changed.

    `subject` is the domain that was changed; `was` what it was like.
    """

    __tablename__ = "match_rules"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    domain: Mapped[int] = mapped_column(sa.SmallInteger)
    rate: Mapped[int] = mapped_column(sa.SmallInteger)
    skills: Mapped[int] = mapped_column(sa.SmallInteger)
    availability: Mapped[int] = mapped_column(sa.SmallInteger)
    record: Mapped[int] = mapped_column(sa.SmallInteger)
    response: Mapped[int] = mapped_column(sa.SmallInteger)
    changed: Mapped[RuleChange] = mapped_column(Word(RuleChange))
    subject: Mapped[str | None] = mapped_column(sa.ForeignKey("match_domains.code"))
    was: Mapped[str | None]
    reason: Mapped[str]
    set_by: Mapped[int | None]
    set_at: Mapped[datetime]


class MatchDomain(Base):
    """A domain; pay is US cents an hour of employees. `parent_level` is that of the parent.

    The database refuses a parent that is not higher in the tree, so there are no circles.
    """

    __tablename__ = "match_domains"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    parent: Mapped[str | None]
    level: Mapped[int] = mapped_column(sa.SmallInteger)
    parent_level: Mapped[int | None] = mapped_column(sa.SmallInteger)
    title: Mapped[str]
    isco: Mapped[str] = mapped_column(server_default="")
    p25: Mapped[int | None] = mapped_column(sa.Integer)
    median: Mapped[int | None] = mapped_column(sa.Integer)
    p75: Mapped[int | None] = mapped_column(sa.Integer)
    offered: Mapped[bool] = mapped_column(server_default=sa.true())

    __table_args__ = (
        sa.UniqueConstraint("code", "level"),
        sa.ForeignKeyConstraint(["parent", "parent_level"], ["match_domains.code", "match_domains.level"]),
        sa.Index("uq_match_domains_title", sa.text("lower(title)"), unique=True),
    )


class MatchExpertDomain(Base):
    """A row for each domain of an expert in good standing, with all that decides or scores in bulk.

    `record`, `promptness` and `strength` are as in `criteria`: what depends on the expert alone, before it is
    weighted. The index holds every column, so that the table itself is not read. `rate_step` is as in
    `steps`; `market`, and the sets `language_bits`, `credential_bits` and `skill_bits`, as in `bits`;
    `counts_until` is the last day on which any checked credential counts.
    """

    __tablename__ = "match_expert_domains"

    person_id: Mapped[int] = mapped_column(
        sa.ForeignKey("match_experts.person_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    domain: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    market: Mapped[int]
    strength: Mapped[int] = mapped_column(sa.SmallInteger)
    record: Mapped[int] = mapped_column(sa.SmallInteger)
    promptness: Mapped[int] = mapped_column(sa.SmallInteger)
    min_rate: Mapped[int]
    rate_step: Mapped[int] = mapped_column(sa.SmallInteger)
    hours_per_week: Mapped[int] = mapped_column(sa.SmallInteger)
    country: Mapped[str] = mapped_column(sa.CHAR(2))
    language_bits: Mapped[int] = mapped_column(sa.BigInteger)
    credential_bits: Mapped[int] = mapped_column(sa.BigInteger)
    counts_until: Mapped[date | None]
    skills: Mapped[list[int]] = mapped_column(SKILLS)
    skill_bits: Mapped[int] = mapped_column(sa.BigInteger)
    refusal_bits: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")


BEST: Any = (MatchExpertDomain.market, MatchExpertDomain.rate_step, MatchExpertDomain.strength.desc())
ALL_ELSE = [
    "person_id",
    "record",
    "promptness",
    "min_rate",
    "hours_per_week",
    "skill_bits",
    "language_bits",
    "credential_bits",
    "counts_until",
    "refusal_bits",
    "country",
    "skills",
]
sa.Index("ix_match_expert_domains_best", *BEST, postgresql_include=ALL_ELSE)
# One person in so many, by the number alone: whatever is asked, they are like all the others.
sa.Index(
    "ix_match_expert_domains_sample",
    *BEST,
    postgresql_include=ALL_ELSE,
    postgresql_where=sa.text("person_id % 32 = 0"),
)


class MatchGig(Base):
    """What decides or scores in bulk whether a gig matches, and the whole facts for the exact match.

    `task_kind` and `published_at` decide nothing; lists are narrowed and ordered by them.
    """

    __tablename__ = "match_gigs"
    __table_args__ = (sa.Index("ix_match_gigs_open", "currency", "domain", postgresql_where=sa.text("open")),)

    gig_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    client: Mapped[int]
    domain: Mapped[str]
    rate_min: Mapped[int]
    rate_max: Mapped[int]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    hours_per_week: Mapped[int]
    language_bits: Mapped[int] = mapped_column(sa.BigInteger)
    credential_bits: Mapped[int] = mapped_column(sa.BigInteger)
    countries: Mapped[list[str]] = mapped_column(TEXTS)
    skills: Mapped[list[int]] = mapped_column(SKILLS)
    use_bits: Mapped[int] = mapped_column(sa.SmallInteger, server_default=str(NOT_SAID))
    task_kind: Mapped[str | None]
    published_at: Mapped[datetime | None]
    open: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp(), index=True)
    facts: Mapped[Json]
