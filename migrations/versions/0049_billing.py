"""A gig may have a cost centre of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    op.add_column("gigs", sa.Column("cost_centre", sa.Text))
    op.create_check_constraint("cost_centre", "gigs", "length(cost_centre) BETWEEN 1 AND 60")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM gigs WHERE cost_centre IS NOT NULL) THEN
            RAISE EXCEPTION 'gigs are booked on cost centres of their own';
        END IF; END $$
    """)
    op.drop_column("gigs", "cost_centre")
