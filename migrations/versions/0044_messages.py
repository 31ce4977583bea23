"""Threads of messages that nobody changes or removes, announcements, and who has read what."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"

moment = sa.DateTime(timezone=True)
SIDES = "side IN ('expert', 'client', 'operator')"
STAY = ("messages", "message_attachments", "addressees", "read_marks")


def upgrade() -> None:
    op.create_table(
        "threads",
        key(),
        sa.Column("subject_kind", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        reference("person_id", "people.id", nullable=True),
        reference("organization_id", "organizations.id"),
        sa.Column("last_at", moment, nullable=False),
        sa.UniqueConstraint("subject_kind", "subject_id"),
    )
    op.create_index("ix_threads_person_id_last_at_id", "threads", ["person_id", "last_at", "id"])
    op.create_index("ix_threads_organization_id_last_at_id", "threads", ["organization_id", "last_at", "id"])
    op.create_table(
        "messages",
        key(),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        reference("thread_id", "threads.id"),
        reference("author_id", "people.id"),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("key", sa.Uuid, nullable=False),
        sa.Column("sent_at", moment, nullable=False),
        sa.UniqueConstraint("author_id", "key"),
        sa.UniqueConstraint("thread_id", "id"),
        sa.CheckConstraint(SIDES, name="side"),
        sa.CheckConstraint("char_length(text) BETWEEN 1 AND 5000", name="text"),
    )
    op.create_table(
        "message_attachments",
        key(),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        reference("message_id", "messages.id"),
        reference("document_id", "documents.id", unique=True),
    )
    op.create_index("ix_message_attachments_message_id", "message_attachments", ["message_id"])
    op.create_table(
        "addressees",
        reference("message_id", "messages.id", primary_key=True),
        reference("person_id", "people.id", primary_key=True),
    )
    op.create_index("ix_addressees_person_id_message_id", "addressees", ["person_id", "message_id"])
    op.create_table(
        "read_marks",
        sa.Column("thread_id", sa.BigInteger, primary_key=True),
        reference("person_id", "people.id", primary_key=True),
        sa.Column("message_id", sa.BigInteger, primary_key=True),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.ForeignKeyConstraint(["thread_id", "message_id"], ["messages.thread_id", "messages.id"]),
        sa.CheckConstraint(SIDES, name="side"),
    )
    op.create_table(
        "unread_threads",
        reference("person_id", "people.id", primary_key=True),
        sa.Column("thread_id", sa.BigInteger, primary_key=True),
        sa.Column("from_id", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["thread_id", "from_id"], ["messages.thread_id", "messages.id"]),
    )
    for table in STAY:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM marketplace_app")
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    # What a thread is about, and between whom, stays; only the time of its newest message moves on.
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON threads FROM marketplace_app")
    op.execute("GRANT UPDATE (last_at) ON threads TO marketplace_app")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM messages) THEN
            RAISE EXCEPTION 'people have written messages, which are kept';
        END IF; END $$
    """)
    for table in ("unread_threads", "read_marks", "addressees", "message_attachments", "messages", "threads"):
        op.drop_table(table)


def key() -> sa.Column:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def reference(name: str, to: str, *, nullable: bool = False, **options: bool) -> sa.Column:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(to), nullable=nullable, **options)
