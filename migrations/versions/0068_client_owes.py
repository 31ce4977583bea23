"""A payment that a batch lets go because a client who works on credit has not paid says so."""

from alembic import op

revision = "0068"
down_revision = "0067"

BEFORE = (
    "no_account", "not_ready", "below_minimum", "in_another_batch", "short_balance",
    "bank_changed", "negative_balance", "person_closed",
)  # fmt: skip


def upgrade() -> None:
    _blockers((*BEFORE, "client_owes"))


def _blockers(words: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_payout_items_blocker_word"), "payout_items", type_="check")
    op.create_check_constraint("blocker_word", "payout_items", f"blocker IN {words}")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM payout_items WHERE blocker = 'client_owes') THEN
            RAISE EXCEPTION 'pay waited for clients who owe, and why would be forgotten';
        END IF; END $$
    """)
    _blockers(BEFORE)
