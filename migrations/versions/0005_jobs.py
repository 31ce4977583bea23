"""Procrastinate's own tables, as the installed release ships them."""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0005"
down_revision = "0004"

DROP = """
DO $$ DECLARE found record; BEGIN
    FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'procrastinate%'
    LOOP EXECUTE format('DROP TABLE %I CASCADE', found.tablename); END LOOP;
    FOR found IN SELECT oid::regprocedure AS name FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'procrastinate%'
    LOOP EXECUTE 'DROP FUNCTION ' || found.name || ' CASCADE'; END LOOP;
    FOR found IN SELECT typname FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typname LIKE 'procrastinate%' AND typtype IN ('e', 'c')
    LOOP EXECUTE format('DROP TYPE IF EXISTS %I CASCADE', found.typname); END LOOP;
END $$
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(SchemaManager.get_schema())


def downgrade() -> None:
    op.get_bind().connection.driver_connection.execute(DROP)
