"""Transfers that came back: what came back is owed again, once; items move along drawn edges only."""

import sqlalchemy as sa
from alembic import op

revision = "0079"
down_revision = "0078"

moment = sa.DateTime(timezone=True)
BEFORE = (
    "prepared", "blocked", "released", "sending", "unknown", "sent",
    "paid", "settled", "returned", "failed", "cancelled",
)  # fmt: skip
NEW = ("reversed_in_part", "reversed")
EDGES = {
    "prepared": ("released", "blocked", "cancelled"),
    "released": ("sending", "failed"),
    "sending": ("sent", "unknown", "failed", "released"),
    "unknown": ("sent", "failed", "released"),
    "sent": ("paid", "returned", "reversed_in_part", "reversed"),
    "paid": ("settled", "returned", "reversed_in_part", "reversed"),
    "returned": ("sent", "paid", "reversed_in_part", "reversed"),
    "settled": ("returned", "reversed_in_part", "reversed"),
    "reversed_in_part": ("settled", "returned", "reversed"),
}


def upgrade() -> None:
    _states((*BEFORE, *NEW))
    op.add_column(
        "payout_items", sa.Column("amount_reversed", sa.BigInteger, nullable=False, server_default="0")
    )
    op.create_check_constraint("reversed_at_most", "payout_items", "amount_reversed BETWEEN 0 AND amount")
    op.create_check_constraint(
        "reversed_as_said",
        "payout_items",
        "state NOT IN ('reversed', 'reversed_in_part') OR (state = 'reversed') = (amount_reversed = amount)",
    )
    _edges()
    _reversals()


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM transfer_reversals) THEN
            RAISE EXCEPTION 'transfers came back and are owed again, which the version before does not know';
        END IF; END $$
    """)
    op.drop_table("payout_item_reversals")
    op.drop_table("transfer_reversals")
    op.execute("DROP FUNCTION keep_transfer_reversals()")
    op.execute("DROP TRIGGER payout_items_move ON payout_items")
    op.execute("DROP FUNCTION keep_payout_item_moves()")
    op.drop_constraint(op.f("ck_payout_items_reversed_as_said"), "payout_items", type_="check")
    op.drop_constraint(op.f("ck_payout_items_reversed_at_most"), "payout_items", type_="check")
    op.drop_column("payout_items", "amount_reversed")
    _states(BEFORE)


def _states(words: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_payout_items_state_word"), "payout_items", type_="check")
    op.create_check_constraint("state_word", "payout_items", f"state IN {words}")


def _edges() -> None:
    edges = " OR ".join(
        f"OLD.state = '{state}' AND NEW.state IN ({', '.join(repr(each) for each in to)})"
        for state, to in EDGES.items()
    )
    op.execute(f"""
        CREATE FUNCTION keep_payout_item_moves() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {edges} THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'payment % is %, and does not become %', OLD.id, OLD.state, NEW.state
                USING ERRCODE = 'restrict_violation';
        END $$
    """)
    op.execute(
        "CREATE TRIGGER payout_items_move BEFORE UPDATE OF state ON payout_items FOR EACH ROW "
        "WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION keep_payout_item_moves()"
    )


def _reversals() -> None:
    op.create_table(
        "transfer_reversals",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("transfer_id", sa.BigInteger, sa.ForeignKey("transfers.id"), nullable=False, index=True),
        sa.Column("stripe_id", sa.Text, nullable=False, unique=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("balance_transaction", sa.Text, nullable=False, unique=True),
        sa.Column("destination_refund", sa.Text, unique=True),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.CheckConstraint("amount > 0", name="amount"),
    )
    op.create_table(
        "payout_item_reversals",
        sa.Column("payout_item_id", sa.BigInteger, sa.ForeignKey("payout_items.id"), primary_key=True),
        sa.Column("reversal_id", sa.BigInteger, sa.ForeignKey("transfer_reversals.id"), primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("ended_at", moment),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.Index(
            "uq_payout_item_reversals_live",
            "reversal_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )
    op.execute(
        "REVOKE UPDATE, DELETE, TRUNCATE ON transfer_reversals, payout_item_reversals FROM marketplace_app"
    )
    op.execute("GRANT UPDATE (ended_at) ON payout_item_reversals TO marketplace_app")
    op.execute("""
        CREATE FUNCTION keep_transfer_reversals() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT sum(amount) FROM transfer_reversals WHERE transfer_id = NEW.transfer_id)
                > (SELECT amount FROM transfers WHERE id = NEW.transfer_id AND state = 'sent') THEN
                RAISE EXCEPTION 'more would come back of transfer % than was sent', NEW.transfer_id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER transfer_reversals_kept AFTER INSERT ON transfer_reversals "
        "FOR EACH ROW EXECUTE FUNCTION keep_transfer_reversals()"
    )
