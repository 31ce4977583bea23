"""Secret addresses at which experts' calendars are read."""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("length(token_sha256) = 32", name="token_sha256"),
        sa.Index(
            "uq_calendar_feeds_live",
            "person_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON calendar_feeds FROM marketplace_app")
    op.execute("GRANT UPDATE (ended_at) ON calendar_feeds TO marketplace_app")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM calendar_feeds) THEN
            RAISE EXCEPTION 'addresses of calendars were given out, and which were ended is kept here';
        END IF; END $$
    """)
    op.drop_table("calendar_feeds")
