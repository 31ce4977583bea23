"""The ledger: accounts, entries, postings and kept balances, which the database itself guards."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

KINDS = ("asset", "liability", "equity", "revenue", "expense", "memo")
APPEND_ONLY = ("journal_entries", "postings", "journal_seals")

# 700701 locks the whole calendar: whoever books holds it shared, whoever shuts a month holds it alone.
BOOKING_DAY = """
CREATE FUNCTION ledger_booking_day(happened date, at timestamptz) RETURNS date LANGUAGE plpgsql AS $$
DECLARE
    shut date;
    booked date := happened;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(700701);
    SELECT max(month) INTO shut FROM ledger_periods WHERE state <> 'open';
    IF happened < shut + interval '1 month' THEN
        booked := shut + interval '1 month';
    END IF;
    INSERT INTO ledger_periods (public_id, month, state, opened_at)
        VALUES (gen_random_uuid(), booked - extract(day FROM booked)::int + 1, 'open', at)
        ON CONFLICT (month) DO NOTHING;
    RETURN booked;
END $$
"""

REFUSE_CLOSED = """
CREATE FUNCTION ledger_refuse_closed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    shut date;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(700701);
    SELECT a.booked_on INTO shut FROM added a
        LEFT JOIN ledger_periods p ON p.month = a.booked_on - extract(day FROM a.booked_on)::int + 1
        WHERE p.state IS NULL OR p.state = 'closed' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the period of % is not open', shut
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_journal_entries_period', TABLE = 'journal_entries';
    END IF;
    RETURN NULL;
END $$
"""

REFUSE_EMPTY = """
CREATE FUNCTION ledger_refuse_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM postings WHERE entry_id = NEW.id) THEN
        RAISE EXCEPTION 'entry % has no postings', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_journal_entries_postings', TABLE = 'journal_entries';
    END IF;
    RETURN NULL;
