"""Consolidated invoices of clients, numbered without gaps and never changed; who a client is by law."""

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"

STAY = ("invoices", "invoice_lines", "invoice_charges")
LEGAL = ("legal_name", "legal_address", "tax_number")


def upgrade() -> None:
    for name in LEGAL:
        op.add_column("organizations", sa.Column(name, sa.Text))
        op.create_check_constraint(name, "organizations", f"length({name}) BETWEEN 1 AND 1000")
    op.create_table(
        "invoice_counter",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="one"),
    )
    op.execute("INSERT INTO invoice_counter (id, last) VALUES (1, 0)")
    op.create_table(
        "invoices",
        key(),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("number", sa.BigInteger, nullable=False, unique=True),
        reference("organization_id", "organizations.id", nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        reference("issued_by", "people.id"),
        *(sa.Column(name, sa.dialects.postgresql.JSONB, nullable=False) for name in ("seller", "buyer")),
        sa.Column("tax_bps", sa.BigInteger, nullable=False),
        sa.Column("tax_reason", sa.Text, nullable=False),
        *(amount(name) for name in ("pay", "fee", "rounding", "tax", "paid")),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("organization_id", "month", "currency"),
        sa.CheckConstraint("extract(day FROM month) = 1", name="month"),
        sa.CheckConstraint("tax_bps >= 0 AND tax >= 0 AND (tax_bps > 0 OR tax = 0)", name="tax"),
        sa.CheckConstraint("paid = pay + fee + rounding", name="paid"),
        sa.CheckConstraint("length(sha256) = 32", name="sha256"),
    )
    op.create_table(
        "invoice_lines",
        key(),
        reference("invoice_id", "invoices.id", nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("kind", "project", "gig", "purchase_order", "cost_centre")
        ),
        *(amount(name) for name in ("minutes", "pay", "fee", "rounding")),
        sa.UniqueConstraint("invoice_id", "position"),
        sa.CheckConstraint("position > 0", name="position"),
    )
    op.create_table(
        "invoice_charges",
        reference("journal_entry_id", "journal_entries.id", primary_key=True, autoincrement=False),
        reference("line_id", "invoice_lines.id", nullable=False, index=True),
    )
    # The counter's row is locked until the transaction ends, and goes back with it: there is no gap.
    op.execute("""
        CREATE FUNCTION number_invoice() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = public, pg_temp AS $$
        BEGIN
            UPDATE invoice_counter SET last = last + 1 RETURNING last INTO NEW.number;
            RETURN NEW;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER invoices_number BEFORE INSERT ON invoices "
        "FOR EACH ROW EXECUTE FUNCTION number_invoice()"
    )
    op.execute("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON invoice_counter FROM marketplace_app")
    for table in STAY:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM marketplace_app")
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM invoices) THEN
            RAISE EXCEPTION 'invoices were issued, which are kept';
        END IF;
        IF EXISTS (
            SELECT FROM organizations WHERE coalesce(legal_name, legal_address, tax_number) IS NOT NULL
        ) THEN
            RAISE EXCEPTION 'clients have said who they are by law, and it is kept here';
        END IF; END $$
    """)
    for table in ("invoice_charges", "invoice_lines", "invoices", "invoice_counter"):
        op.drop_table(table)
    op.execute("DROP FUNCTION number_invoice()")
    for name in LEGAL:
        op.drop_column("organizations", name)


def key() -> sa.Column:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def amount(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=False)


def reference(name: str, to: str, **rest: object) -> sa.Column:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(to), **rest)
