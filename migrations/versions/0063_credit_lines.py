"""Credit lines, prepared by one and confirmed by another; no reservation goes below what they allow."""

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0062"

moment = sa.DateTime(timezone=True)
CHANGING = "confirmed_by, confirmed_at, ended_by, ended_at, end_reason"


def upgrade() -> None:
    op.create_table(
        "credit_lines",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column(
            "organization_id", sa.BigInteger, sa.ForeignKey("organizations.id"), nullable=False, index=True
        ),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("from_on", sa.Date, nullable=False),
        sa.Column("until_on", sa.Date, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("prepared_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("prepared_at", moment, nullable=False),
        sa.Column("confirmed_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("confirmed_at", moment),
        sa.Column("ended_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("ended_at", moment),
        sa.Column("end_reason", sa.Text),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint("until_on >= from_on", name="days"),
        sa.CheckConstraint("reason <> ''", name="reason"),
        sa.CheckConstraint("confirmed_by <> prepared_by", name="two_people"),
        sa.CheckConstraint("(confirmed_by IS NULL) = (confirmed_at IS NULL)", name="confirmed"),
        sa.CheckConstraint("num_nonnulls(ended_by, ended_at, end_reason) IN (0, 3)", name="ended"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON credit_lines FROM marketplace_app")
    op.execute(f"GRANT UPDATE ({CHANGING}) ON credit_lines TO marketplace_app")
    _keep()
    _hold()


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM credit_lines WHERE confirmed_at IS NOT NULL) THEN
            RAISE EXCEPTION 'credit was given: the version before would take what clients owe for a drift';
        END IF; END $$
    """)
    op.execute("DROP TRIGGER reservations_covered ON reservations")
    op.execute("DROP FUNCTION keep_reservations_covered()")
    op.drop_table("credit_lines")
    op.execute("DROP FUNCTION keep_credit_lines()")


def _keep() -> None:
    """What was prepared stays; who confirmed and who ended it stays too."""
    op.execute("""
        CREATE FUNCTION keep_credit_lines() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE'
                OR (OLD.id, OLD.public_id, OLD.organization_id, OLD.currency, OLD.amount, OLD.from_on,
                    OLD.until_on, OLD.reason, OLD.prepared_by, OLD.prepared_at)
                IS DISTINCT FROM (NEW.id, NEW.public_id, NEW.organization_id, NEW.currency, NEW.amount,
                    NEW.from_on, NEW.until_on, NEW.reason, NEW.prepared_by, NEW.prepared_at)
                OR (OLD.confirmed_by IS NOT NULL OR OLD.ended_by IS NOT NULL)
                    AND (OLD.confirmed_by, OLD.confirmed_at)
                    IS DISTINCT FROM (NEW.confirmed_by, NEW.confirmed_at)
                OR OLD.ended_by IS NOT NULL AND (OLD.ended_by, OLD.ended_at, OLD.end_reason)
                    IS DISTINCT FROM (NEW.ended_by, NEW.ended_at, NEW.end_reason) THEN
                RAISE EXCEPTION 'what was decided of credit line % stays', OLD.id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER credit_lines_kept BEFORE UPDATE OR DELETE ON credit_lines "
        "FOR EACH ROW EXECUTE FUNCTION keep_credit_lines()"
    )


def _hold() -> None:
    """After a reservation, a project that is below zero stands within its client's lines, with all others
    of the same client. Days are the application's to judge: its clock may be set."""
    op.execute("""
        CREATE FUNCTION keep_reservations_covered() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            client bigint;
            unit text;
            mine bigint;
            owed bigint;
            given bigint;
        BEGIN
            IF TG_OP = 'UPDATE' AND NEW.amount <= OLD.amount THEN
                RETURN NULL;
            END IF;
            SELECT p.organization_id, p.currency, coalesce(sum(b.amount), 0) INTO client, unit, mine
            FROM contracts c JOIN projects p ON p.id = c.project_id
            LEFT JOIN ledger_accounts a
                ON a.key = 'project:' || p.public_id || '\\:funds' AND a.currency = p.currency
            LEFT JOIN ledger_balances b ON b.account_id = a.id
            WHERE c.id = NEW.contract_id GROUP BY p.id;
            IF mine <= 0 THEN
                RETURN NULL;
            END IF;
            SELECT coalesce(sum(amount), 0) INTO owed FROM (
                SELECT sum(b.amount) AS amount
                FROM projects p
                JOIN ledger_accounts a ON a.key = 'project:' || p.public_id || '\\:funds' AND a.currency = unit
                JOIN ledger_balances b ON b.account_id = a.id
                WHERE p.organization_id = client GROUP BY p.id HAVING sum(b.amount) > 0
            ) AS below;
            SELECT coalesce(sum(amount), 0) INTO given FROM credit_lines
            WHERE organization_id = client AND currency = unit
                AND confirmed_at IS NOT NULL AND ended_at IS NULL;
            IF owed > given THEN
                RAISE EXCEPTION 'contract % would take more than was paid in and lent', NEW.contract_id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute(
        "CREATE CONSTRAINT TRIGGER reservations_covered AFTER INSERT OR UPDATE OF amount ON reservations "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_reservations_covered()"
    )
