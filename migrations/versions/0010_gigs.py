"""Profiles, projects, gigs with their requirements, applications and invitations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0010"
down_revision = "0009"

moment = sa.DateTime(timezone=True)
texts = ARRAY(sa.Text)
LIVE = "state IN ('applied', 'shortlisted', 'offered', 'hired')"
# What a gig must say before anybody but its writers sees it.
COMPLETE = """
    state IN ('draft', 'closed') OR (
        title <> '' AND domain IS NOT NULL AND task_kind IS NOT NULL AND description <> '' AND data_use <> ''
        AND rate_min IS NOT NULL AND rate_max IS NOT NULL AND hours_per_week IS NOT NULL
        AND headcount IS NOT NULL AND starts_on IS NOT NULL AND published_at IS NOT NULL
    )
"""
TASKS = (
    "review",
    "rank",
    "correct",
    "critique",
    "rewrite",
    "reason",
    "fact_check",
    "find_bias",
    "red_team",
    "judge",
)


def key() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def public_id() -> sa.Column[object]:
    return sa.Column("public_id", sa.Uuid, nullable=False, unique=True)


def to(target: str, name: str, **options: bool) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(target), nullable=False, **options)


def one_of(column: str, *words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def upgrade() -> None:
    op.create_table(
        "expert_profiles",
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), primary_key=True),
        public_id(),
        sa.Column("headline", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("domains", texts, nullable=False),
        sa.Column("skills", texts, nullable=False),
        sa.Column("languages", texts, nullable=False),
        sa.Column("min_rate", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("hours_per_week", sa.BigInteger, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.CheckConstraint("min_rate > 0", name="min_rate"),
        sa.CheckConstraint("hours_per_week BETWEEN 1 AND 80", name="hours_per_week"),
        sa.CheckConstraint("cardinality(domains) BETWEEN 1 AND 10", name="domains"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )
    op.create_table(
        "projects",
        key(),
        public_id(),
        to("organizations.id", "organization_id", index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("purchase_order", sa.Text),
        sa.Column("cost_centre", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        to("people.id", "created_by"),
        sa.Column("created_at", moment, nullable=False),
        sa.CheckConstraint("name <> ''", name="name"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        one_of("state", "draft", "open", "closed"),
    )
    _create_gigs()
    _create_applications()


def _create_gigs() -> None:
    op.create_table(
        "gigs",
        key(),
        public_id(),
        to("projects.id", "project_id", index=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("domain", sa.Text),
        sa.Column("task_kind", sa.Text),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("guidelines", sa.Text, nullable=False),
        sa.Column("data_use", sa.Text, nullable=False),
        sa.Column("rate_min", sa.BigInteger),
        sa.Column("rate_max", sa.BigInteger),
        sa.Column("hours_per_week", sa.BigInteger),
        sa.Column("headcount", sa.BigInteger),
        sa.Column("languages", texts, nullable=False),
        sa.Column("countries", texts, nullable=False),
        sa.Column("starts_on", sa.Date),
        sa.Column("ends_on", sa.Date),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("published_at", moment),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.CheckConstraint("rate_min > 0 AND rate_max >= rate_min", name="rates"),
        sa.CheckConstraint("hours_per_week BETWEEN 1 AND 80", name="hours_per_week"),
        sa.CheckConstraint("headcount BETWEEN 1 AND 10000", name="headcount"),
        sa.CheckConstraint("ends_on >= starts_on", name="dates"),
        sa.CheckConstraint(COMPLETE, name="complete"),
        one_of("state", "draft", "published", "paused", "closed"),
        one_of("task_kind", *TASKS),
        sa.Index("ix_gigs_published", "id", postgresql_where=sa.text("state = 'published'")),
    )
    op.create_table(
        "gig_requirements",
        key(),
        to("gigs.id", "gig_id"),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("jurisdiction", sa.Text),
        sa.Column("level", sa.BigInteger, nullable=False),
        sa.Column("max_age_days", sa.BigInteger),
        sa.CheckConstraint("level BETWEEN 2 AND 4", name="level"),
        sa.CheckConstraint("max_age_days > 0", name="max_age_days"),
        sa.UniqueConstraint("gig_id", "type", "jurisdiction", postgresql_nulls_not_distinct=True),
    )


def _create_applications() -> None:
    op.create_table(
        "applications",
        key(),
        public_id(),
        to("gigs.id", "gig_id", index=True),
        to("people.id", "person_id", index=True),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("score", sa.BigInteger, nullable=False),
        sa.Column("explanation", JSONB, nullable=False),
        sa.Column("applied_at", moment, nullable=False),
        sa.CheckConstraint("score BETWEEN 0 AND 100", name="score"),
        one_of("state", "applied", "shortlisted", "offered", "hired", "declined", "withdrawn", "ended"),
        sa.Index("uq_applications_live", "gig_id", "person_id", unique=True, postgresql_where=sa.text(LIVE)),
    )
    op.create_table(
        "invitations",
        key(),
        public_id(),
        to("gigs.id", "gig_id"),
        to("people.id", "person_id", index=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        to("people.id", "invited_by"),
        sa.Column("at", moment, nullable=False),
        one_of("state", "invited", "accepted", "declined"),
        sa.UniqueConstraint("gig_id", "person_id"),
    )


def downgrade() -> None:
    for table in ("invitations", "applications", "gig_requirements", "gigs", "projects", "expert_profiles"):
        op.drop_table(table)
