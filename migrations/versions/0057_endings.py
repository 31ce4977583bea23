"""Projects end, and what was left of their money goes back by the way it came."""

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"

moment = sa.DateTime(timezone=True)
STATES = ("prepared", "released", "sending", "unknown", "sent", "arrived", "owed", "paid_out")
CHANGES = (
    "state", "released_by", "released_at", "second_by", "second_at", "attempt", "first_tried_at", "tries",
    "retry_at", "stripe_id", "looked_at", "failure", "reference", "noted_by", "noted_at", "confirmed_by",
    "confirmed_at",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "project_endings",
        sa.Column(
            "project_id", sa.BigInteger, sa.ForeignKey("projects.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("ended_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("ended_at", moment, nullable=False),
        sa.Column("contracts", sa.BigInteger, nullable=False),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON project_endings FROM marketplace_app")
    _refunds()


def _refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("project_id", sa.BigInteger, sa.ForeignKey("projects.id"), nullable=False, index=True),
        sa.Column("funding_id", sa.BigInteger, sa.ForeignKey("fundings.id"), index=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("asked_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("prepared_at", moment, nullable=False),
        sa.Column("released_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("released_at", moment),
        sa.Column("second_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("second_at", moment),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("first_tried_at", moment),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("retry_at", moment),
        sa.Column("stripe_id", sa.Text, unique=True),
        sa.Column("looked_at", moment),
        sa.Column("failure", sa.Text),
        sa.Column("reference", sa.Text),
        sa.Column("noted_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("noted_at", moment),
        sa.Column("confirmed_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("confirmed_at", moment),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint(f"state IN {STATES}", name="state"),
        sa.CheckConstraint("state = 'prepared' OR released_by IS NOT NULL", name="released"),
        sa.CheckConstraint("released_by <> asked_by AND second_by <> asked_by", name="asked"),
        sa.CheckConstraint("second_by <> released_by", name="two"),
        sa.CheckConstraint("confirmed_by <> noted_by", name="by_hand"),
        sa.CheckConstraint(
            "state <> 'paid_out' OR num_nonnulls(reference, noted_by, confirmed_by) = 3", name="paid_out"
        ),
        sa.CheckConstraint("state NOT IN ('sent', 'arrived') OR stripe_id IS NOT NULL", name="sent"),
        sa.Index(
            "ix_refunds_to_send",
            "id",
            postgresql_where=sa.text("state IN ('released', 'sending', 'unknown')"),
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON refunds FROM marketplace_app")
    op.execute(f"GRANT UPDATE ({', '.join(CHANGES)}) ON refunds TO marketplace_app")
    op.execute(
        """
        CREATE FUNCTION keep_lots() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            brought bigint;
        BEGIN
            SELECT net INTO brought FROM fundings
            WHERE id = NEW.funding_id AND project_id = NEW.project_id FOR NO KEY UPDATE;
            IF brought IS NULL OR NEW.amount + (
                SELECT coalesce(sum(amount), 0) FROM refunds WHERE funding_id = NEW.funding_id
            ) > brought THEN
                RAISE EXCEPTION 'more would go back than lot % brought', NEW.funding_id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER refunds_keep_lots BEFORE INSERT ON refunds "
        "FOR EACH ROW WHEN (NEW.funding_id IS NOT NULL) EXECUTE FUNCTION keep_lots()"
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM project_endings) OR EXISTS (SELECT FROM refunds) THEN
            RAISE EXCEPTION 'clients have ended projects';
        END IF; END $$
    """)
    op.drop_table("refunds")
    op.execute("DROP FUNCTION keep_lots()")
    op.drop_table("project_endings")
