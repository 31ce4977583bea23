"""Of a loss, what weeks held when it was booked is claimed; what the bank was told stays as it was sent."""

import sqlalchemy as sa
from alembic import op

revision = "0067"
down_revision = "0066"

KEEP = """
CREATE FUNCTION keep_loss_claims() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.open > OLD.open OR NEW.recovered < OLD.recovered OR NEW.bookings < OLD.bookings
        OR NEW.open + NEW.recovered > OLD.open + OLD.recovered THEN
        RAISE EXCEPTION 'claim %: it only becomes smaller', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
# Sent or refused it is over; what nobody knows is looked up, and sent anew only as released.
KEEP_EVIDENCE = """
CREATE FUNCTION keep_chargeback_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
            ('released', 'sending'), ('sending', 'unknown'), ('sending', 'sent'), ('sending', 'refused'),
            ('sending', 'released'), ('unknown', 'sent'), ('unknown', 'refused'),
            ('unknown', 'released'))
        OR (OLD.text, OLD.written_by, OLD.written_at, OLD.inquiry, OLD.chargeback_id) IS DISTINCT FROM
            (NEW.text, NEW.written_by, NEW.written_at, NEW.inquiry, NEW.chargeback_id)
        OR OLD.sent_at IS NOT NULL AND OLD.sent_at IS DISTINCT FROM NEW.sent_at THEN
        RAISE EXCEPTION 'evidence %: what was written and sent stays', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "loss_claims",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("funding_id", sa.BigInteger, sa.ForeignKey("fundings.id"), nullable=False, index=True),
        sa.Column("chargeback_id", sa.BigInteger, sa.ForeignKey("chargebacks.id"), index=True),
        sa.Column("open", sa.BigInteger, nullable=False),
        sa.Column("recovered", sa.BigInteger, nullable=False),
        sa.Column("bookings", sa.BigInteger, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("open >= 0 AND recovered >= 0 AND bookings >= 0", name="amounts"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON loss_claims FROM marketplace_app")
    op.execute("GRANT UPDATE (open, recovered, bookings) ON loss_claims TO marketplace_app")
    op.execute(KEEP)
    op.execute(
        "CREATE TRIGGER loss_claims_keep BEFORE UPDATE ON loss_claims "
        "FOR EACH ROW EXECUTE FUNCTION keep_loss_claims()"
    )
    op.add_column(
        "chargeback_evidence", sa.Column("inquiry", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.alter_column("chargeback_evidence", "inquiry", server_default=None)
    _one_live("chargeback_id", "inquiry")
    op.execute(KEEP_EVIDENCE)
    op.execute(
        "CREATE TRIGGER chargeback_evidence_keep BEFORE UPDATE ON chargeback_evidence "
        "FOR EACH ROW EXECUTE FUNCTION keep_chargeback_evidence()"
    )


def _one_live(*columns: str) -> None:
    """The bank takes one answer to an inquiry, and another once the money is taken."""
    op.drop_index("uq_chargeback_evidence_live", "chargeback_evidence")
    op.create_index(
        "uq_chargeback_evidence_live",
        "chargeback_evidence",
        columns,
        unique=True,
        postgresql_where=sa.text("state <> 'refused'"),
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM loss_claims)
            OR EXISTS (SELECT FROM chargeback_evidence WHERE inquiry) THEN
            RAISE EXCEPTION 'losses are claimed, or inquiries were answered';
        END IF; END $$
    """)
    op.execute("DROP TRIGGER chargeback_evidence_keep ON chargeback_evidence")
    op.execute("DROP FUNCTION keep_chargeback_evidence()")
    _one_live("chargeback_id")
    op.drop_column("chargeback_evidence", "inquiry")
    op.drop_table("loss_claims")
    op.execute("DROP FUNCTION keep_loss_claims()")
