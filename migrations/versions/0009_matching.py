"""Matching's own narrow copies of experts and gigs: plain values, pushed in by the slices above."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
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
        sa.Column(
            "person_id",
            sa.BigInteger,
            sa.ForeignKey("match_experts.person_id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
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


def downgrade() -> None:
    op.drop_table("match_gigs")
    op.drop_table("match_expert_domains")
    op.drop_table("match_experts")
