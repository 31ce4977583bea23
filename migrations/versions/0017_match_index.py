"""Matching at a million experts: one narrow index row for each expert and domain, facts in columns.

The copies are dropped, not converted: the worker makes them anew.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    _drop("match_expert_domains", "match_experts", "match_gigs")
    op.create_table(
        "match_experts",
        sa.Column("person_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("domains", ARRAY(sa.Text), nullable=False),
        sa.Column("min_rate", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("country", sa.CHAR(2), nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("languages", ARRAY(sa.Text), nullable=False),
        sa.Column("hours_per_week", sa.BigInteger, nullable=False),
        sa.Column("suspended", sa.Boolean, nullable=False),
        sa.Column("skills", ARRAY(sa.Text), nullable=False),
        sa.Column("record", sa.BigInteger),
        sa.Column("response_hours", sa.BigInteger),
        sa.Column("conflicts", ARRAY(sa.BigInteger), nullable=False),
        sa.CheckConstraint("min_rate >= 0", name="min_rate"),
        sa.CheckConstraint("hours_per_week BETWEEN 0 AND 168", name="hours_per_week"),
        sa.CheckConstraint("record BETWEEN 0 AND 100", name="record"),
        sa.CheckConstraint("response_hours >= 0", name="response_hours"),
    )
    op.create_index("ix_match_experts_conflicts", "match_experts", ["conflicts"], postgresql_using="gin")
    op.create_table(
        "match_credentials",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        _person(),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("jurisdiction", sa.Text),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("valid_to", sa.Date),
        sa.Column("checked_on", sa.Date, nullable=False),
    )
    op.create_index("ix_match_credentials_person_id", "match_credentials", ["person_id"])
    op.create_table(
        "match_skills",
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "match_expert_domains",
        _person(primary_key=True, autoincrement=False),
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("base", sa.SmallInteger, nullable=False),
        sa.Column("min_rate", sa.BigInteger, nullable=False),
        sa.Column("hours_per_week", sa.SmallInteger, nullable=False),
        sa.Column("country", sa.CHAR(2), nullable=False),
        sa.Column("language_bits", sa.BigInteger, nullable=False),
        sa.Column("credential_bits", sa.BigInteger, nullable=False),
        sa.Column("counts_until", sa.Date),
        sa.Column("skills", ARRAY(sa.Integer), nullable=False),
    )
    # Every column that the ranking looks at, so that it reads the index alone.
    op.execute("""
        CREATE INDEX ix_match_expert_domains_best ON match_expert_domains (currency, domain, base DESC)
        INCLUDE (person_id, min_rate, hours_per_week, country, language_bits, credential_bits, counts_until, skills)
    """)
    op.create_table(
        "match_gigs",
        sa.Column("gig_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("client", sa.BigInteger, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("rate_min", sa.BigInteger, nullable=False),
        sa.Column("rate_max", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("hours_per_week", sa.BigInteger, nullable=False),
        sa.Column("language_bits", sa.BigInteger, nullable=False),
        sa.Column("credential_bits", sa.BigInteger, nullable=False),
        sa.Column("countries", ARRAY(sa.Text), nullable=False),
        sa.Column("skills", ARRAY(sa.Integer), nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("facts", JSONB, nullable=False),
        sa.CheckConstraint("rate_max >= rate_min", name="rates"),
    )
    op.create_index(
        "ix_match_gigs_open", "match_gigs", ["currency", "domain"], postgresql_where=sa.text("open")
    )

    # Whoever had copies before: the worker makes them anew.
    op.execute("""
        INSERT INTO procrastinate_jobs (queue_name, task_name, args)
        SELECT 'present', 'gigs.rebuild_projections', '{}' WHERE EXISTS (SELECT FROM expert_profiles)
    """)


def downgrade() -> None:
    _drop("match_gigs", "match_expert_domains", "match_skills", "match_credentials", "match_experts")
    op.create_table(
        "match_experts",
        sa.Column("person_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("min_rate", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("country", sa.CHAR(2), nullable=False),
        sa.Column("hours_per_week", sa.BigInteger, nullable=False),
        sa.Column("languages", ARRAY(sa.Text), nullable=False),
        sa.Column("credential_types", ARRAY(sa.Text), nullable=False),
        sa.Column("suspended", sa.Boolean, nullable=False),
        sa.Column("facts", JSONB, nullable=False),
        sa.CheckConstraint("min_rate >= 0", name="min_rate"),
        sa.CheckConstraint("hours_per_week BETWEEN 0 AND 168", name="hours_per_week"),
    )
    op.create_table(
        "match_expert_domains",
        _person(primary_key=True, autoincrement=False),
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("domain_group", sa.Text, nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("min_rate", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "ix_match_expert_domains_domain_group_currency_min_rate",
        "match_expert_domains",
        ["domain_group", "currency", "min_rate"],
        postgresql_include=["person_id", "domain"],
    )
    op.create_table(
        "match_gigs",
        sa.Column("gig_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("domain_group", sa.Text, nullable=False),
        sa.Column("rate_min", sa.BigInteger, nullable=False),
        sa.Column("rate_max", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("hours_per_week", sa.BigInteger, nullable=False),
        sa.Column("languages", ARRAY(sa.Text), nullable=False),
        sa.Column("countries", ARRAY(sa.Text), nullable=False),
        sa.Column("headcount_left", sa.BigInteger, nullable=False),
        sa.Column("funded", sa.Boolean, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("facts", JSONB, nullable=False),
        sa.CheckConstraint("rate_max >= rate_min", name="rates"),
    )
    op.create_index(
        "ix_match_gigs_domain_group_currency_rate_max",
        "match_gigs",
        ["domain_group", "currency", "rate_max"],
        postgresql_where=sa.text("open"),
    )


def _person(**options: bool) -> sa.Column:
    kept = sa.ForeignKey("match_experts.person_id", ondelete="CASCADE")
    return sa.Column("person_id", sa.BigInteger, kept, nullable=False, **options)


def _drop(*tables: str) -> None:
    for table in tables:
        op.drop_table(table)
