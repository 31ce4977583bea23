"""A gig may ask for working hours in common with a time zone."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.add_column("gigs", sa.Column("time_zone", sa.Text))
    op.add_column("gigs", sa.Column("shared_hours", sa.SmallInteger, nullable=False, server_default="0"))
    op.create_check_constraint("shared_hours", "gigs", "shared_hours BETWEEN 0 AND 8")
    op.create_check_constraint("time_zone", "gigs", "(time_zone IS NULL) = (shared_hours = 0)")


def downgrade() -> None:
    op.drop_column("gigs", "shared_hours")
    op.drop_column("gigs", "time_zone")
