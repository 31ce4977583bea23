"""Mails waiting to go out, documents, and who looked at them; tries, for limits."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "outbox_mails",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("to_address", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("queued_at", moment, nullable=False),
        sa.Column("sent_at", moment),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text),
        sa.CheckConstraint("to_address !~ '[\\r\\n]'", name="one_address"),
        sa.CheckConstraint("subject !~ '[\\r\\n]'", name="one_line_subject"),
        sa.Index("ix_outbox_mails_waiting", "id", postgresql_where=sa.text("sent_at IS NULL")),
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("owner_person_id", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
        sa.Column("stored_at", moment, nullable=False),
        sa.Column("purged_at", moment),
        sa.CheckConstraint("size > 0", name="size_positive"),
        sa.CheckConstraint("length(sha256) = 32", name="sha256_length"),
        sa.Index("ix_documents_owner_person_id", "owner_person_id"),
    )
    op.create_table(
        "document_views",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id"), nullable=False),
        sa.Column("person_id", sa.BigInteger, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Index("ix_document_views_document_id", "document_id"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON document_views FROM marketplace_app")


def downgrade() -> None:
    op.drop_table("document_views")
    op.drop_table("documents")
    op.drop_table("outbox_mails")
