"""What was told about budgets, and weekly caps: both are only ever added to."""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "budget_alerts",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("project_id", sa.BigInteger, sa.ForeignKey("projects.id"), nullable=False, index=True),
        sa.Column("threshold", sa.SmallInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("funded", sa.BigInteger, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("rearmed_at", moment),
        sa.CheckConstraint("threshold IN (50, 80, 100)", name="threshold"),
        sa.CheckConstraint("funded > 0 AND used * 100 >= funded * threshold", name="reached"),
        sa.Index(
            "uq_budget_alerts_armed",
            "project_id",
            "threshold",
            unique=True,
            postgresql_where=sa.text("rearmed_at IS NULL"),
        ),
    )
    op.create_table(
        "weekly_caps",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("project_id", sa.BigInteger, sa.ForeignKey("projects.id"), nullable=False, index=True),
        sa.Column("from_on", sa.Date, nullable=False),
        sa.Column("amount", sa.BigInteger),
        sa.Column("minutes", sa.BigInteger),
        sa.Column("set_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("set_at", moment, nullable=False),
        sa.CheckConstraint("extract(isodow FROM from_on) = 1", name="monday"),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint("minutes > 0", name="minutes"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON budget_alerts FROM marketplace_app")
    op.execute("GRANT UPDATE (rearmed_at) ON budget_alerts TO marketplace_app")
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON weekly_caps FROM marketplace_app")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM weekly_caps) THEN
                RAISE EXCEPTION 'clients have capped their weeks';
            END IF;
            IF EXISTS (SELECT FROM budget_alerts) THEN
                RAISE EXCEPTION 'clients were told about their budgets, and when is kept here';
            END IF;
        END $$
    """)
    op.drop_table("weekly_caps")
    op.drop_table("budget_alerts")
