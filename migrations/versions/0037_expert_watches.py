"""Clients who hear of experts who newly fit a gig."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0037"
down_revision = "0036"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "expert_watches",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("gig_id", sa.BigInteger, sa.ForeignKey("gigs.id"), nullable=False),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("cadence", sa.Text, nullable=False),
        sa.Column("known", ARRAY(sa.BigInteger), nullable=False),
        sa.Column("looked_at", moment, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.UniqueConstraint("gig_id", "person_id"),
        sa.CheckConstraint("cadence IN ('at_once', 'daily', 'weekly', 'never')", name="cadence"),
    )
    op.create_index("ix_expert_watches_person_id", "expert_watches", ["person_id"])


def downgrade() -> None:
    op.drop_table("expert_watches")
