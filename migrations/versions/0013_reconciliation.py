"""What Stripe and the bank said, the matches between them and the ledger, and open items."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"

moment = sa.DateTime(timezone=True)
plain = sa.Text(collation="C")
TABLES = (
    "stripe_transactions",
    "stripe_balances",
    "bank_accounts",
    "statement_files",
    "bank_statements",
    "statement_lines",
    "statement_matches",
    "statement_match_lines",
    "open_items",
)
# What was said by others stays as they said it: only these columns ever change.
CHANGING = {
    "stripe_transactions": "payout",
    "bank_statements": "state, problems",
    "statement_lines": "state",
    "statement_matches": "state, confirmed_by, undone_by, undone_at",
    "statement_match_lines": "live",
    "open_items": "amount, state, owner_id, resolved_at",
    "stripe_balances": "available, pending, fetched_at",
}
KINDS = (
    "missing_internal",
    "missing_external",
    "amount_mismatch",
    "timing",
    "unidentified",
    "statement_gap",
    "statement_contradiction",
    "drift",
    "negative_connected_balance",
    "orphan_account_balance",
)
REFERENCES = {
    "statement_line_id": "statement_lines.id",
    "stripe_transaction_id": "stripe_transactions.id",
    "posting_id": "postings.id",
    "connected_payout_id": "connected_payouts.id",
    "sweep_id": "sweeps.id",
}


def upgrade() -> None:
    _stripe()
    _statements()
    _matches()
    _open_items()
    for table in TABLES:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM marketplace_app")
    for table, columns in CHANGING.items():
        op.execute(f"GRANT UPDATE ({columns}) ON {table} TO marketplace_app")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def _public_id() -> sa.Column[object]:
    return sa.Column("public_id", sa.Uuid, nullable=False, unique=True)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null)


def _text(name: str, *, null: bool = False, **more: bool) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null, **more)


def _key(name: str, *, null: bool = False, **more: bool) -> sa.Column[str]:
    return sa.Column(name, plain, nullable=null, **more)


def _at(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, moment, nullable=null)


def _day(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Date, nullable=null)


def _ref(name: str, target: str, *, null: bool = False, **more: bool) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(target), nullable=null, **more)


def _one_of(column: str, *words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def _currency() -> sa.CheckConstraint:
    return sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency")


def _stripe() -> None:
    op.create_table(
        "stripe_transactions",
        _id(),
        _key("stripe_id", unique=True),
        _key("account", null=True),
        _text("type"),
        _text("reporting_category"),
        _number("amount"),
        _number("fee"),
        _number("net"),
        _text("currency"),
        _key("source", null=True, index=True),
        _key("payout", null=True, index=True),
        _at("created_at"),
        _at("available_on"),
        _currency(),
        sa.CheckConstraint("net = amount - fee", name="net"),
        sa.Index("ix_stripe_transactions_account_created_at", "account", "created_at"),
    )
    op.create_table(
        "stripe_balances",
        _id(),
        _key("account", null=True),
        _text("currency"),
        _number("available"),
        _number("pending"),
        _at("fetched_at"),
        sa.UniqueConstraint("account", "currency", postgresql_nulls_not_distinct=True),
        _currency(),
    )


def _statements() -> None:
    op.create_table(
        "bank_accounts",
        _id(),
        _public_id(),
        _text("number"),
        _text("currency"),
        _at("opened_at"),
        sa.UniqueConstraint("number", "currency"),
        _currency(),
    )
    op.create_table(
        "statement_files",
        _id(),
        _public_id(),
        sa.Column("sha256", sa.LargeBinary, nullable=False, unique=True),
        _text("name"),
        _text("format"),
        _number("new_lines"),
        _number("known_lines"),
        _ref("imported_by", "people.id"),
        _at("imported_at"),
        sa.CheckConstraint("length(sha256) = 32", name="sha256_length"),
    )
    op.create_table(
        "bank_statements",
        _id(),
        _public_id(),
        _ref("file_id", "statement_files.id", index=True),
        _ref("bank_account_id", "bank_accounts.id", index=True),
        _text("number"),
        _number("opening", null=True),
        _number("closing", null=True),
        _day("from_on"),
        _day("to_on"),
        _text("state"),
        sa.Column("problems", JSONB, nullable=False),
        _one_of("state", "accepted", "gap", "contradicts", "replaced"),
        sa.CheckConstraint("to_on >= from_on", name="dates"),
        sa.CheckConstraint(
            "state <> 'accepted' OR (opening IS NOT NULL AND closing IS NOT NULL AND problems = '[]')",
            name="accepted",
        ),
    )
    op.create_table(
        "statement_lines",
        _id(),
        _public_id(),
        _ref("statement_id", "bank_statements.id", index=True),
        _ref("bank_account_id", "bank_accounts.id"),
        _key("line_key"),
        _day("booked_on"),
        _day("value_on", null=True),
        _number("amount"),
        _text("currency"),
        _text("bank_ref"),
        _text("end_to_end"),
        _text("counterparty"),
        _text("text"),
        _text("state"),
        sa.UniqueConstraint("bank_account_id", "line_key"),
        _currency(),
        _one_of("state", "imported", "proposed", "matched"),
        sa.Index(
            "ix_statement_lines_waiting",
            "currency",
            "amount",
            postgresql_where=sa.text("state <> 'matched'"),
        ),
    )


def _matches() -> None:
    op.create_table(
        "statement_matches",
        _id(),
        _public_id(),
        sa.Column("pass", sa.SmallInteger, nullable=False),
        _text("leg"),
        _text("state"),
        sa.Column("reasons", JSONB, nullable=False),
        _text("note"),
        _at("matched_at"),
        _ref("confirmed_by", "people.id", null=True),
        _ref("undone_by", "people.id", null=True),
        _at("undone_at", null=True),
        _one_of("leg", "ledger", "payout", "bank"),
        _one_of("state", "proposed", "confirmed", "undone"),
        sa.CheckConstraint("pass BETWEEN 0 AND 14", name="pass"),
        sa.CheckConstraint("jsonb_array_length(reasons) > 0", name="reasons"),
        sa.CheckConstraint("pass > 0 OR confirmed_by IS NOT NULL", name="by_hand"),
        sa.CheckConstraint("(state = 'undone') = (undone_at IS NOT NULL)", name="undone"),
        sa.Index("ix_statement_matches_proposed", "id", postgresql_where=sa.text("state = 'proposed'")),
    )
    references = [_ref(name, target, null=True) for name, target in REFERENCES.items()]
    op.create_table(
        "statement_match_lines",
        _id(),
        _ref("match_id", "statement_matches.id", index=True),
        _text("leg"),
        sa.Column("live", sa.Boolean, nullable=False),
        *references,
        _one_of("leg", "ledger", "payout", "bank"),
        sa.CheckConstraint(f"num_nonnulls({', '.join(REFERENCES)}) = 1", name="one_thing"),
    )
    for name in REFERENCES:
        op.create_index(
            f"uq_statement_match_lines_{name}",
            "statement_match_lines",
            [name, "leg"],
            unique=True,
            postgresql_where=sa.text(f"live AND {name} IS NOT NULL"),
        )


def _open_items() -> None:
    op.create_table(
        "open_items",
        _id(),
        _public_id(),
        _text("kind"),
        _key("subject"),
        _number("amount"),
        _text("currency"),
        _day("since"),
        _at("opened_at"),
        _text("state"),
        _ref("owner_id", "people.id", null=True),
        _at("resolved_at", null=True),
        _one_of("kind", *KINDS),
        _one_of("state", "open", "resolved"),
        _currency(),
        sa.CheckConstraint("(state = 'resolved') = (resolved_at IS NOT NULL)", name="resolved"),
        sa.Index(
            "uq_open_items_open",
            "kind",
            "subject",
            "currency",
            unique=True,
            postgresql_where=sa.text("state = 'open'"),
        ),
    )
