"""Above a limit two people release a batch, and finance pauses sending."""

import sqlalchemy as sa
from alembic import op

revision = "0072"
down_revision = "0071"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    _confirmations()
    _pauses()


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM release_confirmations) THEN
                RAISE EXCEPTION 'batches were confirmed by a second person, and who it was would be forgotten';
            END IF;
            IF EXISTS (SELECT FROM sending_pauses) THEN
                RAISE EXCEPTION 'sending was paused, and who did it and why would be forgotten';
            END IF;
        END $$
    """)
    op.execute("DROP TRIGGER payout_batches_by_another ON payout_batches")
    op.execute("DROP FUNCTION keep_release_by_another()")
    op.drop_table("sending_pauses")
    op.execute("DROP FUNCTION keep_sending_pauses()")
    op.drop_table("release_confirmations")
    op.execute("DROP FUNCTION keep_release_confirmations()")


def _confirmations() -> None:
    op.create_table(
        "release_confirmations",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("batch_id", sa.BigInteger, sa.ForeignKey("payout_batches.id"), nullable=False, index=True),
        sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("seen_sha256", sa.LargeBinary, nullable=False),
        sa.Column("voided_at", moment),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint("length(seen_sha256) = 32", name="sha256_length"),
        sa.CheckConstraint("voided_at >= at", name="voided_later"),
        sa.Index(
            "uq_release_confirmations_live",
            "batch_id",
            unique=True,
            postgresql_where=sa.text("voided_at IS NULL"),
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON release_confirmations FROM marketplace_app")
    op.execute("GRANT UPDATE (voided_at) ON release_confirmations TO marketplace_app")
    op.execute("""
        CREATE FUNCTION keep_release_confirmations() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                IF NOT EXISTS (
                    SELECT FROM payout_batches
                    WHERE id = NEW.batch_id AND state = 'prepared' AND prepared_by <> NEW.person_id
                ) THEN
                    RAISE EXCEPTION 'batch % is confirmed before its release, by another', NEW.batch_id
                        USING ERRCODE = 'restrict_violation';
                END IF;
                RETURN NEW;
            END IF;
            IF TG_OP = 'DELETE' OR OLD.voided_at IS NOT NULL
                OR (OLD.id, OLD.public_id, OLD.batch_id, OLD.person_id, OLD.at, OLD.amount, OLD.seen_sha256)
                IS DISTINCT FROM (NEW.id, NEW.public_id, NEW.batch_id, NEW.person_id, NEW.at, NEW.amount,
                    NEW.seen_sha256) THEN
                RAISE EXCEPTION 'what was confirmed of batch % stays', OLD.batch_id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER release_confirmations_kept BEFORE INSERT OR UPDATE OR DELETE ON release_confirmations "
        "FOR EACH ROW EXECUTE FUNCTION keep_release_confirmations()"
    )
    op.execute("""
        CREATE FUNCTION keep_release_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM release_confirmations
                WHERE batch_id = NEW.id AND voided_at IS NULL AND person_id = NEW.released_by
            ) THEN
                RAISE EXCEPTION 'batch % is released by another than who confirmed it', NEW.id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER payout_batches_by_another BEFORE UPDATE OF released_by ON payout_batches "
        "FOR EACH ROW EXECUTE FUNCTION keep_release_by_another()"
    )


def _pauses() -> None:
    op.create_table(
        "sending_pauses",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("batch_id", sa.BigInteger, sa.ForeignKey("payout_batches.id"), index=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("paused_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("paused_at", moment, nullable=False),
        sa.Column("resumed_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.Column("resumed_at", moment),
        sa.CheckConstraint("reason <> ''", name="reason"),
        sa.CheckConstraint("(resumed_by IS NULL) = (resumed_at IS NULL)", name="resumed"),
        sa.Index(
            "uq_sending_pauses_lasting",
            "batch_id",
            unique=True,
            postgresql_where=sa.text("resumed_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON sending_pauses FROM marketplace_app")
    op.execute("GRANT UPDATE (resumed_by, resumed_at) ON sending_pauses TO marketplace_app")
    op.execute("""
        CREATE FUNCTION keep_sending_pauses() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' OR OLD.resumed_at IS NOT NULL
                OR (OLD.id, OLD.public_id, OLD.batch_id, OLD.reason, OLD.paused_by, OLD.paused_at)
                IS DISTINCT FROM (NEW.id, NEW.public_id, NEW.batch_id, NEW.reason, NEW.paused_by,
                    NEW.paused_at) THEN
                RAISE EXCEPTION 'pause % stays as it was', OLD.id USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER sending_pauses_kept BEFORE UPDATE OR DELETE ON sending_pauses "
        "FOR EACH ROW EXECUTE FUNCTION keep_sending_pauses()"
    )
