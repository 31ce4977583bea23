"""Whose account it is is asked before each payment, also among a hundred thousand."""

from alembic import op

revision = "0089"
down_revision = "0088"


def upgrade() -> None:
    op.create_index("ix_connected_accounts_person_id", "connected_accounts", ["person_id"])


def downgrade() -> None:
    op.drop_index("ix_connected_accounts_person_id", "connected_accounts")
