"""Credentials that experts claim, and the append-only attestations that check them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"

STATES = (
    "'needs_review', 'info_requested', 'verified', 'expiring', 'expired', 'rejected', 'suspended', 'revoked', "
    "'withdrawn'"
)
STANDINGS = "'active', 'conditions', 'inactive', 'suspended', 'revoked', 'expired', 'not_found', 'unknown'"


def upgrade() -> None:
    _create_credentials()
    _create_attestations()
    _create_guards()


def downgrade() -> None:
    op.drop_table("attestations")
    op.drop_table("credentials")
    op.execute("DROP FUNCTION refuse_own_attestation()")
    op.execute("DROP FUNCTION refuse_unattested()")


def _create_credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("jurisdiction", sa.Text),
        sa.Column("identifier", sa.LargeBinary),
        sa.Column("identifier_mask", sa.Text),
        sa.Column("identifier_hash", sa.LargeBinary),
        sa.Column("name_on_register", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("expires_on", sa.Date),
        sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id")),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("question", sa.Text),
        sa.Column("answer", sa.Text),
        sa.Column("barred_reviewer_id", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True)),
        sa.Column("noticed_days", sa.BigInteger),
        sa.CheckConstraint(f"state IN ({STATES})", name="state"),
        sa.CheckConstraint("type ~ '^[a-z][a-z0-9_]*$'", name="type"),
        sa.CheckConstraint("btrim(name_on_register) <> ''", name="name_on_register"),
        sa.CheckConstraint("(identifier IS NULL) = (identifier_mask IS NULL)", name="identifier_masked"),
        sa.CheckConstraint("identifier_hash IS NULL OR identifier IS NOT NULL", name="identifier_hashed"),
        sa.CheckConstraint("(claimed_by IS NULL) = (lease_until IS NULL)", name="lease"),
        sa.CheckConstraint("claimed_by <> person_id", name="claimed_by_another"),
        sa.CheckConstraint("claimed_by <> barred_reviewer_id", name="claimed_by_not_barred"),
        sa.CheckConstraint("state <> 'info_requested' OR question IS NOT NULL", name="question"),
        sa.CheckConstraint("(state = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn_at"),
        sa.CheckConstraint("noticed_days IN (60, 30, 7)", name="noticed_days"),
        sa.CheckConstraint("claimed_by IS NULL OR state = 'needs_review'", name="claimed_while_waiting"),
    )
    op.create_index("ix_credentials_person_id_type", "credentials", ["person_id", "type"])
    op.create_index(
        "ix_credentials_waiting",
        "credentials",
        ["submitted_at", "id"],
        postgresql_where=sa.text("state = 'needs_review'"),
    )
    op.create_index(
        "ix_credentials_expires_on",
        "credentials",
        ["expires_on"],
        postgresql_where=sa.text("state IN ('verified', 'expiring')"),
    )
    op.create_index(
        "uq_credentials_live_identifier",
        "credentials",
        ["type", "jurisdiction", "identifier_hash"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text(
            "identifier_hash IS NOT NULL AND state NOT IN ('rejected', 'revoked', 'withdrawn')"
        ),
    )


def _create_attestations() -> None:
    op.create_table(
        "attestations",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("credential_id", sa.BigInteger, sa.ForeignKey("credentials.id"), nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("source_url", sa.Text),
        sa.Column("source_as_of", sa.Date),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reviewer_person_id", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("fields_agreed", ARRAY(sa.Text), nullable=False),
        sa.Column("status_at_source", sa.Text, nullable=False),
        sa.Column("conditions", sa.Text),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True)),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("evidence_document_id", sa.BigInteger, sa.ForeignKey("documents.id")),
        sa.Column("evidence_sha256", sa.LargeBinary),
        sa.Column("note", sa.Text),
        sa.CheckConstraint("method IN ('A', 'R', 'H', 'P')", name="method"),
        sa.CheckConstraint("level BETWEEN 0 AND 4", name="level"),
        sa.CheckConstraint(f"status_at_source IN ({STANDINGS})", name="status_at_source"),
        sa.CheckConstraint("valid_to > valid_from", name="interval"),
        sa.CheckConstraint("method <> 'H' OR reviewer_person_id IS NOT NULL", name="reviewer"),
        sa.CheckConstraint(
            "method <> 'A' OR (level <= 1 AND status_at_source = 'unknown')", name="format_only"
        ),
        sa.CheckConstraint(
            "status_at_source <> 'active' OR (level >= 2 AND 'name' = ANY (fields_agreed))",
            name="name_agrees",
        ),
        sa.CheckConstraint("(status_at_source = 'conditions') = (conditions IS NOT NULL)", name="conditions"),
        sa.CheckConstraint("level < 4 OR source_url IS NOT NULL", name="primary_source"),
        sa.CheckConstraint(
            "(evidence_document_id IS NULL) = (evidence_sha256 IS NULL)", name="evidence_hashed"
        ),
    )
    op.create_index("ix_attestations_credential_id", "attestations", ["credential_id", "looked_at"])


def _create_guards() -> None:
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON attestations FROM marketplace_app")
    op.execute(
        "CREATE TRIGGER attestations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON attestations "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        """
        CREATE FUNCTION refuse_own_attestation() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM credentials
                       WHERE id = NEW.credential_id AND person_id = NEW.reviewer_person_id) THEN
                RAISE EXCEPTION 'nobody attests their own credential'
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_attestations_not_own';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER attestations_not_own BEFORE INSERT ON attestations "
        "FOR EACH ROW EXECUTE FUNCTION refuse_own_attestation()"
    )
    op.execute(
        """
        CREATE FUNCTION refuse_unattested() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT FROM attestations
                           WHERE credential_id = NEW.id AND status_at_source = 'active') THEN
                RAISE EXCEPTION 'a credential is verified by an attestation only'
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_credentials_attested';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER credentials_attested BEFORE INSERT OR UPDATE OF state ON credentials "
        "FOR EACH ROW WHEN (NEW.state IN ('verified', 'expiring')) EXECUTE FUNCTION refuse_unattested()"
    )
