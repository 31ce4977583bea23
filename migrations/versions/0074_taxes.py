"""Tax on our fees: dated rates by two people, clients' billing places, and what each line was taxed at."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0074"
down_revision = "0073"

moment = sa.DateTime(timezone=True)
STATES = "state IN ('made', 'accepted', 'declined', 'withdrawn')"
DECIDED = "num_nonnulls(decided_by, decided_at) = CASE state WHEN 'made' THEN 0 ELSE 2 END"
PLACE = "country ~ '^[A-Z]{2}$' AND region ~ '^[A-Z0-9]{0,6}$'"
BASES = "basis IN ('none', 'unsaid', 'domestic', 'no_number', 'reverse_charge', 'outside')"
TO_COME = "state <> 'accepted' OR from_on > CAST(timezone('Pacific/Kiritimati', decided_at) AS date)"
# The sign of an amount of tax, and which decision says it.
SIGNED = {
    "approved_lines": "tax_amount >= 0",
    "time_disputes": "tax_amount >= 0",
    "adjustments": "tax_amount = 0 OR sign(tax_amount) = sign(amount)",
}
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
    "tax_rates": "id public_id country region name rate_bps from_on source made_by made_at",
    "tax_profiles": "id public_id organization_id country region business vat_id made_by made_at",
}
KEEP_ADJUSTMENTS = """
CREATE OR REPLACE FUNCTION keep_adjustments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'made' AND ({old}) IS NOT DISTINCT FROM ({new}) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'adjustment % was decided, and is kept as it is', OLD.id
        USING ERRCODE = 'restrict_violation', HINT = 'Make another one against it.';
