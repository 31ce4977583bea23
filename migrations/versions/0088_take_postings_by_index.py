"""What a posting is checked against is found by index, also by a session that began when the books were empty.

A session keeps the plan of its first posting until the table is analysed again. Of a few rows that plan reads all;
a hundred thousand entries that are written meanwhile, as when a large batch is released, took it through
each row of the journal for each entry.
"""

from alembic import op

revision = "0088"
down_revision = "0087"

CHECKS = ("ledger_take_postings", "ledger_refuse_empty")


def upgrade() -> None:
    for name in CHECKS:
        op.execute(f"ALTER FUNCTION {name}() SET enable_seqscan = off")


def downgrade() -> None:
    for name in CHECKS:
        op.execute(f"ALTER FUNCTION {name}() RESET enable_seqscan")
