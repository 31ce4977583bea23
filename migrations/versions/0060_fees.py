"""Fees are dated: proposed by one, accepted by another, and never changed afterwards."""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"

moment = sa.DateTime(timezone=True)
SCOPE = "coalesce(organization_id, 0), coalesce(project_id, 0)"

KEEP = """
CREATE FUNCTION keep_fee_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'made' AND NEW.state <> 'made'
        AND (OLD.id, OLD.public_id, OLD.organization_id, OLD.project_id, OLD.from_on, OLD.fee_bps, OLD.reason,
            OLD.made_by, OLD.made_at)
        IS NOT DISTINCT FROM (NEW.id, NEW.public_id, NEW.organization_id, NEW.project_id, NEW.from_on,
            NEW.fee_bps, NEW.reason, NEW.made_by, NEW.made_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'fee %: what was proposed and decided stays', OLD.id USING ERRCODE = 'restrict_violation';
END $$
"""


def upgrade() -> None:
    op.create_table(
        "fee_changes",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("organization_id", sa.BigInteger, sa.ForeignKey("organizations.id"), index=True),
        sa.Column("project_id", sa.BigInteger, sa.ForeignKey("projects.id"), index=True),
        sa.Column("from_on", sa.Date, nullable=False),
        sa.Column("fee_bps", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("made_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("decided_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("decided_at", moment),
        sa.CheckConstraint("num_nonnulls(organization_id, project_id) <= 1", name="scope"),
        sa.CheckConstraint("fee_bps BETWEEN 0 AND 10000", name="fee_bps"),
        sa.CheckConstraint(
            "fee_bps IS NOT NULL OR num_nonnulls(organization_id, project_id) = 1", name="all_have_one"
        ),
        sa.CheckConstraint("length(reason) >= 10", name="reason"),
        sa.CheckConstraint("state IN ('made', 'accepted', 'declined', 'withdrawn')", name="state"),
        sa.CheckConstraint(
            "num_nonnulls(decided_by, decided_at) = CASE state WHEN 'made' THEN 0 ELSE 2 END", name="decided"
        ),
        sa.CheckConstraint("state <> 'accepted' OR decided_by <> made_by", name="two_people"),
        # Where the day begins first: nobody has worked on it.
        sa.CheckConstraint(
            "state <> 'accepted' OR from_on > CAST(timezone('Pacific/Kiritimati', decided_at) AS date)",
            name="to_come",
        ),
    )
    op.execute(
        f"CREATE UNIQUE INDEX uq_fee_changes_accepted ON fee_changes ({SCOPE}, from_on) WHERE state = 'accepted'"
    )
    op.execute(f"CREATE UNIQUE INDEX uq_fee_changes_made ON fee_changes ({SCOPE}) WHERE state = 'made'")
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON fee_changes FROM marketplace_app")
    op.execute("GRANT UPDATE (state, decided_by, decided_at) ON fee_changes TO marketplace_app")
    op.execute(KEEP)
    op.execute(
        "CREATE TRIGGER fee_changes_keep BEFORE UPDATE OR DELETE ON fee_changes "
        "FOR EACH ROW EXECUTE FUNCTION keep_fee_changes()"
    )
    op.add_column("approved_lines", sa.Column("fee_bps", sa.BigInteger))
    op.create_check_constraint("fee_bps", "approved_lines", "fee_bps BETWEEN 0 AND 10000")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM fee_changes) THEN
            RAISE EXCEPTION 'fees were proposed, and lines approved at them';
        END IF; END $$
    """)
    op.drop_column("approved_lines", "fee_bps")
    op.drop_table("fee_changes")
    op.execute("DROP FUNCTION keep_fee_changes()")
