"""When Stripe may be called next, for all workers together."""

import sqlalchemy as sa
from alembic import op

revision = "0078"
down_revision = "0077"


def upgrade() -> None:
    op.create_table(
        "call_paces",
        sa.Column("endpoint", sa.Text, primary_key=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute("REVOKE DELETE, TRUNCATE ON call_paces FROM marketplace_app")


def downgrade() -> None:
    op.drop_table("call_paces")
