"""An operator may take a gig down, and only with a statement of reasons that no appeal has undone."""

from alembic import op

revision = "0031"
down_revision = "0030"

GIGS, STATEMENTS = "ck_gigs_state", "ck_statements_of_reasons_decision"
DECISIONS = "'rejected', 'declined', 'returned', 'withheld', 'suspended', 'revoked', 'ended'"
STATES = "'draft', 'published', 'paused', 'closed'"

REQUIRE = """
CREATE FUNCTION gigs_removed_with_reasons() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM statements_of_reasons s LEFT JOIN appeals a ON a.statement_id = s.id
        WHERE s.subject_kind = 'gig' AND s.subject_id = NEW.public_id AND s.decision = 'removed'
            AND a.outcome IS DISTINCT FROM 'upheld'
    ) THEN
        RAISE EXCEPTION 'a gig is taken down only with a statement of reasons'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    _limit(f"{STATES}, 'removed'", f"{DECISIONS}, 'removed'")
    op.execute(REQUIRE)
    op.execute("""
        CREATE TRIGGER gigs_removed_with_reasons BEFORE INSERT OR UPDATE OF state ON gigs
        FOR EACH ROW WHEN (NEW.state = 'removed') EXECUTE FUNCTION gigs_removed_with_reasons()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER gigs_removed_with_reasons ON gigs")
    op.execute("DROP FUNCTION gigs_removed_with_reasons")
    op.execute("UPDATE gigs SET state = 'closed' WHERE state = 'removed'")
    # Statements are never changed or removed: those about gigs stay, and only new ones are refused.
    _limit(STATES, DECISIONS, "NOT VALID")


def _limit(states: str, decisions: str, how: str = "") -> None:
    op.execute(f"ALTER TABLE gigs DROP CONSTRAINT {GIGS}")
    op.execute(f"ALTER TABLE gigs ADD CONSTRAINT {GIGS} CHECK (state IN ({states}))")
    op.execute(f"ALTER TABLE statements_of_reasons DROP CONSTRAINT {STATEMENTS}")
    op.execute(
        f"ALTER TABLE statements_of_reasons ADD CONSTRAINT {STATEMENTS} CHECK (decision IN ({decisions})) {how}"
    )
