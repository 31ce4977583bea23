"""Experts whom a client keeps in mind for a gig, or has set aside."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.create_table(
        "candidate_marks",
        sa.Column("gig_id", sa.BigInteger, sa.ForeignKey("gigs.id"), primary_key=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), primary_key=True),
        sa.Column(
            "mark", sa.Text, sa.CheckConstraint("mark IN ('kept', 'aside')", name="mark"), nullable=False
        ),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("marked_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("candidate_marks")
