"""Nobody lets a batch go that pays them, and whoever confirmed it may still release as it goes."""

from alembic import op

revision = "0087"
down_revision = "0086"

BEGIN = """
    CREATE OR REPLACE FUNCTION keep_release_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM release_confirmations
            WHERE batch_id = NEW.id AND voided_at IS NULL AND person_id = NEW.released_by
        ) THEN
            RAISE EXCEPTION 'batch % is released by another than who confirmed it', NEW.id
                USING ERRCODE = 'restrict_violation';
        END IF;
"""
OTHERS = """
        IF EXISTS (
            SELECT FROM release_confirmations first JOIN people ON people.id = first.person_id
            WHERE first.batch_id = NEW.id AND first.voided_at IS NULL AND (
                people.closed_at IS NOT NULL OR NOT EXISTS (
                    SELECT FROM role_grants
                    WHERE person_id = first.person_id AND role = 'finance_releaser' AND ended_at IS NULL
                )
            )
        ) THEN
            RAISE EXCEPTION 'who confirmed batch % may not release any more', NEW.id
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.released_by IS NOT NULL AND EXISTS (
            SELECT FROM payout_items
            WHERE batch_id = NEW.id AND state IN ('prepared', 'released') AND person_id IN (
                SELECT NEW.prepared_by UNION SELECT NEW.released_by UNION
                SELECT person_id FROM release_confirmations WHERE batch_id = NEW.id AND voided_at IS NULL
            )
        ) THEN
            RAISE EXCEPTION 'batch % pays somebody who lets it go', NEW.id
                USING ERRCODE = 'restrict_violation';
        END IF;
"""
END = """
        RETURN NEW;
    END $$
"""


def upgrade() -> None:
    op.execute(BEGIN + OTHERS + END)


def downgrade() -> None:
    op.execute(BEGIN + END)
