"""Guidelines by version, and who has read which on what contract."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "guidelines",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("gig_id", sa.BigInteger, sa.ForeignKey("gigs.id"), nullable=False),
        sa.Column(
            "version", sa.BigInteger, sa.CheckConstraint("version > 0", name="version"), nullable=False
        ),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("written_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("written_at", moment, nullable=False),
        sa.UniqueConstraint("gig_id", "version"),
    )
    op.create_table(
        "guidelines_readings",
        sa.Column("contract_id", sa.BigInteger, sa.ForeignKey("contracts.id"), primary_key=True),
        sa.Column("guidelines_id", sa.BigInteger, sa.ForeignKey("guidelines.id"), primary_key=True),
        sa.Column("begun_at", moment, nullable=False),
        sa.Column("time_entry_id", sa.BigInteger, sa.ForeignKey("time_entries.id")),
        sa.Column("read_at", moment),
        sa.CheckConstraint("read_at >= begun_at", name="in_order"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON guidelines FROM marketplace_app")
    op.execute(
        "CREATE TRIGGER guidelines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON guidelines "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "INSERT INTO guidelines (gig_id, version, text, written_at) "
        "SELECT id, 1, guidelines, coalesce(published_at, now()) FROM gigs "
        "WHERE state <> 'draft' AND guidelines <> ''"
    )


def downgrade() -> None:
    op.drop_table("guidelines_readings")
    op.drop_table("guidelines")
