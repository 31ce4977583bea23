"""Rates of exchange by two people, and months revalued at them."""

import sqlalchemy as sa
from alembic import op

revision = "0082"
down_revision = "0081"

moment = sa.DateTime(timezone=True)
STATES = "state IN ('made', 'accepted', 'declined', 'withdrawn')"
DECIDED = "num_nonnulls(decided_by, decided_at) = CASE state WHEN 'made' THEN 0 ELSE 2 END"
TWO_PEOPLE = "state <> 'accepted' OR decided_by <> made_by"
CURRENCY = "currency ~ '^[A-Z]{3}$'"
KEEP = """
CREATE FUNCTION keep_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'made' AND NEW.state <> 'made' AND ({old}) IS NOT DISTINCT FROM ({new})
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% %: what was said and decided stays', TG_TABLE_NAME, OLD.id
        USING ERRCODE = 'restrict_violation';
END $$
"""
KEPT = {
    "exchange_rates": "id public_id currency to_currency rate from_on source made_by made_at",
    "revaluations": "id public_id month currency made_by made_at",
}
# A line comes with its revaluation, and is never added to one that was decided.
WITH_ITS_OWN = """
CREATE FUNCTION keep_revaluation_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM revaluations r JOIN exchange_rates e ON e.id = NEW.rate_id
        WHERE r.id = NEW.revaluation_id AND r.state = 'made'
            AND e.state = 'accepted' AND e.currency = NEW.currency AND e.to_currency = r.currency
    ) THEN
        RAISE EXCEPTION 'a line in % is of another currency, a rate that does not count, or too late', NEW.currency
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "exchange_rates",
        *_keys(),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("currency", "to_currency")),
        sa.Column("rate", sa.Numeric, nullable=False),
        sa.Column("from_on", sa.Date, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        *_two_people(),
        sa.CheckConstraint(f"{CURRENCY} AND to_currency ~ '^[A-Z]{{3}}$'", name="currency"),
        sa.CheckConstraint("currency <> to_currency", name="another"),
        sa.CheckConstraint("rate > 0 AND rate < 1000000 AND scale(rate) <= 10", name="rate"),
        sa.CheckConstraint("length(source) >= 10", name="source"),
    )
    _one_waits("exchange_rates", ["currency", "from_on"])
    _keep("exchange_rates", "state, decided_by, decided_at")
    op.create_table(
        "revaluations",
        *_keys(),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("up_to", sa.BigInteger),
        *_two_people(),
        sa.CheckConstraint("extract(day FROM month) = 1", name="month"),
        sa.CheckConstraint(CURRENCY, name="currency"),
        sa.CheckConstraint("(state = 'accepted') = (up_to IS NOT NULL)", name="up_to"),
    )
    _one_waits("revaluations", ["month"])
    _keep("revaluations", "state, decided_by, decided_at, up_to")
    _lines()


def _lines() -> None:
    amounts = ("position", "stood_at", "value", "booked_before", "amount")
    op.create_table(
        "revaluation_lines",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("revaluation_id", sa.BigInteger, sa.ForeignKey("revaluations.id"), nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("rate_id", sa.BigInteger, sa.ForeignKey("exchange_rates.id"), nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in amounts),
        sa.UniqueConstraint("revaluation_id", "currency"),
        sa.CheckConstraint("amount = value - stood_at - booked_before", name="amount"),
        sa.CheckConstraint("sign(value) * sign(position) >= 0", name="value"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON revaluation_lines FROM marketplace_app")
    op.execute(
        "CREATE TRIGGER revaluation_lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON revaluation_lines "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(WITH_ITS_OWN)
    op.execute(
        "CREATE TRIGGER revaluation_lines_keep BEFORE INSERT ON revaluation_lines "
        "FOR EACH ROW EXECUTE FUNCTION keep_revaluation_lines()"
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM exchange_rates) THEN
            RAISE EXCEPTION 'rates of exchange were written down, which is kept';
        END IF; END $$
    """)
    for table in ("revaluation_lines", "revaluations", "exchange_rates"):
        op.drop_table(table)
        op.execute(f"DROP FUNCTION keep_{table}()")


def _one_waits(table: str, columns: list[str]) -> None:
    where = sa.text("state = 'made'")
    op.create_index(f"uq_{table}_made", table, columns, unique=True, postgresql_where=where)


def _keep(table: str, may_change: str) -> None:
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM marketplace_app")
    op.execute(f"GRANT UPDATE ({may_change}) ON {table} TO marketplace_app")
    old, new = (", ".join(f"{row}.{each}" for each in KEPT[table].split()) for row in ("OLD", "NEW"))
    op.execute(KEEP.format(table=table, old=old, new=new))
    op.execute(
        f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION keep_{table}()"
    )


def _keys() -> list[sa.Column]:
    return [
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
    ]


def _two_people() -> list[sa.Column | sa.CheckConstraint]:
    return [
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("made_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("decided_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("decided_at", moment),
        sa.CheckConstraint(STATES, name="state"),
        sa.CheckConstraint(DECIDED, name="decided"),
        sa.CheckConstraint(TWO_PEOPLE, name="two_people"),
    ]