END $$
"""

# Runs once for each statement. It belongs to the owner, so that nobody else can touch a balance. Memo
# accounts lie off the balance sheet and must balance among themselves.
TAKE_POSTINGS = """
CREATE FUNCTION ledger_take_postings() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT p.entry_id INTO wrong FROM added p JOIN ledger_accounts a ON a.id = p.account_id
        GROUP BY p.entry_id, p.currency, a.kind = 'memo' HAVING sum(p.amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not balance', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_postings_balanced', TABLE = 'postings';
    END IF;
    SELECT a.entry_id INTO wrong FROM (SELECT entry_id, count(*) AS lines FROM added GROUP BY entry_id) a
        WHERE a.lines <> (SELECT count(*) FROM postings p WHERE p.entry_id = a.entry_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % already has its postings', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_postings_at_once', TABLE = 'postings';
    END IF;
    INSERT INTO ledger_balances (account_id, shard, amount)
        SELECT p.account_id, CASE WHEN a.hot THEN pg_backend_pid() % 16 ELSE 0 END, sum(p.amount)
        FROM added p JOIN ledger_accounts a ON a.id = p.account_id GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (account_id, shard) DO UPDATE SET amount = ledger_balances.amount + excluded.amount;
    RETURN NULL;
END $$
"""

TRIGGERS = (
    """CREATE TRIGGER journal_entries_period AFTER INSERT ON journal_entries REFERENCING NEW TABLE AS added
       FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_closed()""",
    """CREATE CONSTRAINT TRIGGER journal_entries_postings AFTER INSERT ON journal_entries
       DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_refuse_empty()""",
    """CREATE TRIGGER postings_taken AFTER INSERT ON postings REFERENCING NEW TABLE AS added
       FOR EACH STATEMENT EXECUTE FUNCTION ledger_take_postings()""",
)


def upgrade() -> None:
    _periods()
    _accounts()
    _entries()
    _postings()
    _seals()
    for statement in (BOOKING_DAY, REFUSE_CLOSED, REFUSE_EMPTY, TAKE_POSTINGS, *TRIGGERS):
        op.execute(statement)
    for table in APPEND_ONLY:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM marketplace_app")
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute("REVOKE DELETE, TRUNCATE ON ledger_periods FROM marketplace_app")
    op.execute("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ledger_balances FROM marketplace_app")
    # Locking an account's row needs the right to update some column of it: this one changes no amount.
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON ledger_accounts FROM marketplace_app")
    op.execute("GRANT UPDATE (hot) ON ledger_accounts TO marketplace_app")


def downgrade() -> None:
    tables = "journal_seals, postings, journal_entries, ledger_balances, ledger_accounts, ledger_periods"
    op.execute(f"DROP TABLE {tables}")
    for name in ("take_postings()", "refuse_empty()", "refuse_closed()", "booking_day(date, timestamptz)"):
        op.execute(f"DROP FUNCTION ledger_{name}")


def _periods() -> None:
    op.create_table(
        "ledger_periods",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("month", sa.Date, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prepared_by", sa.BigInteger),
        sa.Column("prepared_at", sa.DateTime(timezone=True)),
        sa.Column("closed_by", sa.BigInteger),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("extract(day FROM month) = 1", name="first_day"),
        sa.CheckConstraint("state IN ('open', 'hold', 'closed')", name="state"),
        sa.CheckConstraint(
            "(state = 'open') = (prepared_by IS NULL) AND (prepared_by IS NULL) = (prepared_at IS NULL)",
            name="prepared",
        ),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_by IS NOT NULL) AND (closed_by IS NULL) = (closed_at IS NULL)",
            name="closed",
        ),
        sa.CheckConstraint("closed_by <> prepared_by", name="two_people"),
    )


def _accounts() -> None:
    by_first_digit = " OR ".join(
        f"kind = '{kind}' AND left(code, 1) IN ({digits})"
        for kind, digits in zip(KINDS, ("'1'", "'2'", "'3'", "'4'", "'5', '6'", "'9'"), strict=True)
    )
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("hot", sa.Boolean, nullable=False),
        sa.UniqueConstraint("key", "currency"),
        sa.UniqueConstraint("id", "currency"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.CheckConstraint("code ~ '^[0-9]{4}$'", name="code"),
        sa.CheckConstraint(by_first_digit, name="kind"),
        sa.Index("ix_ledger_accounts_code", "code", "currency"),
    )
    op.create_table(
        "ledger_balances",
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("ledger_accounts.id"), nullable=False),
        sa.Column("shard", sa.SmallInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "shard"),
        sa.CheckConstraint("shard BETWEEN 0 AND 15", name="shard"),
    )
    # Room on each page, so that a balance is updated in place and its index is left alone.
    op.execute("ALTER TABLE ledger_balances SET (fillfactor = 50)")


def _entries() -> None:
    op.create_table(
        "journal_entries",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("source", sa.Text(collation="C"), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_on", sa.Date, nullable=False),
        sa.Column("memo", sa.Text, nullable=False),
        sa.Column("person_id", sa.BigInteger),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("reverses_id", sa.BigInteger, sa.ForeignKey("journal_entries.id"), unique=True),
        sa.UniqueConstraint("source", "event"),
        sa.CheckConstraint("reverses_id <> id", name="reverses_another"),
        sa.CheckConstraint("position(':' IN source) > 1", name="source"),
        sa.Index("ix_journal_entries_booked_on", "booked_on", "id"),
    )


def _postings() -> None:
    op.create_table(
        "postings",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("entry_id", sa.BigInteger, sa.ForeignKey("journal_entries.id"), nullable=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "currency"], ["ledger_accounts.id", "ledger_accounts.currency"]
        ),
        sa.CheckConstraint("amount <> 0", name="amount"),
        sa.Index("ix_postings_entry_id", "entry_id"),
        sa.Index("ix_postings_account_id", "account_id", "id", postgresql_include=["amount"]),
    )


def _seals() -> None:
    op.create_table(
        "journal_seals",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column(
            "entry_id", sa.BigInteger, sa.ForeignKey("journal_entries.id"), nullable=False, unique=True
        ),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary, nullable=False),
    )