END $$
"""
ADJUSTED = "contract_id kind amount fee_amount reason_code explanation"


def upgrade() -> None:
    _rates()
    _profiles()
    _decisions()
    op.add_column("approvals", _amount())
    op.create_check_constraint("tax", "approvals", "tax_amount >= 0")
    for table, sign in SIGNED.items():
        op.add_column(table, _amount())
        op.add_column(table, sa.Column("tax_decision_id", sa.BigInteger, sa.ForeignKey("tax_decisions.id")))
        op.create_check_constraint(
            "tax", table, f"({sign}) AND (tax_amount = 0 OR tax_decision_id IS NOT NULL)"
        )
    op.execute(_kept(KEEP_ADJUSTMENTS, "adjustments", f"{ADJUSTED} tax_amount tax_decision_id"))
    for table in ("invoices", "invoice_lines"):
        op.add_column(table, sa.Column("taxes", JSONB, nullable=False, server_default="[]"))
    op.add_column("invoice_lines", sa.Column("tax", sa.BigInteger, nullable=False, server_default="0"))
    op.drop_constraint(op.f("ck_invoices_tax"), "invoices", type_="check")
    op.create_check_constraint(
        "tax", "invoices", "tax_bps >= 0 AND (tax = 0 OR jsonb_array_length(taxes) > 0)"
    )
    op.drop_constraint(op.f("ck_invoices_paid"), "invoices", type_="check")
    op.create_check_constraint("paid", "invoices", "paid = pay + fee + rounding + tax")


def _rates() -> None:
    op.create_table(
        "tax_rates",
        _key(),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("country", "region", "name")),
        sa.Column("rate_bps", sa.BigInteger),
        sa.Column("from_on", sa.Date, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        *_two_people(),
        sa.CheckConstraint(PLACE, name="place"),
        sa.CheckConstraint("rate_bps BETWEEN 0 AND 5000", name="rate_bps"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 40", name="name"),
        sa.CheckConstraint("length(source) >= 10", name="source"),
        sa.CheckConstraint("state <> 'accepted' OR decided_by <> made_by", name="two_people"),
        # Where the day begins first: nobody has worked on it.
        sa.CheckConstraint(TO_COME, name="to_come"),
    )
    where = sa.text("state = 'accepted'")
    op.create_index(
        "uq_tax_rates_accepted",
        "tax_rates",
        ["country", "region", "from_on"],
        unique=True,
        postgresql_where=where,
    )
    where = sa.text("state = 'made'")
    op.create_index(
        "uq_tax_rates_made", "tax_rates", ["country", "region"], unique=True, postgresql_where=where
    )
    _keep("tax_rates", "state, decided_by, decided_at")


def _profiles() -> None:
    op.create_table(
        "tax_profiles",
        _key(),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        _organization(nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("country", "region")),
        sa.Column("business", sa.Boolean, nullable=False),
        sa.Column("vat_id", sa.Text),
        *_two_people(),
        sa.Column("from_on", sa.Date),
        sa.Column("note", sa.Text),
        sa.CheckConstraint(PLACE, name="place"),
        sa.CheckConstraint("length(vat_id) BETWEEN 1 AND 40", name="vat_id"),
        sa.CheckConstraint("vat_id IS NULL OR business", name="business"),
        sa.CheckConstraint("(state = 'accepted') = (from_on IS NOT NULL)", name="from_on"),
        sa.CheckConstraint("state <> 'accepted' OR decided_by <> made_by", name="two_people"),
        sa.CheckConstraint(TO_COME, name="to_come"),
    )
    for state in ("made", "accepted"):
        columns = ["organization_id", "from_on"] if state == "accepted" else ["organization_id"]
        op.create_index(
            f"uq_tax_profiles_{state}", "tax_profiles", columns, unique=True,
            postgresql_where=sa.text(f"state = '{state}'"),
        )  # fmt: skip
    _keep("tax_profiles", "state, decided_by, decided_at, from_on, note")


def _decisions() -> None:
    op.create_table(
        "tax_decisions",
        _key(),
        _organization(nullable=True),
        sa.Column("from_on", sa.Date, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("basis", "name")),
        sa.Column("rate_bps", sa.BigInteger, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("vat_id", sa.Text),
        sa.Column("our_place", sa.Text, nullable=False),
        sa.Column("our_vat_id", sa.Text),
        sa.Column("rate_id", sa.BigInteger, sa.ForeignKey("tax_rates.id")),
        sa.Column("profile_id", sa.BigInteger, sa.ForeignKey("tax_profiles.id")),
        sa.Column("decided_at", moment, nullable=False),
        sa.CheckConstraint(BASES, name="basis"),
        sa.CheckConstraint("rate_bps BETWEEN 0 AND 5000", name="rate_bps"),
        sa.CheckConstraint("rate_bps = 0 OR rate_id IS NOT NULL", name="rate"),
        sa.CheckConstraint(
            "basis NOT IN ('none', 'reverse_charge', 'outside') OR rate_bps = 0", name="bears_none"
        ),
        sa.CheckConstraint("basis <> 'reverse_charge' OR vat_id IS NOT NULL", name="reverse_charge"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON tax_decisions FROM marketplace_app")
    op.execute(
        "CREATE TRIGGER tax_decisions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tax_decisions "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM tax_rates) OR EXISTS (SELECT FROM tax_profiles) THEN
            RAISE EXCEPTION 'rates of tax were proposed, or clients said where they are, which is kept';
        END IF; END $$
    """)
    for name, rule in (
        ("tax", "tax_bps >= 0 AND tax >= 0 AND (tax_bps > 0 OR tax = 0)"),
        ("paid", "paid = pay + fee + rounding"),
    ):
        op.drop_constraint(op.f(f"ck_invoices_{name}"), "invoices", type_="check")
        op.create_check_constraint(name, "invoices", rule)
    op.drop_column("invoice_lines", "tax")
    for table in ("invoices", "invoice_lines"):
        op.drop_column(table, "taxes")
    op.execute(_kept(KEEP_ADJUSTMENTS, "adjustments", ADJUSTED))
    for table in SIGNED:
        op.drop_constraint(op.f(f"ck_{table}_tax"), table, type_="check")
        op.drop_column(table, "tax_decision_id")
        op.drop_column(table, "tax_amount")
    op.drop_column("approvals", "tax_amount")
    for table in ("tax_decisions", "tax_profiles", "tax_rates"):
        op.drop_table(table)
    for table in KEPT:
        op.execute(f"DROP FUNCTION keep_{table}()")


def _kept(function: str, table: str, columns: str) -> str:
    old, new = (", ".join(f"{row}.{each}" for each in columns.split()) for row in ("OLD", "NEW"))
    return function.format(table=table, old=old, new=new)


def _keep(table: str, may_change: str) -> None:
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM marketplace_app")
    op.execute(f"GRANT UPDATE ({may_change}) ON {table} TO marketplace_app")
    op.execute(_kept(KEEP, table, KEPT[table]))
    op.execute(
        f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION keep_{table}()"
    )


def _two_people() -> list[sa.Column | sa.CheckConstraint]:
    return [
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("made_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("decided_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("decided_at", moment),
        sa.CheckConstraint(STATES, name="state"),
        sa.CheckConstraint(DECIDED, name="decided"),
    ]


def _organization(*, nullable: bool) -> sa.Column:
    return sa.Column(
        "organization_id", sa.BigInteger, sa.ForeignKey("organizations.id"), nullable=nullable, index=True
    )


def _key() -> sa.Column:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def _amount() -> sa.Column:
    return sa.Column("tax_amount", sa.BigInteger, nullable=False, server_default="0")
