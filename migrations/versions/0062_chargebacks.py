"""Payments that come back: chargebacks with what moved for each, and bank debits that fail after they were paid."""

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0061"

moment = sa.DateTime(timezone=True)
STATES = ("inquiry", "needs_response", "under_review", "won", "lost", "closed")
MOVES = {
    "inquiry": ("needs_response", "under_review", "won", "lost", "closed"),
    "needs_response": ("under_review", "won", "lost"),
    "under_review": ("won", "lost"),
    "lost": ("won",),
    "won": ("lost",),
    "closed": ("needs_response", "under_review", "won", "lost"),
}
EVIDENCE = ("released", "sending", "unknown", "sent", "refused")
CHANGES = (
    "state", "stripe_status", "reason", "amount", "due_by", "held", "from_funds", "loss", "settled", "holds",
    "trouble", "looked_at", "decided_at", "weeks_asked_by", "weeks_asked_at", "weeks_freed_by",
    "weeks_freed_at", "weeks_freed",
)  # fmt: skip
EVIDENCE_CHANGES = ("state", "attempt", "first_tried_at", "tries", "retry_at", "sent_at", "failure")
BEFORE = ("prepared", "open", "processing", "paid", "failed", "expired")


def upgrade() -> None:
    _fundings()
    _chargebacks()
    _moves()
    _evidence()
    _keep_chargebacks()


def _fundings() -> None:
    op.add_column("fundings", sa.Column("failure_transaction", sa.Text, unique=True))
    op.add_column("fundings", sa.Column("failed_at", moment))
    _state((*BEFORE, "failed_after_paid"))
    op.create_check_constraint(
        "failed_after_paid",
        "fundings",
        "(state = 'failed_after_paid') = (failure_transaction IS NOT NULL)"
        " AND (state <> 'failed_after_paid' OR paid_at IS NOT NULL AND net > 0 AND failed_at IS NOT NULL)",
    )


