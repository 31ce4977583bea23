"""Time disputes: a questioned line of a week, whose money waits apart while the rest is paid."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"

moment = sa.DateTime(timezone=True)
# Nobody's hour is questioned, or ruled to be worth less, without being told why, by whom, and how to answer.
WITH_REASONS = """
CREATE FUNCTION time_disputes_with_reasons() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM statements_of_reasons
        WHERE subject_id = NEW.public_id AND decision = 'withheld'
            AND subject_kind = CASE WHEN NEW.state = 'ruled' THEN 'ruling' ELSE 'time_dispute' END
    ) THEN
        RAISE EXCEPTION 'a line is questioned only with a statement of reasons'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
KEEPS = """
CREATE OR REPLACE FUNCTION keep_approved_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM approved_lines WHERE time_entry_id = OLD.id){disputed} THEN
        RAISE EXCEPTION 'time entry % is approved', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
DISPUTED = "\n        OR EXISTS (SELECT FROM time_disputes WHERE time_entry_id = OLD.id)"


def upgrade() -> None:
    op.create_table(
        "time_disputes",
        *keys(),
        reference("timesheet_id", "timesheets.id"),
        reference("time_entry_id", "time_entries.id", unique=True),
        reference("contract_id", "contracts.id"),
        reference("opened_by", "people.id"),
        sa.Column("opened_at", moment, nullable=False),
        sa.Column("minutes", sa.BigInteger, nullable=False),
        sa.Column("rate", sa.BigInteger, nullable=False),
        sa.Column("expert_amount", sa.BigInteger, nullable=False),
        sa.Column("fee_amount", sa.BigInteger, nullable=False),
        sa.Column("offered_minutes", sa.BigInteger, nullable=False),
        sa.Column("asked_minutes", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due_at", moment),
        sa.Column("awarded_minutes", sa.BigInteger),
        sa.Column("settled_by", sa.Text),
        sa.Column("settled_at", moment),
        sa.CheckConstraint("state IN ('asked', 'answered', 'ruling', 'ruled', 'settled')", name="state"),
        sa.CheckConstraint(
            "settled_by IN ('agreed', 'client', 'deadline', 'ruling', 'appeal')", name="settled_by"
        ),
        sa.CheckConstraint("minutes > 0 AND rate > 0 AND expert_amount > 0 AND fee_amount >= 0", name="line"),
        sa.CheckConstraint(
            "offered_minutes BETWEEN 0 AND minutes AND asked_minutes BETWEEN 0 AND minutes "
            "AND awarded_minutes BETWEEN 0 AND minutes",
            name="within",
        ),
        sa.CheckConstraint("(state = 'settled') = (settled_at IS NOT NULL)", name="settled"),
        sa.CheckConstraint("(state = 'settled') = (due_at IS NULL)", name="due"),
        sa.CheckConstraint(
            "(state IN ('ruled', 'settled')) = (awarded_minutes IS NOT NULL) "
            "AND (awarded_minutes IS NULL) = (settled_by IS NULL)",
            name="awarded",
        ),
    )
    op.create_index("ix_time_disputes_timesheet_id", "time_disputes", ["timesheet_id"])
    op.create_index("ix_time_disputes_contract_id", "time_disputes", ["contract_id"])
    op.create_index(
        "ix_time_disputes_due_at", "time_disputes", ["due_at"], postgresql_where="state <> 'settled'"
    )
    op.create_table(
        "time_dispute_turns",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        reference("dispute_id", "time_disputes.id"),
        reference("person_id", "people.id", nullable=True),
        sa.Column("at", moment, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("minutes", sa.BigInteger),
        sa.CheckConstraint(
            "act IN ('questioned', 'answered', 'offered', 'asked_ruling', 'accepted', 'ruled', 'ran_out', 'upheld')",
            name="act",
        ),
        sa.CheckConstraint("minutes >= 0", name="minutes"),
    )
    op.create_index("ix_time_dispute_turns_dispute_id", "time_dispute_turns", ["dispute_id"])
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON time_disputes, time_dispute_turns FROM marketplace_app")
    op.execute(
        "GRANT UPDATE (offered_minutes, asked_minutes, state, due_at, awarded_minutes, settled_by, settled_at) "
        "ON time_disputes TO marketplace_app"
    )
    op.execute(
        "CREATE TRIGGER time_dispute_turns_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON time_dispute_turns FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(WITH_REASONS)
    op.execute("""
        CREATE TRIGGER time_disputes_with_reasons BEFORE INSERT OR UPDATE OF state ON time_disputes
        FOR EACH ROW EXECUTE FUNCTION time_disputes_with_reasons()
    """)
    # A ruling approves what it awards, and an appeal may add to it: further approvals of the same week.
    op.add_column("approvals", sa.Column("dispute_id", sa.BigInteger, sa.ForeignKey("time_disputes.id")))
    op.drop_constraint("uq_approvals_timesheet_id", "approvals")
    op.create_index(
        "uq_approvals_of_week",
        "approvals",
        ["timesheet_id"],
        unique=True,
        postgresql_where="dispute_id IS NULL",
    )
    op.create_index("ix_approvals_timesheet_id", "approvals", ["timesheet_id"])
    op.create_index(
        "ix_approvals_dispute_id", "approvals", ["dispute_id"], postgresql_where="dispute_id IS NOT NULL"
    )
    op.add_column("approved_lines", sa.Column("part", sa.SmallInteger, nullable=False, server_default="0"))
    op.drop_constraint("uq_approved_lines_time_entry_id", "approved_lines")
    op.create_unique_constraint(
        "uq_approved_lines_time_entry_id", "approved_lines", ["time_entry_id", "part"]
    )
    op.create_check_constraint("part", "approved_lines", "part IN (0, 1)")
    op.execute(KEEPS.format(disputed=DISPUTED))


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM time_disputes) THEN
            RAISE EXCEPTION 'there are time disputes, and their money cannot be told without them';
        END IF; END $$
    """)
    op.execute(KEEPS.format(disputed=""))
    op.drop_constraint("uq_approved_lines_time_entry_id", "approved_lines")
    op.drop_column("approved_lines", "part")
    op.create_unique_constraint("uq_approved_lines_time_entry_id", "approved_lines", ["time_entry_id"])
    for index in ("ix_approvals_dispute_id", "ix_approvals_timesheet_id", "uq_approvals_of_week"):
        op.drop_index(index, "approvals")
    op.create_unique_constraint("uq_approvals_timesheet_id", "approvals", ["timesheet_id"])
    op.drop_column("approvals", "dispute_id")
    op.drop_table("time_dispute_turns")
    op.drop_table("time_disputes")
    op.execute("DROP FUNCTION time_disputes_with_reasons")


def keys() -> tuple[sa.Column, sa.Column]:
    return (
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
    )


def reference(name: str, to: str, *, nullable: bool = False, **options: bool) -> sa.Column:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(to), nullable=nullable, **options)
