"""New rates are proposed and answered; the database keeps what hours were worth, and who agreed to less."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"

moment = sa.DateTime(timezone=True)
STATES = ("made", "accepted", "declined", "withdrawn", "expired")


def upgrade() -> None:
    op.create_table(
        "rate_proposals",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("contract_id", sa.BigInteger, sa.ForeignKey("contracts.id"), nullable=False, index=True),
        sa.Column("rate_before", sa.BigInteger, nullable=False),
        sa.Column("rate", sa.BigInteger, nullable=False),
        sa.Column("from_at", moment, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("made_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("decided_at", moment),
        sa.Column("signed_name", sa.Text),
        sa.CheckConstraint("rate > 0 AND rate <> rate_before", name="rate"),
        sa.CheckConstraint("from_at > made_at AND expires_at <= from_at", name="from_at"),
        sa.CheckConstraint("(state = 'made') = (decided_at IS NULL)", name="decided"),
        sa.CheckConstraint(
            "(signed_name IS NOT NULL) = (state = 'accepted' AND rate < rate_before)", name="signed"
        ),
        sa.CheckConstraint(f"state IN {STATES}", name="state"),
        sa.Index(
            "uq_rate_proposals_made", "contract_id", unique=True, postgresql_where=sa.text("state = 'made'")
        ),
        sa.Index("ix_rate_proposals_expires_at", "expires_at", postgresql_where=sa.text("state = 'made'")),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON rate_proposals FROM marketplace_app")
    op.execute("GRANT UPDATE (state, decided_at, signed_name) ON rate_proposals TO marketplace_app")
    _lock_rates()
    _let_reservations_grow()


def _lock_rates() -> None:
    """Rates are append-only since 0011; now none can be added over hours that were worked."""
    op.execute(
        """
        CREATE FUNCTION keep_rates() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            before contract_rates;
        BEGIN
            SELECT * INTO before FROM contract_rates WHERE contract_id = NEW.contract_id
            ORDER BY from_at DESC LIMIT 1;
            IF NOT FOUND THEN
                RETURN NEW;
            END IF;
            IF NEW.from_at <= before.from_at OR NEW.from_at <= NEW.agreed_at OR EXISTS (
                SELECT FROM time_entries
                WHERE contract_id = NEW.contract_id AND removed_at IS NULL
                    AND (started_at >= NEW.from_at OR ended_at > NEW.from_at)
            ) THEN
                RAISE EXCEPTION 'an hour of contract % keeps its rate', NEW.contract_id
                    USING ERRCODE = 'restrict_violation', HINT = 'A new rate begins later.';
            END IF;
            IF NEW.rate < before.rate AND NOT EXISTS (
                SELECT FROM rate_proposals
                WHERE contract_id = NEW.contract_id AND from_at = NEW.from_at AND rate = NEW.rate
                    AND rate_before = before.rate AND state = 'accepted' AND signed_name IS NOT NULL
            ) THEN
                RAISE EXCEPTION 'nobody signed a lower rate for contract %', NEW.contract_id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER contract_rates_keep BEFORE INSERT ON contract_rates "
        "FOR EACH ROW EXECUTE FUNCTION keep_rates()"
    )


def _let_reservations_grow() -> None:
    """A raise is set aside for weeks that are reserved already; what is reserved never shrinks but by closing."""
    op.execute("GRANT UPDATE (amount) ON reservations TO marketplace_app")
    op.execute(
        """
        CREATE FUNCTION keep_reserved() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.amount < OLD.amount OR (NEW.amount > OLD.amount AND OLD.state <> 'held') THEN
                RAISE EXCEPTION 'reservation % only grows while it is held', OLD.id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER reservations_keep BEFORE UPDATE OF amount ON reservations "
        "FOR EACH ROW EXECUTE FUNCTION keep_reserved()"
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM rate_proposals WHERE signed_name IS NOT NULL) THEN
            RAISE EXCEPTION 'experts have signed lower rates, which is kept';
        END IF; END $$
    """)
    op.execute("DROP TRIGGER reservations_keep ON reservations")
    op.execute("DROP FUNCTION keep_reserved()")
    op.execute("REVOKE UPDATE (amount) ON reservations FROM marketplace_app")
    op.execute("DROP TRIGGER contract_rates_keep ON contract_rates")
    op.execute("DROP FUNCTION keep_rates()")
    op.drop_table("rate_proposals")
