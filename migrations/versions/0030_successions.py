"""A gig that follows another of its client and pays less; and when a gig stopped being open."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.add_column("gigs", sa.Column("left_at", sa.DateTime(timezone=True)))
    op.create_table(
        "gig_successions",
        sa.Column("gig_id", sa.BigInteger, sa.ForeignKey("gigs.id"), primary_key=True, autoincrement=False),
        sa.Column("earlier_id", sa.BigInteger, sa.ForeignKey("gigs.id"), nullable=False, index=True),
        sa.Column("overlap", sa.SmallInteger, nullable=False),
        sa.Column("less", sa.BigInteger, nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("earlier_id <> gig_id", name="another"),
        sa.CheckConstraint("overlap BETWEEN 70 AND 100", name="overlap"),
        sa.CheckConstraint("less > 0", name="less"),
    )


def downgrade() -> None:
    op.drop_table("gig_successions")
    op.drop_column("gigs", "left_at")
