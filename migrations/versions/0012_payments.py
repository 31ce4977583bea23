"""Client money in, experts' pay out, fees swept, and what Stripe told us."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"

moment = sa.DateTime(timezone=True)

TABLES = (
    "stripe_customers",
    "fundings",
    "connected_accounts",
    "payout_batches",
    "payout_items",
    "payout_item_approvals",
    "transfers",
    "connected_payouts",
    "connected_payout_transfers",
    "sweeps",
    "sweep_postings",
    "webhook_events",
)


def upgrade() -> None:
    _fundings()
    _connected_accounts()
    _batches()
    _transfers()
    _connected_payouts()
    _sweeps()
    _webhook_events()
    _freeze("payout_items", "batch_id", "person_id", "connected_account_id", "amount", "frozen_sha256")
    _freeze(
        "transfers",
        "payout_item_id",
        "amount",
        "currency",
        "destination",
        "transfer_group",
        "idempotency_key",
    )
    _freeze("fundings", "project_id", "organization_id", "currency", "amount", "charge_amount")
    _freeze("sweeps", "currency", "amount", "prepared_by")
    for table in TABLES:
        op.execute(f"REVOKE DELETE, TRUNCATE ON {table} FROM marketplace_app")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_frozen()")


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def _public_id() -> sa.Column[object]:
    return sa.Column("public_id", sa.Uuid, nullable=False, unique=True)


def _ref(name: str, target: str, *, nullable: bool = False, **more: object) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(f"{target}.id"), nullable=nullable, **more)


def _words(column: str, *words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{column}_word")


def _currency() -> sa.CheckConstraint:
    return sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code")


def _fundings() -> None:
    op.create_table(
        "stripe_customers",
        _ref("organization_id", "organizations", primary_key=True, autoincrement=False),
        sa.Column("stripe_id", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "fundings",
        _id(),
        _public_id(),
        _ref("project_id", "projects"),
        _ref("organization_id", "organizations"),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("charge_amount", sa.BigInteger, nullable=False),
        sa.Column("rail", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, unique=True),
        sa.Column("payment_intent", sa.Text, unique=True),
        sa.Column("charge", sa.Text, unique=True),
        sa.Column("balance_transaction", sa.Text, unique=True),
        sa.Column("fee", sa.BigInteger),
        sa.Column("net", sa.BigInteger),
        sa.Column("source_type", sa.Text),
        sa.Column("available_on", moment),
        sa.Column("failure", sa.Text),
        _ref("created_by", "people"),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("looked_at", moment),
        sa.Column("paid_at", moment),
        _currency(),
        _words("rail", "card", "bank_transfer"),
        _words("state", "prepared", "open", "processing", "paid", "failed", "expired"),
        sa.CheckConstraint("amount > 0 AND charge_amount >= amount", name="amounts"),
        sa.CheckConstraint("state IN ('prepared', 'expired') OR session_id IS NOT NULL", name="session"),
        sa.CheckConstraint(
            "state <> 'paid' OR (charge IS NOT NULL AND balance_transaction IS NOT NULL"
            " AND fee >= 0 AND net > 0 AND paid_at IS NOT NULL)",
            name="paid_in_full",
        ),
        sa.Index("ix_fundings_project_id", "project_id"),
        # A double click, the back button and a second tab all come back to the same lot.
        sa.Index(
            "uq_fundings_unfinished",
            "project_id",
            "amount",
            "rail",
            unique=True,
            postgresql_where=sa.text("state IN ('prepared', 'open')"),
        ),
        sa.Index(
            "ix_fundings_unsettled",
            "looked_at",
            postgresql_where=sa.text("state IN ('open', 'processing')"),
        ),
    )


def _connected_accounts() -> None:
    op.create_table(
        "connected_accounts",
        _id(),
        _public_id(),
        _ref("person_id", "people"),
        sa.Column("stripe_id", sa.Text, unique=True),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("transfers", sa.Text, nullable=False),
        sa.Column("requirements", JSONB, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("refreshed_at", moment),
        sa.Column("payouts_seen_at", moment),
        sa.Column("ended_at", moment),
        _words("transfers", "new", "pending", "active", "restricted", "rejected", "unsupported"),
        sa.CheckConstraint("transfers = 'new' OR stripe_id IS NOT NULL", name="known_to_stripe"),
        sa.Index(
            "uq_connected_accounts_live_person",
            "person_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )


def _batches() -> None:
    op.create_table(
        "payout_batches",
        _id(),
        _public_id(),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("cut_off_at", moment, nullable=False),
        _ref("prepared_by", "people"),
        sa.Column("prepared_at", moment, nullable=False),
        _ref("released_by", "people", nullable=True),
        sa.Column("released_at", moment),
        _currency(),
        _words("state", "prepared", "released", "sending", "sent", "settled", "cancelled"),
        sa.CheckConstraint("released_by <> prepared_by", name="two_people"),
        sa.CheckConstraint(
            "(state IN ('prepared', 'cancelled')) = (released_by IS NULL)"
            " AND (released_by IS NULL) = (released_at IS NULL)",
            name="released_by_somebody",
        ),
    )
    op.create_table(
        "payout_items",
        _id(),
        _public_id(),
        _ref("batch_id", "payout_batches"),
        _ref("person_id", "people"),
        _ref("connected_account_id", "connected_accounts", nullable=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("blocker", sa.Text),
        sa.Column("shortfall", sa.BigInteger),
        sa.Column("failure", sa.Text),
        sa.Column("frozen_sha256", sa.LargeBinary, nullable=False),
        sa.Column("changed_at", moment, nullable=False),
        _words(
            "state",
            *("prepared", "blocked", "released", "sending", "unknown", "sent"),
            *("paid", "settled", "returned", "failed", "cancelled"),
        ),
        _words("blocker", "no_account", "not_ready", "below_minimum", "in_another_batch", "short_balance"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint("length(frozen_sha256) = 32", name="sha256_length"),
        sa.CheckConstraint("state <> 'blocked' OR blocker IS NOT NULL", name="blocked_by_something"),
        sa.CheckConstraint("state = 'blocked' OR connected_account_id IS NOT NULL", name="has_destination"),
        sa.CheckConstraint("state <> 'failed' OR failure IS NOT NULL", name="failed_for_a_reason"),
        sa.UniqueConstraint("batch_id", "person_id"),
        sa.Index(
            "uq_payout_items_live_person",
            "person_id",
            unique=True,
            postgresql_where=sa.text("state IN ('prepared', 'released', 'sending', 'unknown')"),
        ),
        sa.Index("ix_payout_items_person_id", "person_id"),
        sa.Index(
            "ix_payout_items_moving",
            "state",
            postgresql_where=sa.text(
                "state IN ('released', 'sending', 'unknown', 'sent', 'paid', 'returned')"
            ),
        ),
    )
    op.create_table(
        "payout_item_approvals",
        _ref("payout_item_id", "payout_items", primary_key=True),
        _ref("approval_id", "approvals", primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("ended_at", moment),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.Index(
            "uq_payout_item_approvals_live",
            "approval_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )


def _transfers() -> None:
    op.create_table(
        "transfers",
        _id(),
        _public_id(),
        _ref("payout_item_id", "payout_items"),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("source_type", sa.Text, nullable=False),
        sa.Column("transfer_group", sa.Text, nullable=False, unique=True),
        sa.Column("idempotency_key", sa.Text, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("stripe_id", sa.Text, unique=True),
        sa.Column("destination_payment", sa.Text, unique=True),
        sa.Column("balance_transaction", sa.Text, unique=True),
        sa.Column("first_tried_at", moment),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("retry_at", moment),
        sa.Column("sent_at", moment),
        sa.Column("failure", sa.Text),
        _currency(),
        _words("state", "intended", "sending", "unknown", "sent", "failed"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint(
            "(state = 'sent') = (stripe_id IS NOT NULL AND sent_at IS NOT NULL)", name="sent_is_known"
        ),
        sa.CheckConstraint("state = 'intended' OR first_tried_at IS NOT NULL", name="tried"),
        sa.UniqueConstraint("payout_item_id", "attempt"),
        sa.Index(
            "uq_transfers_live_item",
            "payout_item_id",
            unique=True,
            postgresql_where=sa.text("state <> 'failed'"),
        ),
        sa.Index("ix_transfers_payout_item_id", "payout_item_id"),
        sa.Index(
            "ix_transfers_unresolved",
            "retry_at",
            postgresql_where=sa.text("state IN ('sending', 'unknown')"),
        ),
    )


def _connected_payouts() -> None:
    op.create_table(
        "connected_payouts",
        _id(),
        _public_id(),
        sa.Column("stripe_id", sa.Text, nullable=False, unique=True),
        _ref("connected_account_id", "connected_accounts"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("arrival_date", sa.Date, nullable=False),
        sa.Column("trace_id", sa.Text),
        sa.Column("failure_code", sa.Text),
        sa.Column("reconciliation_status", sa.Text, nullable=False),
        sa.Column("fetched_at", moment, nullable=False),
        _currency(),
        _words("status", "pending", "in_transit", "paid", "failed", "canceled"),
        sa.Index("ix_connected_payouts_connected_account_id", "connected_account_id"),
    )
    op.create_table(
        "connected_payout_transfers",
        _ref("payout_id", "connected_payouts", primary_key=True),
        _ref("transfer_id", "transfers", primary_key=True),
        sa.Index("ix_connected_payout_transfers_transfer_id", "transfer_id"),
    )


def _sweeps() -> None:
    op.create_table(
        "sweeps",
        _id(),
        _public_id(),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("source_type", sa.Text),
        _ref("prepared_by", "people"),
        sa.Column("prepared_at", moment, nullable=False),
        _ref("released_by", "people", nullable=True),
        sa.Column("released_at", moment),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("first_tried_at", moment),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("retry_at", moment),
        sa.Column("stripe_id", sa.Text, unique=True),
        sa.Column("arrival_date", sa.Date),
        sa.Column("trace_id", sa.Text),
        sa.Column("failure", sa.Text),
        _currency(),
        _words("state", "prepared", "released", "sending", "unknown", "sent", "paid", "failed", "cancelled"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint("released_by <> prepared_by", name="two_people"),
        sa.CheckConstraint(
            "(state IN ('prepared', 'cancelled')) = (released_by IS NULL)"
            " AND (released_by IS NULL) = (released_at IS NULL)",
            name="released_by_somebody",
        ),
        sa.CheckConstraint("state NOT IN ('sent', 'paid') OR stripe_id IS NOT NULL", name="sent_is_known"),
        sa.Index(
            "uq_sweeps_unfinished",
            "currency",
            unique=True,
            postgresql_where=sa.text("state IN ('prepared', 'released', 'sending', 'unknown')"),
        ),
    )
    op.create_table(
        "sweep_postings",
        _ref("sweep_id", "sweeps", primary_key=True),
        _ref("posting_id", "postings", primary_key=True),
        sa.Column("ended_at", moment),
        sa.Index(
            "uq_sweep_postings_live",
            "posting_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )


def _webhook_events() -> None:
    op.create_table(
        "webhook_events",
        _id(),
        sa.Column("stripe_event_id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("account", sa.Text),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("received_at", moment, nullable=False),
        sa.Column("applied_at", moment),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("retry_at", moment),
        sa.Column("error", sa.Text),
        _words("source", "platform", "connect", "thin"),
        sa.Index("ix_webhook_events_waiting", "id", postgresql_where=sa.text("applied_at IS NULL")),
    )


def _freeze(table: str, *columns: str) -> None:
    """Let the database refuse a change of what was decided: amounts, owners and destinations."""
    op.execute("""
        CREATE OR REPLACE FUNCTION refuse_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% was decided and cannot be changed', TG_TABLE_NAME
                USING ERRCODE = 'integrity_constraint_violation';
        END $$
    """)
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
    op.execute(
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE ON {table} FOR EACH ROW "
        f"WHEN ({changed}) EXECUTE FUNCTION refuse_frozen()"
    )
