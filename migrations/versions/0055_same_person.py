"""The same person each week: a passkey bound at the identity check, and its answer with each week."""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"

moment = sa.DateTime(timezone=True)
# One check binds one passkey, of the person who was checked, within seven days of it.
OF_THEIRS = """
CREATE FUNCTION identity_passkeys_of_a_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM attestations a JOIN credentials c ON c.id = a.credential_id
        WHERE a.id = NEW.attestation_id AND c.person_id = NEW.person_id AND c.type = 'gov_id'
            AND a.method <> 'A' AND a.level >= 2 AND a.status_at_source = 'active'
            AND NEW.bound_at BETWEEN a.looked_at AND a.looked_at + interval '7 days'
    ) THEN
        RAISE EXCEPTION 'a passkey is bound within seven days of a check of its owner''s identity'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
BY_ITS_OWNER = """
CREATE FUNCTION week_confirmations_by_their_expert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM timesheets t JOIN contracts c ON c.id = t.contract_id
        JOIN identity_passkeys p ON p.person_id = c.person_id
        WHERE t.id = NEW.timesheet_id AND p.id = NEW.passkey_id AND p.ended_at IS NULL
    ) THEN
        RAISE EXCEPTION 'a week is confirmed with the passkey of its expert' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    for table in ("gigs", "offers"):
        op.add_column(table, sa.Column("same_person", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "identity_passkeys",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False, index=True),
        sa.Column(
            "attestation_id", sa.BigInteger, sa.ForeignKey("attestations.id"), nullable=False, unique=True
        ),
        sa.Column("factor_id", sa.BigInteger, sa.ForeignKey("second_factors.id", ondelete="SET NULL")),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("credential_id", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("bound_at", moment, nullable=False),
        sa.Column("ended_at", moment),
        sa.CheckConstraint("ended_at >= bound_at", name="ended"),
        sa.CheckConstraint("length(credential_id) > 0 AND length(public_key) > 0", name="key"),
        sa.Index(
            "uq_identity_passkeys_live",
            "person_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )
    op.create_table(
        "week_confirmations",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("timesheet_id", sa.BigInteger, sa.ForeignKey("timesheets.id"), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("passkey_id", sa.BigInteger, sa.ForeignKey("identity_passkeys.id"), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("challenge", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("answer", sa.Text, nullable=False),
        sa.CheckConstraint("length(challenge) = 32", name="challenge"),
        sa.UniqueConstraint("timesheet_id", "at"),
    )
    op.execute(
        "REVOKE UPDATE, DELETE, TRUNCATE ON identity_passkeys, week_confirmations FROM marketplace_app"
    )
    op.execute("GRANT UPDATE (ended_at) ON identity_passkeys TO marketplace_app")
    op.execute(
        "CREATE TRIGGER week_confirmations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON week_confirmations FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(OF_THEIRS)
    op.execute("""
        CREATE TRIGGER identity_passkeys_of_a_check BEFORE INSERT ON identity_passkeys
        FOR EACH ROW EXECUTE FUNCTION identity_passkeys_of_a_check()
    """)
    op.execute(BY_ITS_OWNER)
    op.execute("""
        CREATE TRIGGER week_confirmations_by_their_expert BEFORE INSERT ON week_confirmations
        FOR EACH ROW EXECUTE FUNCTION week_confirmations_by_their_expert()
    """)


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM identity_passkeys) THEN
            RAISE EXCEPTION 'weeks were confirmed by passkey, and the evidence is kept here';
        END IF;
        IF EXISTS (SELECT FROM gigs WHERE same_person) OR EXISTS (SELECT FROM offers WHERE same_person) THEN
            RAISE EXCEPTION 'gigs ask for the same person each week, which was offered and signed';
        END IF; END $$
    """)
    op.drop_table("week_confirmations")
    op.drop_table("identity_passkeys")
    op.execute("DROP FUNCTION week_confirmations_by_their_expert, identity_passkeys_of_a_check")
    for table in ("offers", "gigs"):
        op.drop_column(table, "same_person")
