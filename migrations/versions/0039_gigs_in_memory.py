"""What the pages that list open gigs need stands with what decides a match, so that one look reads it all."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    op.add_column("match_gigs", sa.Column("task_kind", sa.Text))
    op.add_column("match_gigs", sa.Column("published_at", sa.DateTime(timezone=True)))
    op.execute("""
        UPDATE match_gigs m SET task_kind = g.task_kind, published_at = g.published_at
        FROM gigs g WHERE g.id = m.gig_id
    """)


def downgrade() -> None:
    op.drop_column("match_gigs", "published_at")
    op.drop_column("match_gigs", "task_kind")
