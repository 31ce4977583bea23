"""Saved searches, gigs that somebody hid, and what each person is to be told of new gigs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0029"
down_revision = "0028"

moment = sa.DateTime(timezone=True)
CADENCES = ("at_once", "daily", "weekly", "never")
REASONS = ("pay", "work", "use", "client", "time", "other")


def upgrade() -> None:
    op.create_table(
        "saved_searches",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("cadence", sa.Text, one_of("cadence", CADENCES), nullable=False),
        sa.Column("domains", ARRAY(sa.Text), nullable=False),
        sa.Column("tasks", ARRAY(sa.Text), nullable=False),
        sa.Column("languages", ARRAY(sa.Text), nullable=False),
        sa.Column("rate", sa.BigInteger),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("hours", sa.BigInteger),
        sa.Column("words", sa.Text),
        sa.Column("created_at", moment, nullable=False),
        sa.UniqueConstraint("person_id", "name"),
    )
    op.create_table(
        "hidden_gigs",
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), primary_key=True),
        sa.Column("gig_id", sa.BigInteger, sa.ForeignKey("gigs.id"), primary_key=True),
        sa.Column("reason", sa.Text, one_of("reason", REASONS), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("hidden_at", moment, nullable=False),
    )
    op.create_table(
        "alert_settings",
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), primary_key=True),
        sa.Column("cadence", sa.Text, one_of("cadence", CADENCES), nullable=False),
    )
    # Without foreign keys: a hundred thousand are written in one go, and each is looked at before it is told.
    op.create_table(
        "gig_alerts",
        sa.Column("person_id", sa.BigInteger, primary_key=True),
        sa.Column("gig_id", sa.BigInteger, primary_key=True),
        sa.Column("search_id", sa.BigInteger),
        sa.Column("cadence", sa.Text, one_of("cadence", CADENCES), nullable=False),
        sa.Column("queued_at", moment, nullable=False),
        sa.Column("told_at", moment),
    )
    op.create_index(
        "ix_gig_alerts_waiting",
        "gig_alerts",
        ["cadence", "person_id"],
        postgresql_where=sa.text("told_at IS NULL"),
    )
    op.add_column("outbox_mails", sa.Column("unsubscribe", sa.Text))


def downgrade() -> None:
    op.drop_column("outbox_mails", "unsubscribe")
    for table in ("gig_alerts", "alert_settings", "hidden_gigs", "saved_searches"):
        op.drop_table(table)


def one_of(name: str, words: tuple[str, ...]) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{name} IN ({', '.join(repr(word) for word in words)})", name=name)
