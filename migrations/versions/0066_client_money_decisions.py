"""What is done with clients' wired money is proposed by one and confirmed by another; accounts keep their kind."""

import sqlalchemy as sa
from alembic import op

revision = "0066"
down_revision = "0065"

moment = sa.DateTime(timezone=True)

KEEP = """
CREATE FUNCTION keep_client_money_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'proposed' AND NEW.state <> 'proposed'
        AND (OLD.id, OLD.public_id, OLD.kind, OLD.statement_line_id, OLD.match_id, OLD.funding_id, OLD.source,
            OLD.reason, OLD.proposed_by, OLD.proposed_at)
        IS NOT DISTINCT FROM (NEW.id, NEW.public_id, NEW.kind, NEW.statement_line_id, NEW.match_id,
            NEW.funding_id, NEW.source, NEW.reason, NEW.proposed_by, NEW.proposed_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'decision %: what was proposed and decided stays', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$
"""
# Whose money an account holds stays, once something of it is booked, or (`was`) ever was.
HOLDS = """
CREATE OR REPLACE FUNCTION keep_what_accounts_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM statement_lines WHERE bank_account_id = OLD.id AND state = 'matched') {was} THEN
        RAISE EXCEPTION 'lines of bank account % are booked', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
WAS_BOOKED = """
    OR EXISTS (
        SELECT FROM statement_lines s
        JOIN statement_match_lines l ON l.statement_line_id = s.id
        JOIN statement_match_lines p ON p.match_id = l.match_id AND p.posting_id IS NOT NULL
        WHERE s.bank_account_id = OLD.id
    ) OR EXISTS (SELECT FROM journal_entries WHERE source = 'bank_account:' || OLD.public_id)
"""


def upgrade() -> None:
    op.create_table(
        "client_money_decisions",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("statement_line_id", sa.BigInteger, sa.ForeignKey("statement_lines.id"), nullable=False),
        sa.Column("match_id", sa.BigInteger, sa.ForeignKey("statement_matches.id")),
        sa.Column("funding_id", sa.BigInteger, sa.ForeignKey("fundings.id")),
        sa.Column("source", sa.Text(collation="C")),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("proposed_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("proposed_at", moment, nullable=False),
        sa.Column("decided_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("decided_at", moment),
        sa.CheckConstraint(
            "CASE kind WHEN 'undo' THEN match_id IS NOT NULL WHEN 'apply' THEN funding_id IS NOT NULL"
            " WHEN 'return' THEN source IS NOT NULL ELSE false END"
            " AND num_nonnulls(match_id, funding_id, source) = 1",
            name="kind",
        ),
        sa.CheckConstraint("reason <> ''", name="reason"),
        sa.CheckConstraint("state IN ('proposed', 'confirmed', 'dropped')", name="state"),
        sa.CheckConstraint(
            "num_nonnulls(decided_by, decided_at) = CASE state WHEN 'proposed' THEN 0 ELSE 2 END",
            name="decided",
        ),
        sa.CheckConstraint("state <> 'confirmed' OR decided_by <> proposed_by", name="two_people"),
        sa.Index(
            "uq_client_money_decisions_waiting",
            "statement_line_id",
            unique=True,
            postgresql_where=sa.text("state = 'proposed'"),
        ),
        sa.Index("ix_client_money_decisions_statement_line_id", "statement_line_id"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON client_money_decisions FROM marketplace_app")
    op.execute("GRANT UPDATE (state, decided_by, decided_at) ON client_money_decisions TO marketplace_app")
    op.execute(KEEP)
    op.execute(
        "CREATE TRIGGER client_money_decisions_keep BEFORE UPDATE OR DELETE ON client_money_decisions "
        "FOR EACH ROW EXECUTE FUNCTION keep_client_money_decisions()"
    )
    op.execute(HOLDS.format(was=WAS_BOOKED))


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM client_money_decisions) THEN
            RAISE EXCEPTION 'two people decided about clients'' money: the version before cannot tell who';
        END IF; END $$
    """)
    op.execute(HOLDS.format(was=""))
    op.drop_table("client_money_decisions")
    op.execute("DROP FUNCTION keep_client_money_decisions()")
