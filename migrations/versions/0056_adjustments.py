"""Bonuses and corrections of pay: given, or granted by the expert's signature, and never changed after that."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"

moment = sa.DateTime(timezone=True)
STATES = ("made", "accepted", "declined", "withdrawn", "expired")


def upgrade() -> None:
    op.create_table(
        "adjustments",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("contract_id", sa.BigInteger, sa.ForeignKey("contracts.id"), nullable=False, index=True),
        sa.Column("timesheet_id", sa.BigInteger, sa.ForeignKey("timesheets.id")),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reason_code", sa.Text, nullable=False),
        sa.Column("explanation", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("fee_amount", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("expires_at", moment),
        sa.Column("made_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("decided_at", moment),
        sa.Column("signed_name", sa.Text),
        sa.Column("key", sa.Uuid, nullable=False),
        sa.UniqueConstraint("contract_id", "key"),
        sa.CheckConstraint("kind IN ('bonus', 'correction')", name="kind"),
        sa.CheckConstraint(f"state IN {STATES}", name="state"),
        sa.CheckConstraint("amount <> 0 AND (amount > 0 OR kind = 'correction')", name="amount"),
        sa.CheckConstraint("fee_amount = 0 OR sign(fee_amount) = sign(amount)", name="fee"),
        sa.CheckConstraint("explanation <> ''", name="explanation"),
        sa.CheckConstraint("(amount < 0) = (expires_at IS NOT NULL)", name="expires"),
        sa.CheckConstraint("amount < 0 OR state = 'accepted'", name="given"),
        sa.CheckConstraint("(state = 'made') = (decided_at IS NULL)", name="decided"),
        sa.CheckConstraint("(signed_name IS NOT NULL) = (state = 'accepted' AND amount < 0)", name="signed"),
        sa.Index("ix_adjustments_expires_at", "expires_at", postgresql_where=sa.text("state = 'made'")),
    )
    op.create_table(
        "payout_item_adjustments",
        sa.Column("payout_item_id", sa.BigInteger, sa.ForeignKey("payout_items.id"), primary_key=True),
        sa.Column("adjustment_id", sa.BigInteger, sa.ForeignKey("adjustments.id"), primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("ended_at", moment),
        sa.CheckConstraint("amount <> 0", name="amount"),
        sa.Index(
            "uq_payout_item_adjustments_live",
            "adjustment_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON adjustments, payout_item_adjustments FROM marketplace_app")
    op.execute("GRANT UPDATE (state, decided_at, signed_name) ON adjustments TO marketplace_app")
    op.execute("GRANT UPDATE (ended_at) ON payout_item_adjustments TO marketplace_app")
    op.execute(
        """
        CREATE FUNCTION keep_adjustments() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND OLD.state = 'made' AND
                (OLD.contract_id, OLD.kind, OLD.amount, OLD.fee_amount, OLD.reason_code, OLD.explanation)
                = (NEW.contract_id, NEW.kind, NEW.amount, NEW.fee_amount, NEW.reason_code, NEW.explanation)
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'adjustment % was decided, and is kept as it is', OLD.id
                USING ERRCODE = 'restrict_violation', HINT = 'Make another one against it.';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER adjustments_keep BEFORE UPDATE OR DELETE ON adjustments "
        "FOR EACH ROW EXECUTE FUNCTION keep_adjustments()"
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM adjustments) THEN
            RAISE EXCEPTION 'there are adjustments of pay, and their money cannot be told without them';
        END IF; END $$
    """)
    op.drop_table("payout_item_adjustments")
    op.drop_table("adjustments")
    op.execute("DROP FUNCTION keep_adjustments()")
