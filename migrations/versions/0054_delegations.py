"""Who stands in for whom while they are away, and for whom a week was approved."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ExcludeConstraint

revision = "0054"
down_revision = "0053"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "delegations",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        reference("organization_id", "organizations.id"),
        reference("person_id", "people.id", index=True),
        reference("delegate_id", "people.id"),
        sa.Column("first_day", sa.Date, nullable=False),
        sa.Column("last_day", sa.Date, nullable=False),
        sa.Column("starts_at", moment, nullable=False),
        sa.Column("ends_at", moment, nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("ended_at", moment),
        sa.Column("ended_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.CheckConstraint("person_id <> delegate_id", name="another"),
        sa.CheckConstraint("last_day - first_day BETWEEN 0 AND 59", name="days"),
        sa.CheckConstraint("ends_at > starts_at", name="interval"),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended"),
        ExcludeConstraint(
            (sa.column("organization_id"), "="),
            (sa.column("person_id"), "="),
            (sa.text("tstzrange(starts_at, ends_at)"), "&&"),
            name="ex_delegations_one_at_a_time",
            where=sa.text("ended_at IS NULL"),
            using="gist",
        ),
        sa.Index("ix_delegations_delegate_id", "delegate_id", "ends_at"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON delegations FROM marketplace_app")
    op.execute("GRANT UPDATE (ended_at, ended_by) ON delegations TO marketplace_app")
    for table in ("approvals", "first_approvals"):
        op.add_column(table, sa.Column("for_person_id", sa.BigInteger, sa.ForeignKey("people.id")))
        op.create_check_constraint(
            "stands_in",
            table,
            "for_person_id IS NULL OR (person_id IS NOT NULL AND for_person_id <> person_id)",
        )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM delegations) THEN
            RAISE EXCEPTION 'weeks were approved for people who were away, and for whom is kept here';
        END IF; END $$
    """)
    for table in ("first_approvals", "approvals"):
        op.drop_constraint(f"ck_{table}_stands_in", table)
        op.drop_column(table, "for_person_id")
    op.drop_table("delegations")


def reference(name: str, to: str, **options: bool) -> sa.Column:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(to), nullable=False, **options)
