"""When an entry was sealed is kept: from then on the books knew it. What was sealed before counts as known
since now."""

import sqlalchemy as sa
from alembic import op

revision = "0077"
down_revision = "0076"


def upgrade() -> None:
    moment = sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())
    op.add_column("journal_seals", moment)
    op.create_index("ix_journal_seals_sealed_at", "journal_seals", ["sealed_at"])


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM journal_seals) THEN
            RAISE EXCEPTION 'since when the books knew their entries would be forgotten';
        END IF; END $$
    """)
    op.drop_index("ix_journal_seals_sealed_at", "journal_seals")
    op.drop_column("journal_seals", "sealed_at")
