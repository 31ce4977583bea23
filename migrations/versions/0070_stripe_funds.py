"""What lies at Stripe is kept by the source type that it can be spent from."""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0069"


def upgrade() -> None:
    op.create_table(
        "stripe_funds",
        sa.Column("currency", sa.Text, primary_key=True),
        sa.Column("source_type", sa.Text, primary_key=True),
        sa.Column("available", sa.BigInteger, nullable=False),
        sa.Column("pending", sa.BigInteger, nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON stripe_funds FROM marketplace_app")
    op.execute("GRANT UPDATE (available, pending, fetched_at) ON stripe_funds TO marketplace_app")
    op.create_index(
        "ix_stripe_transactions_available_on",
        "stripe_transactions",
        ["available_on"],
        postgresql_where=sa.text("account IS NULL"),
    )
    # Rows come in the order of their time, so these cost next to nothing as they are written.
    op.create_index("ix_transfers_sent_at", "transfers", ["sent_at"], postgresql_using="brin")
    op.create_index("ix_approvals_at", "approvals", ["at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_approvals_at", "approvals")
    op.drop_index("ix_transfers_sent_at", "transfers")
    op.drop_index("ix_stripe_transactions_available_on", "stripe_transactions")
    op.drop_table("stripe_funds")
