"""US tax: experts' forms, what is withheld of a payment and paid to the tax office, thresholds by year."""

import sqlalchemy as sa
from alembic import op

revision = "0081"
down_revision = "0080"

moment = sa.DateTime(timezone=True)
BEFORE = (
    "no_account", "not_ready", "below_minimum", "in_another_batch", "short_balance",
    "bank_changed", "negative_balance", "person_closed", "client_owes", "account_differs",
)  # fmt: skip
# Of each table: what the application may change, once. All else stays as it was written.
CHANGING = {
    "tax_forms": ("state", "told", "decided_by", "ended_at", "reason"),
    "tax_b_notices": ("ended_by", "ended_at", "ended_because"),
    "tax_us_work": ("until_on", "rate_bps", "rate_by", "rate_reason"),
    "tax_thresholds": ("state", "decided_by", "decided_at"),
    "tax_reported_years": (),
    "tax_remittances": ("state", "booked_by", "booked_at"),
    "tax_remittance_items": ("ended_at",),
}


def upgrade() -> None:
    _forms()
    _notices()
    _thresholds()
    _remittances()
    for table, columns in CHANGING.items():
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM marketplace_app")
        if columns:
            op.execute(f"GRANT UPDATE ({', '.join(columns)}) ON {table} TO marketplace_app")
    _keep()
    op.add_column("payout_items", sa.Column("withheld", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("payout_items", sa.Column("withheld_why", sa.Text))
    op.add_column("payout_items", sa.Column("withheld_of", sa.BigInteger))
    op.create_check_constraint(
        "withheld",
        "payout_items",
        "withheld >= 0 AND num_nonnulls(withheld_why, withheld_of) IN (0, 2) "
        "AND withheld <= coalesce(withheld_of, 0) AND coalesce(withheld_of, 0) <= amount + withheld",
    )
    op.create_check_constraint("withheld_why", "payout_items", "withheld_why IN ('backup', 'nra')")
    op.execute("""
        CREATE TRIGGER payout_items_withheld_frozen BEFORE UPDATE ON payout_items FOR EACH ROW
        WHEN ((OLD.withheld, OLD.withheld_why, OLD.withheld_of)
            IS DISTINCT FROM (NEW.withheld, NEW.withheld_why, NEW.withheld_of))
        EXECUTE FUNCTION refuse_frozen()
    """)
    _blockers((*BEFORE, "tax_form"))


def _blockers(words: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_payout_items_blocker_word"), "payout_items", type_="check")
    op.create_check_constraint("blocker_word", "payout_items", f"blocker IN {words}")


def _person() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False, index=True),
    ]


def _forms() -> None:
    op.create_table(
        "tax_forms",
        *_person(),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("business_name", sa.Text),
        sa.Column("classification", sa.Text),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("number_kind", sa.Text, nullable=False),
        sa.Column("number", sa.LargeBinary),
        sa.Column("number_end", sa.Text),
        sa.Column("details", sa.LargeBinary, nullable=False),
        sa.Column("told_by_irs", sa.Boolean, nullable=False),
        sa.Column("signed_name", sa.Text, nullable=False),
        sa.Column("signed_at", moment, nullable=False),
        sa.Column("text_version", sa.Text, nullable=False),
        sa.Column("valid_until", sa.Date),
        sa.Column("told", sa.BigInteger),
        sa.Column("decided_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("ended_at", moment),
        sa.Column("reason", sa.Text),
        sa.CheckConstraint("kind IN ('w9', 'w8ben')", name="kind"),
        sa.CheckConstraint("state IN ('accepted', 'refused', 'replaced')", name="state"),
        sa.CheckConstraint(
            "classification IN ('individual', 'c_corporation', 's_corporation', 'partnership', 'trust', "
            "'llc_c', 'llc_s', 'llc_p')",
            name="classification",
        ),
        sa.CheckConstraint("(kind = 'w9') = (classification IS NOT NULL)", name="classified"),
        sa.CheckConstraint(
            "number_kind IN ('ssn', 'ein', 'itin', 'atin', 'foreign', 'applied_for', 'none')",
            name="number_kind",
        ),
        sa.CheckConstraint("number_kind NOT IN ('foreign', 'none') OR kind = 'w8ben'", name="number_of_kind"),
        sa.CheckConstraint(
            "(number_kind IN ('applied_for', 'none')) = (number IS NULL)", name="number_there"
        ),
        sa.CheckConstraint("(number IS NULL) = (number_end IS NULL)", name="number_end_there"),
        sa.CheckConstraint("length(number_end) <= 4", name="number_end"),
        sa.CheckConstraint("signed_name <> '' AND text_version <> ''", name="signed"),
        # The year of a moment is that of its UTC day here; the day that counts lies within a day of it.
        sa.CheckConstraint(
            "(kind = 'w8ben') = (valid_until IS NOT NULL) AND (valid_until IS NULL OR "
            "to_char(valid_until, 'MM-DD') = '12-31' AND valid_until < signed_at + interval '4 years 2 days')",
            name="valid_until",
        ),
        sa.CheckConstraint("(state = 'accepted') = (ended_at IS NULL)", name="ended"),
        sa.CheckConstraint("(state = 'refused') = (reason IS NOT NULL)", name="refused"),
        sa.CheckConstraint("(state = 'refused') = (decided_by IS NOT NULL)", name="refused_by"),
    )
    op.execute("CREATE UNIQUE INDEX uq_tax_forms_accepted ON tax_forms (person_id) WHERE state = 'accepted'")


def _notices() -> None:
    op.create_table(
        "tax_b_notices",
        *_person(),
        sa.Column("received_on", sa.Date, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("recorded_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.Column("ended_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("ended_at", moment),
        sa.Column("ended_because", sa.Text),
        sa.CheckConstraint("num_nonnulls(ended_by, ended_at, ended_because) IN (0, 3)", name="ended"),
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_tax_b_notices_open ON tax_b_notices (person_id) WHERE ended_at IS NULL"
    )
    op.create_table(
        "tax_us_work",
        *_person(),
        sa.Column("from_on", sa.Date, nullable=False),
        sa.Column("until_on", sa.Date, nullable=False),
        sa.Column("rate_bps", sa.BigInteger, nullable=False),
        sa.Column("declared_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("declared_at", moment, nullable=False),
        sa.Column("rate_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("rate_reason", sa.Text),
        sa.CheckConstraint("until_on >= from_on", name="days"),
        sa.CheckConstraint("rate_bps BETWEEN 0 AND 3000", name="rate"),
        sa.CheckConstraint("num_nonnulls(rate_by, rate_reason) IN (0, 2)", name="rated"),
        sa.CheckConstraint("rate_bps = 3000 OR rate_by IS NOT NULL AND rate_by <> person_id", name="lower"),
    )
    # No day is in two of them, so that each has one rate.
    op.execute(
        "ALTER TABLE tax_us_work ADD CONSTRAINT ex_tax_us_work_days EXCLUDE USING gist "
        "(person_id WITH =, daterange(from_on, until_on, '[]') WITH &&)"
    )


def _thresholds() -> None:
    op.create_table(
        "tax_thresholds",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("from_year", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("transactions", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("made_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("decided_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("decided_at", moment),
        sa.CheckConstraint("form IN ('nec', 'k')", name="form"),
        sa.CheckConstraint("amount >= 0 AND transactions >= 0", name="amount"),
        sa.CheckConstraint("from_year BETWEEN 2000 AND 2200", name="from_year"),
        sa.CheckConstraint("length(source) >= 10", name="source"),
        sa.CheckConstraint("state IN ('made', 'accepted', 'declined', 'withdrawn', 'expired')", name="state"),
        sa.CheckConstraint("decided_by <> made_by OR state <> 'accepted'", name="two_people"),
        # What came with the site has no maker; whatever people change has two.
        sa.CheckConstraint(
            "made_by IS NULL AND state = 'accepted' OR made_by IS NOT NULL "
            "AND num_nonnulls(decided_by, decided_at) = CASE state WHEN 'made' THEN 0 ELSE 2 END",
            name="decided",
        ),
    )
    op.execute("CREATE UNIQUE INDEX uq_tax_thresholds_made ON tax_thresholds (form) WHERE state = 'made'")
    op.execute("""
        INSERT INTO tax_thresholds (public_id, form, from_year, amount, transactions, source, state, made_at)
        VALUES
        (gen_random_uuid(), 'nec', 2000, 60000, 0, 'IRC 6041(a) before P.L. 119-21', 'accepted', now()),
        (gen_random_uuid(), 'nec', 2026, 200000, 0,
            'P.L. 119-21, section 70433: payments after 31 December 2025; indexed from 2027', 'accepted', now()),
        (gen_random_uuid(), 'k', 2000, 2000000, 200,
            'IRC 6050W(e), as P.L. 119-21, section 70432, restored it', 'accepted', now())
    """)
    op.create_table(
        "tax_reported_years",
        sa.Column("year", sa.BigInteger, primary_key=True),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("first_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("first_at", moment, nullable=False),
        sa.CheckConstraint("form IN ('nec', 'k')", name="form"),
    )


def _remittances() -> None:
    op.create_table(
        "tax_remittances",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("paid_on", sa.Date, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("prepared_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("prepared_at", moment, nullable=False),
        sa.Column("booked_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("booked_at", moment),
        sa.CheckConstraint("why IN ('backup', 'nra')", name="why"),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint("reference <> ''", name="reference"),
        sa.CheckConstraint("state IN ('prepared', 'booked', 'cancelled')", name="state"),
        sa.CheckConstraint("booked_by <> prepared_by", name="two_people"),
        sa.CheckConstraint(
            "num_nonnulls(booked_by, booked_at) = CASE state WHEN 'booked' THEN 2 ELSE 0 END", name="booked"
        ),
    )
    op.create_table(
        "tax_remittance_items",
        sa.Column("remittance_id", sa.BigInteger, sa.ForeignKey("tax_remittances.id"), primary_key=True),
        sa.Column("payout_item_id", sa.BigInteger, sa.ForeignKey("payout_items.id"), primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("ended_at", moment),
        sa.CheckConstraint("amount > 0", name="amount"),
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_tax_remittance_items_live ON tax_remittance_items (payout_item_id) "
        "WHERE ended_at IS NULL"
    )


def _keep() -> None:
    """What was decided is decided once."""
    op.execute("""
        CREATE FUNCTION keep_tax_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_TABLE_NAME = 'tax_forms' AND to_jsonb(OLD) ->> 'state' = 'accepted'
                OR TG_TABLE_NAME = 'tax_b_notices' AND to_jsonb(OLD) ->> 'ended_at' IS NULL
                OR TG_TABLE_NAME = 'tax_thresholds' AND to_jsonb(OLD) ->> 'state' = 'made'
                OR TG_TABLE_NAME = 'tax_remittances' AND to_jsonb(OLD) ->> 'state' = 'prepared'
                OR TG_TABLE_NAME = 'tax_remittance_items' AND to_jsonb(OLD) ->> 'ended_at' IS NULL THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION '%: what was decided stays', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
    """)
    for table in ("tax_forms", "tax_b_notices", "tax_thresholds", "tax_remittances", "tax_remittance_items"):
        op.execute(
            f"CREATE TRIGGER {table}_keep BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION keep_tax_decisions()"
        )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM tax_forms) OR EXISTS (SELECT FROM tax_b_notices)
            OR EXISTS (SELECT FROM tax_us_work) OR EXISTS (SELECT FROM tax_remittances)
            OR EXISTS (SELECT FROM tax_reported_years)
            OR EXISTS (SELECT FROM tax_thresholds WHERE made_by IS NOT NULL)
            OR EXISTS (SELECT FROM payout_items WHERE withheld > 0 OR blocker = 'tax_form') THEN
            RAISE EXCEPTION 'tax forms were signed, tax withheld or thresholds decided';
        END IF; END $$
    """)
    _blockers(BEFORE)
    op.execute("DROP TRIGGER payout_items_withheld_frozen ON payout_items")
    for name in ("withheld_why", "withheld"):
        op.drop_constraint(op.f(f"ck_payout_items_{name}"), "payout_items", type_="check")
    for column in ("withheld_of", "withheld_why", "withheld"):
        op.drop_column("payout_items", column)
    for table in reversed(CHANGING):
        op.drop_table(table)
    op.execute("DROP FUNCTION keep_tax_decisions()")
