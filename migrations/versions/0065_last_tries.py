"""When a transfer was last tried; who denies a change of bank account undoes what was asked before."""

import sqlalchemy as sa
from alembic import op

revision = "0065"
down_revision = "0064"


def upgrade() -> None:
    op.add_column("transfers", sa.Column("last_tried_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE transfers SET last_tried_at = first_tried_at")
    op.create_check_constraint("last_after_first", "transfers", "last_tried_at >= first_tried_at")
    op.create_check_constraint(
        "ending_after_denial", "bank_holds", "ended_by IS NULL OR denied_at IS NULL OR ending_at > denied_at"
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM transfers WHERE last_tried_at > first_tried_at) THEN
            RAISE EXCEPTION 'transfers were tried again, and when would be forgotten';
        END IF; END $$
    """)
    op.drop_constraint(op.f("ck_bank_holds_ending_after_denial"), "bank_holds", type_="check")
    op.drop_constraint(op.f("ck_transfers_last_after_first"), "transfers", type_="check")
    op.drop_column("transfers", "last_tried_at")
