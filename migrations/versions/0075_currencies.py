"""What Stripe changes between currencies is kept beside what it was changed from, and a project, its contracts
and its payments are of one currency."""

import sqlalchemy as sa
from alembic import op

revision = "0075"
down_revision = "0074"

CHANGED = (
    "num_nonnulls(settled_currency, settled_amount, settled_fee) IN (0, 3)"
    " AND (settled_currency IS NULL OR settled_currency <> currency AND settled_currency ~ '^[A-Z]{3}$'"
    " AND settled_amount > 0 AND settled_fee >= 0)"
)
CHANGED_BACK = (
    "num_nonnulls(settled_currency, settled_amount) IN (0, 2)"
    " AND (settled_currency IS NULL OR settled_currency <> currency AND settled_amount > 0)"
)
OF_A_PROJECT = ("contracts", "fundings")


def upgrade() -> None:
    for table in ("fundings", "refunds"):
        op.add_column(table, sa.Column("settled_currency", sa.Text))
        op.add_column(table, sa.Column("settled_amount", sa.BigInteger))
    op.add_column("fundings", sa.Column("settled_fee", sa.BigInteger))
    op.add_column("fundings", sa.Column("exchange_rate", sa.Numeric))
    op.create_check_constraint("changed", "fundings", CHANGED)
    op.create_check_constraint("changed", "refunds", CHANGED_BACK)
    op.execute("GRANT UPDATE (settled_currency, settled_amount) ON refunds TO marketplace_app")
    op.add_column("chargebacks", sa.Column("exchanged", sa.BigInteger, nullable=False, server_default="0"))
    op.execute("GRANT UPDATE (exchanged) ON chargebacks TO marketplace_app")
    op.create_unique_constraint("uq_projects_id_currency", "projects", ["id", "currency"])
    for table in OF_A_PROJECT:
        op.create_foreign_key(
            f"fk_{table}_project_currency", table, "projects", ["project_id", "currency"], ["id", "currency"]
        )
    op.execute("""
        CREATE FUNCTION keep_transfers_currency() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT FROM payout_items i JOIN payout_batches b ON b.id = i.batch_id
                WHERE i.id = NEW.payout_item_id AND b.currency = NEW.currency
            ) THEN
                RAISE EXCEPTION 'a transfer in % is of a batch in another currency', NEW.currency
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER transfers_currency BEFORE INSERT ON transfers
        FOR EACH ROW EXECUTE FUNCTION keep_transfers_currency()
    """)


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM fundings WHERE settled_currency IS NOT NULL)
            OR EXISTS (SELECT FROM chargebacks WHERE exchanged <> 0) THEN
            RAISE EXCEPTION 'Stripe has changed currencies: at which rate would be forgotten';
        END IF; END $$
    """)
    op.execute("DROP TRIGGER transfers_currency ON transfers")
    op.execute("DROP FUNCTION keep_transfers_currency()")
    for table in OF_A_PROJECT:
        op.drop_constraint(f"fk_{table}_project_currency", table, type_="foreignkey")
    op.drop_constraint("uq_projects_id_currency", "projects", type_="unique")
    op.drop_column("chargebacks", "exchanged")
    for table in ("fundings", "refunds"):
        op.drop_constraint(op.f(f"ck_{table}_changed"), table, type_="check")
        op.drop_column(table, "settled_amount")
        op.drop_column(table, "settled_currency")
    op.drop_column("fundings", "exchange_rate")
    op.drop_column("fundings", "settled_fee")
