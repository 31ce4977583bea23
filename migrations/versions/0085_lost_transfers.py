"""What Stripe sent and the books lost is kept until it is known again, or two people have decided about it."""

import sqlalchemy as sa
from alembic import op

revision = "0085"
down_revision = "0084"

moment = sa.DateTime(timezone=True)
KEEP = """
CREATE FUNCTION keep_lost_transfers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.known_at IS NOT NULL OR OLD.decided_at IS NOT NULL THEN
        RAISE EXCEPTION 'lost transfer %: what it was is known', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.decided_at IS NOT NULL AND (NEW.says, NEW.item_id, NEW.reason, NEW.asked_by, NEW.asked_at)
        IS DISTINCT FROM (OLD.says, OLD.item_id, OLD.reason, OLD.asked_by, OLD.asked_at) THEN
        RAISE EXCEPTION 'lost transfer %: something else was asked for', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "lost_transfers",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("stripe_id", sa.Text, nullable=False, unique=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("currency", "destination", "transfer_group")),
        sa.Column("destination_payment", sa.Text),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("balance_transaction", "source_type")),
        sa.Column("payout_item", sa.Text, nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("found_at", moment, nullable=False),
        sa.Column("known_at", moment),
        sa.Column("says", sa.Text),
        sa.Column("item_id", sa.BigInteger, sa.ForeignKey("payout_items.id"), unique=True),
        sa.Column("reason", sa.Text),
        sa.Column("asked_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("asked_at", moment),
        sa.Column("decided_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("decided_at", moment),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint("says IN ('paid', 'not_ours')", name="says_word"),
        sa.CheckConstraint("num_nonnulls(says, reason, asked_by, asked_at) IN (0, 4)", name="asked"),
        sa.CheckConstraint("(item_id IS NOT NULL) = (says IS NOT DISTINCT FROM 'paid')", name="item"),
        sa.CheckConstraint("asked_at >= found_at", name="asked_after"),
        sa.CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided"),
        sa.CheckConstraint("decided_by IS NULL OR decided_by IS DISTINCT FROM asked_by", name="two_people"),
        sa.CheckConstraint(
            "decided_at IS NULL OR (asked_at IS NOT NULL AND decided_at >= asked_at AND known_at IS NULL)",
            name="decided_after",
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON lost_transfers FROM marketplace_app")
    op.execute(
        "GRANT UPDATE (known_at, says, item_id, reason, asked_by, asked_at, decided_by, decided_at) "
        "ON lost_transfers TO marketplace_app"
    )
    op.execute(KEEP)
    op.execute(
        "CREATE TRIGGER lost_transfers_keep BEFORE UPDATE ON lost_transfers "
        "FOR EACH ROW EXECUTE FUNCTION keep_lost_transfers()"
    )
    # What was sent before is known, so it is not read again.
    op.execute("""
        INSERT INTO events_read (source, until)
        SELECT 'transfers', max(first_tried_at) FROM transfers HAVING max(first_tried_at) IS NOT NULL
    """)


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM lost_transfers) THEN
            RAISE EXCEPTION 'transfers were lost, and what was decided about them would be forgotten';
        END IF; END $$
    """)
    op.execute("DELETE FROM events_read WHERE source = 'transfers'")
    op.drop_table("lost_transfers")
    op.execute("DROP FUNCTION keep_lost_transfers()")
