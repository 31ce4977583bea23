"""A proof that does not hold raises an alarm, which ends when it holds again; what one account differs by
keeps back only what goes there."""

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0070"

BEFORE = (
    "no_account", "not_ready", "below_minimum", "in_another_batch", "short_balance", "bank_changed",
    "negative_balance", "person_closed", "client_owes",
)  # fmt: skip
moment = sa.DateTime(timezone=True)
KEEP = """
CREATE FUNCTION keep_alarms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'alarm %: it has ended', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("code", "title", "subject", "expected", "found")),
        sa.Column("since", moment, nullable=False),
        sa.Column("seen_at", moment, nullable=False),
        sa.Column("ended_at", moment),
        sa.Column("looker_id", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("looking_since", moment),
        sa.CheckConstraint("(looker_id IS NULL) = (looking_since IS NULL)", name="looker"),
        sa.Index(
            "uq_alarms_standing", "code", "title", "subject", unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )  # fmt: skip
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON alarms FROM marketplace_app")
    op.execute(
        "GRANT UPDATE (expected, found, seen_at, ended_at, looker_id, looking_since) ON alarms TO marketplace_app"
    )
    op.execute(KEEP)
    op.execute(
        "CREATE TRIGGER alarms_keep BEFORE UPDATE ON alarms FOR EACH ROW EXECUTE FUNCTION keep_alarms()"
    )
    _blockers((*BEFORE, "account_differs"))


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM alarms) THEN
                RAISE EXCEPTION 'proofs have failed, and since when would be forgotten';
            END IF;
            IF EXISTS (SELECT FROM payout_items WHERE blocker = 'account_differs') THEN
                RAISE EXCEPTION 'pay waits because an account differs, and why would be forgotten';
            END IF;
        END $$
    """)
    _blockers(BEFORE)
    op.drop_table("alarms")
    op.execute("DROP FUNCTION keep_alarms()")


def _blockers(words: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_payout_items_blocker_word"), "payout_items", type_="check")
    op.create_check_constraint("blocker_word", "payout_items", f"blocker IN {words}")
