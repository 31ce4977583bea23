"""Offers, contracts with their rates, reserved money, time, timesheets and approvals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, ExcludeConstraint

revision = "0011"
down_revision = "0010"

moment = sa.DateTime(timezone=True)
# What was approved is evidence: a correction is a new row.
FROZEN = ("contract_rates", "approvals", "approved_lines")
# Everything else about these rows was agreed or worked, and stays as it was written.
CHANGING = {
    "offers": "state, decided_at",
    "contracts": "state, ended_at",
    "reservations": "state",
    "timesheets": "state, submitted_at, approve_by, version",
    "time_entries": "ended_at, replaced_by_id, removed_at, heartbeat_at",
}
TABLES = (
    "approved_lines",
    "approvals",
    "time_entries",
    "timesheets",
    "reservations",
    "contract_rates",
    "contracts",
    "offers",
)


def key() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def public_id() -> sa.Column[object]:
    return sa.Column("public_id", sa.Uuid, nullable=False, unique=True)


def to(target: str, name: str, **options: bool) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(target), nullable=False, **options)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def one_of(column: str, *words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def upgrade() -> None:
    _create_offers()
    _create_contracts()
    _create_reservations()
    _create_timesheets()
    _create_time_entries()
    _create_approvals()
    for table in FROZEN:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM marketplace_app")
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table, columns in CHANGING.items():
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM marketplace_app")
        op.execute(f"GRANT UPDATE ({columns}) ON {table} TO marketplace_app")
    _freeze_approved_time()


def _freeze_approved_time() -> None:
    op.execute(
        """
        CREATE FUNCTION keep_approved_time() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM approved_lines WHERE time_entry_id = OLD.id) THEN
                RAISE EXCEPTION 'time entry % is approved', OLD.id USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER time_entries_keep_approved BEFORE UPDATE ON time_entries "
        "FOR EACH ROW EXECUTE FUNCTION keep_approved_time()"
    )


