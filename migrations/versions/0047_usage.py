"""What labelling tools counted, by day; what a later file says otherwise stands beside what was there."""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"

moment = sa.DateTime(timezone=True)
COUNTS = ("new_rows", "changed_rows", "same_rows", "refused_rows")


def upgrade() -> None:
    op.create_table(
        "usage_imports",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False, index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("at", moment, nullable=False),
        sa.Column("taken_at", moment),
        *(sa.Column(name, sa.BigInteger) for name in COUNTS),
        sa.CheckConstraint("length(sha256) = 32", name="sha256"),
        sa.CheckConstraint(
            f"num_nonnulls(taken_at, {', '.join(COUNTS)}) = CASE WHEN text IS NULL THEN 5 ELSE 0 END",
            name="taken",
        ),
        sa.Index("ix_usage_imports_at", "at", postgresql_where=sa.text("taken_at IS NULL")),
    )
    op.create_table(
        "usage_days",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("contract_id", sa.BigInteger, sa.ForeignKey("contracts.id"), nullable=False),
        sa.Column("import_id", sa.BigInteger, sa.ForeignKey("usage_imports.id"), nullable=False, index=True),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("minutes", sa.BigInteger, nullable=False),
        sa.Column("items", sa.BigInteger),
        sa.Column("replaced_at", moment),
        sa.CheckConstraint("minutes BETWEEN 0 AND 1500", name="minutes"),
        sa.CheckConstraint("items >= 0", name="items"),
        sa.Index(
            "uq_usage_days_of_contract",
            "contract_id",
            "day",
            unique=True,
            postgresql_where=sa.text("replaced_at IS NULL"),
        ),
        sa.Index("ix_usage_days_contract_id_day", "contract_id", "day"),
    )
    op.execute("REVOKE UPDATE, TRUNCATE ON usage_imports FROM marketplace_app")
    op.execute(f"GRANT UPDATE (text, taken_at, {', '.join(COUNTS)}) ON usage_imports TO marketplace_app")
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON usage_days FROM marketplace_app")
    op.execute("GRANT UPDATE (replaced_at) ON usage_days TO marketplace_app")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM usage_imports) THEN
            RAISE EXCEPTION 'usage was imported, and weeks were approved by it';
        END IF; END $$
    """)
    op.drop_table("usage_days")
    op.drop_table("usage_imports")
