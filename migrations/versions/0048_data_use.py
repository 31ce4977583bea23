"""The statement on the use of the work: what it says, its versions, and who agreed to which; questions that
applicants answer, and what has to stay secret."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0048"
down_revision = "0047"

moment = sa.DateTime(timezone=True)
OWNERS = "'client', 'customer', 'expert', 'public'"
KEPT = "'project', 'year_1', 'years_2', 'years_3', 'years_5', 'years_10', 'no_end'"


def upgrade() -> None:
    op.alter_column("gigs", "data_use", new_column_name="used_in")
    op.add_column("gigs", sa.Column("trains", sa.Text, nullable=False, server_default=""))
    op.add_column("gigs", sa.Column("owned_by", sa.Text))
    op.add_column("gigs", sa.Column("kept_for", sa.Text))
    op.add_column("gigs", sa.Column("secrecy", sa.Text, nullable=False, server_default=""))
    op.add_column("gigs", sa.Column("questions", ARRAY(sa.Text), nullable=False, server_default="{}"))
    op.create_check_constraint("owned_by", "gigs", f"owned_by IN ({OWNERS})")
    op.create_check_constraint("kept_for", "gigs", f"kept_for IN ({KEPT})")
    op.add_column("applications", sa.Column("answers", JSONB, nullable=False, server_default="[]"))
    _statements()
    _consents()
    op.add_column("offers", sa.Column("data_use_id", sa.BigInteger, sa.ForeignKey("data_uses.id")))
    op.execute("""
        UPDATE offers o SET data_use_id = d.id
        FROM data_uses d WHERE d.gig_id = o.gig_id AND d.used_in = o.data_use
    """)
    op.drop_column("offers", "data_use")


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM data_uses WHERE version > 1) THEN
                RAISE EXCEPTION 'people were asked what these statements say, so they are kept';
            ELSIF EXISTS (SELECT FROM applications WHERE answers <> '[]')
                OR EXISTS (SELECT FROM gigs WHERE secrecy <> '' OR questions <> '{}') THEN
                RAISE EXCEPTION 'people were asked questions, or told what has to stay secret';
            END IF;
        END $$
    """)
    op.add_column("offers", sa.Column("data_use", sa.Text, nullable=False, server_default=""))
    op.execute("UPDATE offers o SET data_use = d.used_in FROM data_uses d WHERE d.id = o.data_use_id")
    op.alter_column("offers", "data_use", server_default=None)
    op.drop_column("offers", "data_use_id")
    op.drop_table("data_use_consents")
    op.execute("DROP FUNCTION data_use_consents_answered_once()")
    op.drop_table("data_uses")
    op.drop_column("applications", "answers")
    for name in ("questions", "secrecy", "kept_for", "owned_by", "trains"):
        op.drop_column("gigs", name)
    op.alter_column("gigs", "used_in", new_column_name="data_use")


def _statements() -> None:
    op.create_table(
        "data_uses",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("gig_id", sa.BigInteger, sa.ForeignKey("gigs.id"), nullable=False),
        sa.Column(
            "version", sa.BigInteger, sa.CheckConstraint("version > 0", name="version"), nullable=False
        ),
        sa.Column("trains", sa.Text, nullable=False),
        sa.Column("used_in", sa.Text, nullable=False),
        sa.Column("owned_by", sa.Text, sa.CheckConstraint(f"owned_by IN ({OWNERS})", name="owned_by")),
        sa.Column("kept_for", sa.Text, sa.CheckConstraint(f"kept_for IN ({KEPT})", name="kept_for")),
        sa.Column("uses", ARRAY(sa.Text)),
        sa.Column("written_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("written_at", moment, nullable=False),
        sa.UniqueConstraint("gig_id", "version"),
    )
    op.execute("""
        INSERT INTO data_uses (gig_id, version, trains, used_in, uses, written_at)
        SELECT id, 1, '', used_in, uses, coalesce(published_at, now()) FROM gigs WHERE state <> 'draft'
    """)
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON data_uses FROM marketplace_app")
    op.execute(
        "CREATE TRIGGER data_uses_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON data_uses "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _consents() -> None:
    op.create_table(
        "data_use_consents",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("contract_id", sa.BigInteger, sa.ForeignKey("contracts.id"), nullable=False, index=True),
        sa.Column("data_use_id", sa.BigInteger, sa.ForeignKey("data_uses.id"), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("answer_by", moment, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("answered_at", moment),
        sa.Column("signed_name", sa.Text),
        sa.CheckConstraint("state IN ('waiting', 'given', 'stopped', 'void')", name="state"),
        sa.CheckConstraint("answer_by > asked_at", name="in_order"),
        sa.CheckConstraint("(state = 'waiting') = (answered_at IS NULL)", name="answered"),
        sa.CheckConstraint("(state = 'given') = (signed_name IS NOT NULL)", name="signed"),
    )
    op.create_index(
        "uq_data_use_consents_waiting", "data_use_consents", ["contract_id"], unique=True,
        postgresql_where="state = 'waiting'",
    )  # fmt: skip
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON data_use_consents FROM marketplace_app")
    op.execute("GRANT UPDATE (state, answered_at, signed_name) ON data_use_consents TO marketplace_app")
    op.execute("""
        CREATE FUNCTION data_use_consents_answered_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF OLD.state <> 'waiting' THEN RAISE EXCEPTION 'an answer stays as it was given'; END IF;
            RETURN NEW;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER data_use_consents_answered_once BEFORE UPDATE ON data_use_consents "
        "FOR EACH ROW EXECUTE FUNCTION data_use_consents_answered_once()"
    )