def _state(states: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_fundings_state_word"), "fundings", type_="check")
    op.create_check_constraint("state_word", "fundings", f"state IN {states}")


def _chargebacks() -> None:
    op.create_table(
        "chargebacks",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("funding_id", sa.BigInteger, sa.ForeignKey("fundings.id"), nullable=False, index=True),
        sa.Column("stripe_id", sa.Text, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("stripe_status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("opened_at", moment, nullable=False),
        sa.Column("due_by", moment),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("from_funds", sa.BigInteger, nullable=False),
        sa.Column("loss", sa.BigInteger, nullable=False),
        sa.Column("settled", sa.BigInteger, nullable=False),
        sa.Column("holds", sa.BigInteger, nullable=False),
        sa.Column("trouble", sa.Text),
        sa.Column("looked_at", moment, nullable=False),
        sa.Column("decided_at", moment),
        sa.Column("weeks_asked_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("weeks_asked_at", moment),
        sa.Column("weeks_freed_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("weeks_freed_at", moment),
        sa.Column("weeks_freed", sa.BigInteger),
        sa.CheckConstraint(f"state IN {STATES}", name="state"),
        sa.CheckConstraint("amount >= 0", name="amount"),
        sa.CheckConstraint("held >= 0 AND from_funds >= 0 AND loss >= 0", name="shares"),
        sa.CheckConstraint("held = 0 OR state IN ('needs_response', 'under_review')", name="held_while_open"),
        sa.CheckConstraint("from_funds + loss = 0 OR state = 'lost'", name="borne_when_lost"),
        sa.CheckConstraint("(decided_at IS NOT NULL) = (state IN ('won', 'lost'))", name="decided"),
        sa.CheckConstraint("(weeks_asked_by IS NULL) = (weeks_asked_at IS NULL)", name="weeks_asked"),
        sa.CheckConstraint(
            "num_nonnulls(weeks_freed_by, weeks_freed_at, weeks_freed) IN (0, 3)"
            " AND (weeks_freed_by IS NULL OR weeks_asked_by IS NOT NULL AND weeks_asked_by <> weeks_freed_by)",
            name="weeks_two",
        ),
        sa.Index(
            "ix_chargebacks_open",
            "due_by",
            postgresql_where=sa.text("state IN ('inquiry', 'needs_response', 'under_review')"),
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON chargebacks FROM marketplace_app")
    op.execute(f"GRANT UPDATE ({', '.join(CHANGES)}) ON chargebacks TO marketplace_app")


def _moves() -> None:
    op.create_table(
        "chargeback_moves",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column(
            "chargeback_id", sa.BigInteger, sa.ForeignKey("chargebacks.id"), nullable=False, index=True
        ),
        sa.Column("balance_transaction", sa.Text, nullable=False, unique=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("fee", sa.BigInteger, nullable=False),
        sa.Column("net", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.CheckConstraint("net = amount - fee", name="net"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON chargeback_moves FROM marketplace_app")


def _evidence() -> None:
    op.create_table(
        "chargeback_evidence",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column(
            "chargeback_id", sa.BigInteger, sa.ForeignKey("chargebacks.id"), nullable=False, index=True
        ),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("written_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("written_at", moment, nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("first_tried_at", moment),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("retry_at", moment),
        sa.Column("sent_at", moment),
        sa.Column("failure", sa.Text),
        sa.CheckConstraint(f"state IN {EVIDENCE}", name="state"),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent"),
        sa.Index(
            "uq_chargeback_evidence_live",
            "chargeback_id",
            unique=True,
            postgresql_where=sa.text("state <> 'refused'"),
        ),
        sa.Index(
            "ix_chargeback_evidence_to_send",
            "id",
            postgresql_where=sa.text("state IN ('released', 'sending', 'unknown')"),
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON chargeback_evidence FROM marketplace_app")
    op.execute(f"GRANT UPDATE ({', '.join(EVIDENCE_CHANGES)}) ON chargeback_evidence TO marketplace_app")


def _keep_chargebacks() -> None:
    """States follow MOVES; who let weeks go stays, and so does how much they gave."""
    moves = ", ".join(f"('{before}', '{after}')" for before in MOVES for after in MOVES[before])
    op.execute(
        f"""
        CREATE FUNCTION keep_chargebacks() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            broken text;
        BEGIN
            IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN ({moves}) THEN
                broken := 'from ' || OLD.state || ' it does not become ' || NEW.state;
            ELSIF NEW.settled < OLD.settled OR NEW.holds < OLD.holds THEN
                broken := 'what was booked stays counted';
            ELSIF OLD.weeks_freed_by IS NOT NULL AND
                (OLD.weeks_asked_by, OLD.weeks_asked_at, OLD.weeks_freed_by, OLD.weeks_freed_at, OLD.weeks_freed)
                IS DISTINCT FROM
                (NEW.weeks_asked_by, NEW.weeks_asked_at, NEW.weeks_freed_by, NEW.weeks_freed_at, NEW.weeks_freed)
                THEN
                broken := 'who let its weeks go stays';
            ELSE
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'chargeback %: %', OLD.id, broken USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER chargebacks_keep BEFORE UPDATE ON chargebacks "
        "FOR EACH ROW EXECUTE FUNCTION keep_chargebacks()"
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM chargebacks)
            OR EXISTS (SELECT FROM fundings WHERE state = 'failed_after_paid') THEN
            RAISE EXCEPTION 'payments have come back';
        END IF; END $$
    """)
    op.drop_table("chargeback_evidence")
    op.drop_table("chargeback_moves")
    op.drop_table("chargebacks")
    op.execute("DROP FUNCTION keep_chargebacks()")
    op.drop_constraint(op.f("ck_fundings_failed_after_paid"), "fundings", type_="check")
    _state(BEFORE)
    op.drop_column("fundings", "failed_at")
    op.drop_column("fundings", "failure_transaction")
