"""What had left a project when its payment failed late is owed by the client, until it is paid or two people
of finance write it off."""

import sqlalchemy as sa
from alembic import op

revision = "0073"
down_revision = "0072"

moment = sa.DateTime(timezone=True)
KEEP = """
CREATE FUNCTION keep_client_debts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.funding_id, OLD.currency, OLD.owed, OLD.since)
            IS DISTINCT FROM (NEW.funding_id, NEW.currency, NEW.owed, NEW.since)
        OR NEW.paid < OLD.paid OR NEW.recovered < OLD.recovered OR NEW.bookings < OLD.bookings
        OR OLD.written_off_by IS NOT NULL AND OLD IS DISTINCT FROM NEW THEN
        RAISE EXCEPTION 'client debt %: what was owed, paid and written off stays', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
MAY = "paid, recovered, written_off, bookings, reason, asked_by, asked_at, written_off_by, written_off_at"


def upgrade() -> None:
    op.create_table(
        "client_debts",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("funding_id", sa.BigInteger, sa.ForeignKey("fundings.id"), nullable=False, unique=True),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("owed", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("paid", "recovered", "written_off", "bookings")
        ),
        sa.Column("since", moment, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("asked_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("asked_at", moment),
        sa.Column("written_off_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("written_off_at", moment),
        sa.CheckConstraint(
            "owed > 0 AND least(paid, recovered, written_off, bookings) >= 0"
            " AND paid + recovered + written_off <= owed",
            name="amounts",
        ),
        sa.CheckConstraint(
            "num_nonnulls(asked_by, asked_at, reason) IN (0, 3)"
            " AND (written_off_by IS NULL) = (written_off_at IS NULL)"
            " AND (written_off_by IS NULL) = (written_off = 0)",
            name="words",
        ),
        sa.CheckConstraint(
            "written_off_by IS NULL OR asked_by IS NOT NULL AND written_off_by <> asked_by"
            " AND paid + recovered + written_off = owed",
            name="two_people",
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON client_debts FROM marketplace_app")
    op.execute(f"GRANT UPDATE ({MAY}) ON client_debts TO marketplace_app")
    op.execute(KEEP)
    op.execute(
        "CREATE TRIGGER client_debts_keep BEFORE UPDATE ON client_debts "
        "FOR EACH ROW EXECUTE FUNCTION keep_client_debts()"
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM client_debts) THEN
            RAISE EXCEPTION 'clients owe for payments that failed';
        END IF; END $$
    """)
    op.drop_table("client_debts")
    op.execute("DROP FUNCTION keep_client_debts()")
