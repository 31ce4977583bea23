"""Clients pay by wire: a request has a number and its ISO 11649 reference, and a bank line pays it once."""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"

LEGS = ("ledger", "payout", "bank")
THINGS = ("statement_line_id", "stripe_transaction_id", "posting_id", "connected_payout_id", "sweep_id")
PAID_AT_STRIPE = "charge IS NOT NULL AND balance_transaction IS NOT NULL AND fee >= 0"


def upgrade() -> None:
    op.execute("CREATE SEQUENCE wire_numbers START 1001")
    op.execute("GRANT USAGE ON SEQUENCE wire_numbers TO marketplace_app")
    op.add_column("fundings", sa.Column("reference", sa.Text, unique=True))
    op.add_column("fundings", sa.Column("paid_from", sa.Text))
    _rules(
        rails=("card", "bank_transfer", "wire"),
        session="state IN ('prepared', 'expired') OR rail = 'wire' OR session_id IS NOT NULL",
        paid=f"state <> 'paid' OR net > 0 AND paid_at IS NOT NULL AND CASE rail WHEN 'wire' THEN fee = 0"
        f" ELSE {PAID_AT_STRIPE} END",
        unfinished="state IN ('prepared', 'open') AND rail <> 'wire'",
    )
    op.create_check_constraint("wire", "fundings", "(rail = 'wire') = (reference IS NOT NULL)")
    op.create_check_constraint(
        "wire_at_bank",
        "fundings",
        "rail <> 'wire' OR num_nonnulls(session_id, charge, balance_transaction) = 0",
    )
    op.create_check_constraint(
        "paid_from", "fundings", "paid_from IS NULL OR rail = 'wire' AND state = 'paid'"
    )
    op.execute("""
        CREATE TRIGGER fundings_reference BEFORE UPDATE ON fundings FOR EACH ROW
        WHEN (OLD.rail IS DISTINCT FROM NEW.rail OR OLD.reference IS DISTINCT FROM NEW.reference)
        EXECUTE FUNCTION refuse_frozen()
    """)
    for name in ("creditor_ref", "counterparty_account"):
        op.add_column("statement_lines", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column(
        "bank_accounts", sa.Column("client_money", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.execute("GRANT UPDATE (client_money) ON bank_accounts TO marketplace_app")
    _keep_what_accounts_hold()
    _legs((*LEGS, "applied"))
    op.add_column(
        "statement_match_lines", sa.Column("funding_id", sa.BigInteger, sa.ForeignKey("fundings.id"))
    )
    _one_thing((*THINGS, "funding_id"))
    # A request is paid by one line, whichever way the line came to it.
    op.create_index(
        "uq_statement_match_lines_funding_id",
        "statement_match_lines",
        ["funding_id"],
        unique=True,
        postgresql_where=sa.text("live AND funding_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM fundings WHERE rail = 'wire')
            OR EXISTS (SELECT FROM bank_accounts WHERE client_money) THEN
            RAISE EXCEPTION 'clients paid by wire: the version before cannot tell what became of it';
        END IF; END $$
    """)
    op.drop_index("uq_statement_match_lines_funding_id", "statement_match_lines")
    op.drop_constraint(op.f("ck_statement_match_lines_one_thing"), "statement_match_lines", type_="check")
    op.drop_column("statement_match_lines", "funding_id")
    op.create_check_constraint("one_thing", "statement_match_lines", f"num_nonnulls({', '.join(THINGS)}) = 1")
    _legs(LEGS)
    op.execute("DROP TRIGGER bank_accounts_hold ON bank_accounts")
    op.execute("DROP FUNCTION keep_what_accounts_hold()")
    op.drop_column("bank_accounts", "client_money")
    for name in ("creditor_ref", "counterparty_account"):
        op.drop_column("statement_lines", name)
    op.execute("DROP TRIGGER fundings_reference ON fundings")
    for name in ("wire", "wire_at_bank", "paid_from"):
        op.drop_constraint(op.f(f"ck_fundings_{name}"), "fundings", type_="check")
    _rules(
        rails=("card", "bank_transfer"),
        session="state IN ('prepared', 'expired') OR session_id IS NOT NULL",
        paid=f"state <> 'paid' OR {PAID_AT_STRIPE} AND net > 0 AND paid_at IS NOT NULL",
        unfinished="state IN ('prepared', 'open')",
    )
    op.drop_column("fundings", "paid_from")
    op.drop_column("fundings", "reference")
    op.execute("DROP SEQUENCE wire_numbers")


def _rules(*, rails: tuple[str, ...], session: str, paid: str, unfinished: str) -> None:
    rules = {"rail_word": f"rail IN {rails}", "session": session, "paid_in_full": paid}
    for name, rule in rules.items():
        op.drop_constraint(op.f(f"ck_fundings_{name}"), "fundings", type_="check")
        op.create_check_constraint(name, "fundings", rule)
    op.drop_index("uq_fundings_unfinished", "fundings")
    op.create_index(
        "uq_fundings_unfinished",
        "fundings",
        ["project_id", "amount", "rail"],
        unique=True,
        postgresql_where=sa.text(unfinished),
    )


def _legs(legs: tuple[str, ...]) -> None:
    for table in ("statement_matches", "statement_match_lines"):
        op.drop_constraint(op.f(f"ck_{table}_leg"), table, type_="check")
        op.create_check_constraint("leg", table, f"leg IN {legs}")


def _one_thing(things: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_statement_match_lines_one_thing"), "statement_match_lines", type_="check")
    op.create_check_constraint("one_thing", "statement_match_lines", f"num_nonnulls({', '.join(things)}) = 1")


def _keep_what_accounts_hold() -> None:
    """Whose money an account holds stays, once one of its lines is booked under 1010 or 1020."""
    op.execute("""
        CREATE FUNCTION keep_what_accounts_hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM statement_lines WHERE bank_account_id = OLD.id AND state = 'matched') THEN
                RAISE EXCEPTION 'lines of bank account % are booked', OLD.id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER bank_accounts_hold BEFORE UPDATE ON bank_accounts FOR EACH ROW
        WHEN (OLD.client_money IS DISTINCT FROM NEW.client_money) EXECUTE FUNCTION keep_what_accounts_hold()
    """)
