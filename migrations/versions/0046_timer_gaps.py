"""While a timer runs: times in which nothing was heard of it, of which the expert says whether they count."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "timer_gaps",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("contract_id", sa.BigInteger, sa.ForeignKey("contracts.id"), nullable=False),
        sa.Column("from_at", moment, nullable=False),
        sa.Column("to_at", moment, nullable=False),
        sa.Column("answered_at", moment),
        sa.Column("worked", sa.Boolean),
        sa.UniqueConstraint("contract_id", "from_at"),
        sa.CheckConstraint("to_at > from_at", name="order"),
        sa.CheckConstraint("(answered_at IS NULL) = (worked IS NULL)", name="answered"),
    )
    op.create_index(
        "ix_timer_gaps_contract_id", "timer_gaps", ["contract_id"], postgresql_where="answered_at IS NULL"
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON timer_gaps FROM marketplace_app")
    op.execute("GRANT UPDATE (answered_at, worked) ON timer_gaps TO marketplace_app")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM timer_gaps WHERE answered_at IS NOT NULL) THEN
            RAISE EXCEPTION 'experts have said what of their time counts, which is kept';
        END IF; END $$
    """)
    op.drop_table("timer_gaps")
