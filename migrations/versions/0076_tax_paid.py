"""A bank line that paid tax to a tax office is proposed by one and confirmed by another."""

import sqlalchemy as sa
from alembic import op

revision = "0076"
down_revision = "0075"

TABLE = "client_money_decisions"
KIND = (
    "CASE kind WHEN 'undo' THEN match_id IS NOT NULL WHEN 'apply' THEN funding_id IS NOT NULL"
    " WHEN 'return' THEN source IS NOT NULL {tax}ELSE false END"
    " AND num_nonnulls(match_id, funding_id, source) = 1"
)


def upgrade() -> None:
    _allow("WHEN 'tax' THEN source IS NOT NULL ")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM client_money_decisions WHERE kind = 'tax') THEN
            RAISE EXCEPTION 'two people decided about tax that was paid, which is kept';
        END IF; END $$
    """)
    _allow("")


def _allow(tax: str) -> None:
    op.drop_constraint(op.f("ck_client_money_decisions_kind"), TABLE, type_="check")
    op.create_check_constraint("kind", TABLE, sa.text(KIND.format(tax=tax)))