def _create_offers() -> None:
    op.create_table(
        "offers",
        key(),
        public_id(),
        to("applications.id", "application_id"),
        to("organizations.id", "organization_id", index=True),
        to("projects.id", "project_id"),
        to("gigs.id", "gig_id"),
        to("people.id", "person_id", index=True),
        number("rate"),
        sa.Column("currency", sa.Text, nullable=False),
        number("fee_bps"),
        number("hours_per_week"),
        sa.Column("starts_on", sa.Date, nullable=False),
        sa.Column("terms_version", sa.Text, nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("data_use", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        to("people.id", "made_by"),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("decided_at", moment),
        sa.CheckConstraint("rate > 0", name="rate"),
        sa.CheckConstraint("fee_bps BETWEEN 0 AND 10000", name="fee_bps"),
        sa.CheckConstraint("hours_per_week BETWEEN 1 AND 80", name="hours_per_week"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.CheckConstraint("made_by <> person_id", name="not_to_oneself"),
        sa.CheckConstraint("(state = 'made') = (decided_at IS NULL)", name="decided"),
        one_of("state", "made", "accepted", "declined", "withdrawn", "expired"),
        sa.Index("uq_offers_made", "application_id", unique=True, postgresql_where=sa.text("state = 'made'")),
        sa.Index("ix_offers_expires_at", "expires_at", postgresql_where=sa.text("state = 'made'")),
    )


def _create_contracts() -> None:
    op.create_table(
        "contracts",
        key(),
        public_id(),
        sa.Column("offer_id", sa.BigInteger, sa.ForeignKey("offers.id"), nullable=False, unique=True),
        to("organizations.id", "organization_id", index=True),
        to("projects.id", "project_id", index=True),
        to("gigs.id", "gig_id"),
        to("people.id", "person_id", index=True),
        sa.Column("currency", sa.Text, nullable=False),
        number("fee_bps"),
        number("hours_per_week"),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("rounding_rule", sa.Text, nullable=False),
        sa.Column("starts_on", sa.Date, nullable=False),
        sa.Column("signed_name", sa.Text, nullable=False),
        sa.Column("signed_at", moment, nullable=False),
        sa.Column("terms_sha256", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("ended_at", moment),
        sa.CheckConstraint("length(terms_sha256) = 32", name="terms_sha256"),
        sa.CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ended"),
        one_of("state", "active", "ended"),
        one_of("rounding_rule", "half_up_per_line"),
    )
    op.create_table(
        "contract_rates",
        key(),
        to("contracts.id", "contract_id"),
        number("rate"),
        sa.Column("from_at", moment, nullable=False),
        sa.Column("agreed_at", moment, nullable=False),
        sa.CheckConstraint("rate > 0", name="rate"),
        sa.UniqueConstraint("contract_id", "from_at"),
    )


def _create_reservations() -> None:
    op.create_table(
        "reservations",
        key(),
        to("contracts.id", "contract_id"),
        sa.Column("week_start_at", moment, nullable=False),
        sa.Column("week_end_at", moment, nullable=False),
        number("minutes"),
        number("amount"),
        sa.Column("state", sa.Text, nullable=False),
        sa.CheckConstraint("week_end_at > week_start_at", name="week"),
        sa.CheckConstraint("minutes > 0", name="minutes"),
        sa.CheckConstraint("amount > 0", name="amount"),
        one_of("state", "held", "closed"),
        sa.UniqueConstraint("contract_id", "week_start_at"),
        sa.Index("ix_reservations_held", "week_end_at", postgresql_where=sa.text("state = 'held'")),
    )


def _create_timesheets() -> None:
    op.create_table(
        "timesheets",
        key(),
        public_id(),
        to("contracts.id", "contract_id"),
        sa.Column("week_start_at", moment, nullable=False),
        sa.Column("week_end_at", moment, nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("submitted_at", moment),
        sa.Column("approve_by", moment),
        number("version"),
        sa.CheckConstraint("week_end_at > week_start_at", name="week"),
        sa.CheckConstraint("approve_by > submitted_at", name="approve_by"),
        sa.CheckConstraint(
            "state <> 'submitted' OR (submitted_at IS NOT NULL AND approve_by IS NOT NULL)", name="submitted"
        ),
        one_of("state", "open", "submitted", "returned", "approved"),
        sa.UniqueConstraint("contract_id", "week_start_at"),
        sa.Index("ix_timesheets_approve_by", "approve_by", postgresql_where=sa.text("state = 'submitted'")),
    )


def _create_time_entries() -> None:
    op.create_table(
        "time_entries",
        key(),
        public_id(),
        to("contracts.id", "contract_id", index=True),
        to("timesheets.id", "timesheet_id", index=True),
        to("people.id", "person_id"),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("ended_at", moment),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("task_kind", sa.Text, nullable=False),
        sa.Column("items", sa.BigInteger),
        sa.Column("note", sa.Text, nullable=False),
        number("version"),
        sa.Column("replaced_by_id", sa.BigInteger, sa.ForeignKey("time_entries.id")),
        sa.Column("removed_at", moment),
        sa.Column("heartbeat_at", moment),
        sa.CheckConstraint("ended_at > started_at", name="interval"),
        sa.CheckConstraint(
            "extract(second FROM started_at) = 0 AND (ended_at IS NULL OR extract(second FROM ended_at) = 0)",
            name="whole_minutes",
        ),
        sa.CheckConstraint("ended_at IS NOT NULL OR source = 'timer'", name="running"),
        sa.CheckConstraint("items >= 0", name="items"),
        sa.CheckConstraint("replaced_by_id IS NULL OR removed_at IS NOT NULL", name="replaced"),
        one_of("kind", "paid", "unpaid"),
        one_of("source", "timer", "manual"),
        ExcludeConstraint(
            (sa.column("person_id"), "="),
            (sa.text("tstzrange(started_at, ended_at)"), "&&"),
            name="ex_time_entries_overlap",
            where=sa.text("removed_at IS NULL"),
            using="gist",
        ),
        sa.Index(
            "uq_time_entries_running",
            "person_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL AND removed_at IS NULL"),
        ),
    )


def _create_approvals() -> None:
    op.create_table(
        "approvals",
        key(),
        public_id(),
        sa.Column("timesheet_id", sa.BigInteger, sa.ForeignKey("timesheets.id"), nullable=False, unique=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("at", moment, nullable=False),
        sa.Column("lines_sha256", sa.LargeBinary, nullable=False),
        number("expert_amount"),
        number("fee_amount"),
        sa.CheckConstraint("length(lines_sha256) = 32", name="lines_sha256"),
        sa.CheckConstraint("expert_amount >= 0 AND fee_amount >= 0", name="amounts"),
    )
    op.create_table(
        "approved_lines",
        key(),
        to("approvals.id", "approval_id", index=True),
        sa.Column(
            "time_entry_id", sa.BigInteger, sa.ForeignKey("time_entries.id"), nullable=False, unique=True
        ),
        number("minutes"),
        number("rate"),
        number("expert_amount"),
        number("fee_amount"),
        sa.Column("credential_attestation_ids", ARRAY(sa.BigInteger), nullable=False),
        sa.CheckConstraint("minutes > 0 AND rate > 0", name="minutes"),
        sa.CheckConstraint("expert_amount >= 0 AND fee_amount >= 0", name="amounts"),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION keep_approved_time()")
