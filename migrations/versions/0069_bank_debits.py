"""Clients pay by bank debit: Stripe shows it days before their bank has paid, and so do the books."""

import sqlalchemy as sa
from alembic import op

revision = "0069"
down_revision = "0068"

RAILS = ("card", "bank_transfer", "wire")
FAILED_LATE = (
    "(state = 'failed_after_paid') = (failure_transaction IS NOT NULL)"
    " AND (state <> 'failed_after_paid' OR paid_at IS NOT NULL AND net > 0 AND failed_at IS NOT NULL)"
)
FAILED = (
    "(state = 'failed_after_paid' OR state = 'failed' AND under_way_at IS NOT NULL)"
    " = (failure_transaction IS NOT NULL)"
    " AND (failure_transaction IS NULL OR net > 0 AND failed_at IS NOT NULL)"
    " AND (state <> 'failed_after_paid' OR paid_at IS NOT NULL)"
)
SHOWN = (
    "under_way_at IS NULL OR state IN ('processing', 'paid', 'failed', 'failed_after_paid')"
    " AND charge IS NOT NULL AND balance_transaction IS NOT NULL AND net > 0 AND fee >= 0"
)


def upgrade() -> None:
    op.add_column("fundings", sa.Column("under_way_at", sa.DateTime(timezone=True)))
    _rule("rail_word", f"rail IN {(*RAILS, 'bank_debit')}")
    _rule("failed_after_paid", FAILED)
    op.create_check_constraint("under_way", "fundings", SHOWN)
    op.execute("""
        CREATE TRIGGER fundings_under_way BEFORE UPDATE ON fundings FOR EACH ROW
        WHEN (OLD.under_way_at IS NOT NULL AND (OLD.under_way_at, OLD.charge, OLD.balance_transaction)
            IS DISTINCT FROM (NEW.under_way_at, NEW.charge, NEW.balance_transaction))
        EXECUTE FUNCTION refuse_frozen()
    """)


def _rule(name: str, rule: str) -> None:
    op.drop_constraint(op.f(f"ck_fundings_{name}"), "fundings", type_="check")
    op.create_check_constraint(name, "fundings", rule)


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN
        IF EXISTS (SELECT FROM fundings WHERE rail = 'bank_debit' OR under_way_at IS NOT NULL) THEN
            RAISE EXCEPTION 'clients paid by bank debit: the version before cannot tell what became of it';
        END IF; END $$
    """)
    op.execute("DROP TRIGGER fundings_under_way ON fundings")
    op.drop_constraint(op.f("ck_fundings_under_way"), "fundings", type_="check")
    _rule("failed_after_paid", FAILED_LATE)
    _rule("rail_word", f"rail IN {RAILS}")
    op.drop_column("fundings", "under_way_at")
