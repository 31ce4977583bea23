"""Offers and contracts are found by their gig."""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.create_index("ix_offers_gig_id", "offers", ["gig_id"])
    op.create_index("ix_contracts_gig_id", "contracts", ["gig_id"])


def downgrade() -> None:
    op.drop_index("ix_contracts_gig_id", "contracts")
    op.drop_index("ix_offers_gig_id", "offers")
