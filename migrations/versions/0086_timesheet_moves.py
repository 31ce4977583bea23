"""A timesheet moves along drawn edges only: what is approved stays so."""

from alembic import op

revision = "0086"
down_revision = "0085"

EDGES = {
    "open": ("submitted",),
    "submitted": ("returned", "approved"),
    "returned": ("submitted",),
}


def upgrade() -> None:
    edges = " OR ".join(
        f"OLD.state = '{state}' AND NEW.state IN ({', '.join(repr(each) for each in to)})"
        for state, to in EDGES.items()
    )
    op.execute(f"""
        CREATE FUNCTION keep_timesheet_moves() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {edges} THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'timesheet % is %, and does not become %', OLD.id, OLD.state, NEW.state
                USING ERRCODE = 'restrict_violation';
        END $$
    """)
    op.execute(
        "CREATE TRIGGER timesheets_move BEFORE UPDATE OF state ON timesheets FOR EACH ROW "
        "WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION keep_timesheet_moves()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER timesheets_move ON timesheets")
    op.execute("DROP FUNCTION keep_timesheet_moves()")
