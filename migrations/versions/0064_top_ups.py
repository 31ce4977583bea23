"""Clients' money from the bank to Stripe: top-ups, prepared by one and released by another."""

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0063"

moment = sa.DateTime(timezone=True)
STATES = ("prepared", "released", "sending", "unknown", "sent", "arrived", "returned", "failed", "cancelled")


def upgrade() -> None:
    op.create_table(
        "top_ups",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("prepared_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("prepared_at", moment, nullable=False),
        sa.Column("released_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("released_at", moment),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("first_tried_at", moment),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("retry_at", moment),
        sa.Column("stripe_id", sa.Text, unique=True),
        sa.Column("expected_on", sa.Date),
        sa.Column("looked_at", moment),
        sa.Column("failure", sa.Text),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
        sa.CheckConstraint(f"state IN {STATES}", name="state_word"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint("released_by <> prepared_by", name="two_people"),
        sa.CheckConstraint(
            "(state IN ('prepared', 'cancelled')) = (released_by IS NULL)"
            " AND (released_by IS NULL) = (released_at IS NULL)",
            name="released_by_somebody",
        ),
        sa.CheckConstraint(
            "state NOT IN ('sent', 'arrived', 'returned') OR stripe_id IS NOT NULL", name="sent_is_known"
        ),
        sa.Index(
            "uq_top_ups_unfinished",
            "currency",
            unique=True,
            postgresql_where=sa.text("state IN ('prepared', 'released', 'sending', 'unknown')"),
        ),
    )
    op.execute("""
        CREATE TRIGGER top_ups_frozen BEFORE UPDATE ON top_ups FOR EACH ROW
        WHEN (OLD.currency <> NEW.currency OR OLD.amount <> NEW.amount OR OLD.prepared_by <> NEW.prepared_by
            OR OLD.released_by IS NOT NULL AND OLD.released_by IS DISTINCT FROM NEW.released_by
            OR OLD.stripe_id IS NOT NULL AND OLD.stripe_id IS DISTINCT FROM NEW.stripe_id)
        EXECUTE FUNCTION refuse_frozen()
    """)
    op.execute("REVOKE DELETE, TRUNCATE ON top_ups FROM marketplace_app")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM top_ups) THEN
            RAISE EXCEPTION 'money was topped up: the version before cannot tell where it is';
        END IF; END $$
    """)
    op.drop_table("top_ups")
