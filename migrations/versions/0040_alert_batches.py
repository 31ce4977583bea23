"""Whom a gig suits, written down in one row for each cadence, to be told one by one afterwards."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.create_table(
        "gig_alert_batches",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("gig_id", sa.BigInteger, nullable=False),
        sa.Column("cadence", sa.Text, nullable=False),
        sa.Column("people", ARRAY(sa.BigInteger), nullable=False),
        sa.Column("spread", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cadence IN ('at_once', 'daily', 'weekly', 'never')", name="cadence"),
    )
    # A part is read without the whole, which packing would make impossible.
    op.execute("ALTER TABLE gig_alert_batches ALTER COLUMN people SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.execute("""
        INSERT INTO gig_alerts (person_id, gig_id, cadence, queued_at)
        SELECT unnest(people), gig_id, cadence, queued_at FROM gig_alert_batches ON CONFLICT DO NOTHING
    """)
    op.drop_table("gig_alert_batches")
