"""Two people approve a week above an amount that its client sets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0051"
down_revision = "0050"

moment = sa.DateTime(timezone=True)
# One person alone approves no week that needs two; the site, at the deadline, does.
TWO = """
CREATE FUNCTION approvals_by_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.person_id IS NOT NULL AND NEW.dispute_id IS NULL AND NEW.first_id IS NULL
        AND (SELECT two_people FROM timesheets WHERE id = NEW.timesheet_id) THEN
        RAISE EXCEPTION 'week % needs two people', NEW.timesheet_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "approval_rules",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        reference("organization_id", "organizations.id"),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger),
        reference("set_by", "people.id"),
        sa.Column("set_at", moment, nullable=False),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.Index("ix_approval_rules_organization_id", "organization_id", "id"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON approval_rules FROM marketplace_app")
    op.execute(
        "CREATE TRIGGER approval_rules_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON approval_rules FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.add_column(
        "timesheets", sa.Column("two_people", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.execute("GRANT UPDATE (two_people) ON timesheets TO marketplace_app")
    _create_first_approvals()
    op.add_column("approvals", sa.Column("first_id", sa.BigInteger))
    op.add_column("approvals", sa.Column("first_person_id", sa.BigInteger, sa.ForeignKey("people.id")))
    op.create_foreign_key(
        "fk_approvals_first_id_first_approvals",
        "approvals",
        "first_approvals",
        ["first_id", "first_person_id", "timesheet_id"],
        ["id", "person_id", "timesheet_id"],
    )
    op.create_check_constraint("two_people", "approvals", "person_id <> first_person_id")
    op.create_check_constraint("first", "approvals", "(first_id IS NULL) = (first_person_id IS NULL)")
    op.create_index(
        "uq_approvals_first_id",
        "approvals",
        ["first_id"],
        unique=True,
        postgresql_where="first_id IS NOT NULL",
    )
    op.execute(TWO)
    op.execute("""
        CREATE TRIGGER approvals_by_two BEFORE INSERT ON approvals
        FOR EACH ROW EXECUTE FUNCTION approvals_by_two()
    """)


def _create_first_approvals() -> None:
    op.create_table(
        "first_approvals",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        reference("timesheet_id", "timesheets.id"),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("lines_sha256", sa.LargeBinary, nullable=False),
        sa.Column("questions", JSONB, nullable=False),
        reference("person_id", "people.id"),
        sa.Column("at", moment, nullable=False),
        sa.Column("ended_as", sa.Text),
        reference("ended_by", "people.id", nullable=True),
        sa.Column("ended_at", moment),
        sa.Column("note", sa.Text),
        sa.CheckConstraint("length(lines_sha256) = 32", name="lines_sha256"),
        sa.CheckConstraint(
            "ended_as IN ('confirmed', 'sent_back', 'taken_back', 'returned', 'changed', 'deadline')",
            name="ended_as",
        ),
        sa.CheckConstraint("(ended_as IS NULL) = (ended_at IS NULL)", name="ended"),
        sa.CheckConstraint(
            "CASE ended_as WHEN 'deadline' THEN ended_by IS NULL WHEN 'taken_back' THEN ended_by = person_id "
            "WHEN 'confirmed' THEN ended_by <> person_id WHEN 'sent_back' THEN ended_by <> person_id "
            "ELSE true END",
            name="ended_by",
        ),
        sa.CheckConstraint("(ended_as IS NOT DISTINCT FROM 'sent_back') = (note IS NOT NULL)", name="note"),
        sa.UniqueConstraint("id", "person_id", "timesheet_id", name="uq_first_approvals_who"),
        sa.Index("ix_first_approvals_timesheet_id", "timesheet_id"),
        sa.Index(
            "uq_first_approvals_standing",
            "timesheet_id",
            unique=True,
            postgresql_where=sa.text("ended_as IS NULL"),
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON first_approvals FROM marketplace_app")
    op.execute("GRANT UPDATE (ended_as, ended_by, ended_at, note) ON first_approvals TO marketplace_app")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM first_approvals) OR EXISTS (SELECT FROM approval_rules) THEN
            RAISE EXCEPTION 'weeks were approved by two people, and who they were is kept here';
        END IF; END $$
    """)
    op.execute("DROP TRIGGER approvals_by_two ON approvals")
    op.execute("DROP FUNCTION approvals_by_two")
    op.drop_index("uq_approvals_first_id", "approvals")
    for name in ("ck_approvals_first", "ck_approvals_two_people", "fk_approvals_first_id_first_approvals"):
        op.drop_constraint(name, "approvals")
    op.drop_column("approvals", "first_person_id")
    op.drop_column("approvals", "first_id")
    op.drop_table("first_approvals")
    op.drop_column("timesheets", "two_people")
    op.drop_table("approval_rules")


def reference(name: str, to: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(to), nullable=nullable)
