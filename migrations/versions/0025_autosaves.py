"""What somebody typed into the form of a gig and has not saved."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "autosaves",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("project_id", sa.BigInteger, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("gig_id", sa.BigInteger, sa.ForeignKey("gigs.id"), index=True),
        sa.Column("fields", JSONB, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("person_id", "project_id", "gig_id", postgresql_nulls_not_distinct=True),
        sa.CheckConstraint("jsonb_typeof(fields) = 'array'", name="list"),
        sa.CheckConstraint("octet_length(fields::text) <= 400000", name="size"),
        sa.CheckConstraint("version > 0", name="version"),
    )


def downgrade() -> None:
    op.drop_table("autosaves")
