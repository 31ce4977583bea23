"""What an account lacks and why; holds after a bank account changed; when an expert wants to be paid."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0061"
down_revision = "0060"

moment = sa.DateTime(timezone=True)
BEFORE = ("no_account", "not_ready", "below_minimum", "in_another_batch", "short_balance")
BLOCKERS = (*BEFORE, "bank_changed", "negative_balance", "person_closed")
MAY_CHANGE = (
    "denied_at", "ending_by", "ending_at", "ending_reason", "ended_by", "ended_at", "schedule_before",
    "manual_asked_at", "manual_at", "restored_at", "retry_at", "tries", "failure",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("connected_accounts", sa.Column("reason", sa.Text))
    op.add_column("connected_accounts", sa.Column("way_out", sa.Text))
    op.add_column("connected_accounts", sa.Column("bank_mark", sa.LargeBinary))
    op.add_column("connected_accounts", sa.Column("owes", JSONB, nullable=False, server_default="{}"))
    op.create_check_constraint("bank_mark_length", "connected_accounts", "length(bank_mark) = 32")
    _blockers(BLOCKERS)
    _holds()
    _wishes()


def _blockers(words: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_payout_items_blocker_word"), "payout_items", type_="check")
    op.create_check_constraint("blocker_word", "payout_items", f"blocker IN {words}")


def _holds() -> None:
    op.create_table(
        "bank_holds",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column(
            "connected_account_id",
            sa.BigInteger,
            sa.ForeignKey("connected_accounts.id"),
            nullable=False,
            index=True,
        ),
        sa.Column("begun_at", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("denied_at", moment),
        sa.Column("ending_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("ending_at", moment),
        sa.Column("ending_reason", sa.Text),
        sa.Column("ended_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("ended_at", moment),
        sa.Column("schedule_before", JSONB),
        sa.Column("manual_asked_at", moment),
        sa.Column("manual_at", moment),
        sa.Column("restored_at", moment),
        sa.Column("retry_at", moment),
        sa.Column("tries", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("failure", sa.Text),
        sa.CheckConstraint("until > begun_at", name="until"),
        sa.CheckConstraint("num_nonnulls(ending_by, ending_at, ending_reason) IN (0, 3)", name="ending"),
        sa.CheckConstraint(
            "ended_by IS NULL OR (ended_at IS NOT NULL AND ending_by IS NOT NULL AND ended_by <> ending_by)",
            name="ended_by_two",
        ),
        sa.CheckConstraint(
            "ended_at IS NULL OR ended_by IS NOT NULL OR (ended_at >= until AND denied_at IS NULL)",
            name="ended_in_time",
        ),
        sa.CheckConstraint("manual_asked_at IS NULL OR schedule_before IS NOT NULL", name="schedule_known"),
        sa.CheckConstraint("restored_at IS NULL OR ended_at IS NOT NULL", name="restored_after"),
        sa.Index(
            "ix_bank_holds_open", "connected_account_id", postgresql_where=sa.text("restored_at IS NULL")
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON bank_holds FROM marketplace_app")
    op.execute(f"GRANT UPDATE ({', '.join(MAY_CHANGE)}) ON bank_holds TO marketplace_app")
    op.execute(
        """
        CREATE FUNCTION keep_bank_holds() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.denied_at IS NOT NULL AND OLD.denied_at IS DISTINCT FROM NEW.denied_at
                OR OLD.manual_at IS NOT NULL AND OLD.manual_at IS DISTINCT FROM NEW.manual_at
                OR OLD.restored_at IS NOT NULL AND OLD.restored_at IS DISTINCT FROM NEW.restored_at
                OR OLD.schedule_before IS NOT NULL
                    AND OLD.schedule_before IS DISTINCT FROM NEW.schedule_before
                OR OLD.ended_at IS NOT NULL AND
                    (OLD.ended_at, OLD.ended_by, OLD.ending_by, OLD.ending_at, OLD.ending_reason,
                        OLD.denied_at)
                    IS DISTINCT FROM (NEW.ended_at, NEW.ended_by, NEW.ending_by, NEW.ending_at,
                        NEW.ending_reason, NEW.denied_at)
                OR NEW.ended_by IS NOT NULL AND OLD.ending_by IS NULL THEN
                RAISE EXCEPTION 'hold %: what was done stays', OLD.id USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER bank_holds_keep BEFORE UPDATE ON bank_holds "
        "FOR EACH ROW EXECUTE FUNCTION keep_bank_holds()"
    )


def _wishes() -> None:
    op.create_table(
        "payout_minimums",
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), primary_key=True),
        sa.Column("currency", sa.Text, primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("changed_at", moment, nullable=False),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
    )
    op.create_table(
        "payout_requests",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("batch_id", sa.BigInteger, sa.ForeignKey("payout_batches.id"), index=True),
        sa.Column("withdrawn_at", moment),
        sa.CheckConstraint("batch_id IS NULL OR withdrawn_at IS NULL", name="one_end"),
        sa.Index(
            "uq_payout_requests_open",
            "person_id",
            unique=True,
            postgresql_where=sa.text("batch_id IS NULL AND withdrawn_at IS NULL"),
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON payout_minimums, payout_requests FROM marketplace_app")
    op.execute("GRANT UPDATE (amount, changed_at) ON payout_minimums TO marketplace_app")
    op.execute("GRANT UPDATE (batch_id, withdrawn_at) ON payout_requests TO marketplace_app")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM bank_holds) OR EXISTS (
            SELECT FROM payout_items WHERE blocker IN ('bank_changed', 'negative_balance', 'person_closed')
        ) THEN
            RAISE EXCEPTION 'bank accounts have changed, and pay was held for it';
        END IF; END $$
    """)
    op.drop_table("payout_requests")
    op.drop_table("payout_minimums")
    op.drop_table("bank_holds")
    op.execute("DROP FUNCTION keep_bank_holds()")
    _blockers(BEFORE)
    op.drop_constraint(op.f("ck_connected_accounts_bank_mark_length"), "connected_accounts", type_="check")
    for column in ("owes", "bank_mark", "way_out", "reason"):
        op.drop_column("connected_accounts", column)
