"""Until when Stripe's list of events was read."""

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0079"


def upgrade() -> None:
    op.create_table(
        "events_read",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute("REVOKE DELETE, TRUNCATE ON events_read FROM marketplace_app")


def downgrade() -> None:
    op.drop_table("events_read")
