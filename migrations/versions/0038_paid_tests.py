"""Paid tests with a rubric: written by clients, asked for by gigs, taken on a small contract, graded."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from marketplace.embedded import ServerError

revision = "0038"
down_revision = "0037"

moment = sa.DateTime(timezone=True)
STATEMENTS = "ck_statements_of_reasons_decision"
DECISIONS = (
    "rejected", "declined", "returned", "withheld", "suspended", "revoked", "ended", "removed",
)  # fmt: skip

# Who passed has passed the same as everybody else: once a test was taken up, nothing in it changes.
STAYS = """
CREATE FUNCTION test_stays_as_it_is() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM qualification_tests
        WHERE id = coalesce(NEW.test_id, OLD.test_id) AND fixed_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'a test that somebody was asked to take stays as it is'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$
"""

# As with a gig that is taken down: nobody fails without being told why, by whom, and how to appeal.
WITH_REASONS = """
CREATE FUNCTION sittings_failed_with_reasons() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM statements_of_reasons s LEFT JOIN appeals a ON a.statement_id = s.id
        WHERE s.subject_kind = 'sitting' AND s.subject_id = NEW.public_id AND s.decision = 'not_passed'
            AND a.outcome IS DISTINCT FROM 'upheld'
    ) THEN
        RAISE EXCEPTION 'a test is failed only with a statement of reasons'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "qualification_tests",
        *keys(),
        reference("organization_id", "organizations.id"),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("introduction", sa.Text, nullable=False),
        sa.Column("minutes", sa.SmallInteger, nullable=False),
        sa.Column("pass_points", sa.SmallInteger, nullable=False),
        reference("created_by", "people.id"),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("fixed_at", moment),
        sa.Column("retired_at", moment),
        sa.CheckConstraint("minutes BETWEEN 5 AND 240", name="minutes"),
        sa.CheckConstraint("pass_points > 0", name="pass_points"),
    )
    op.create_index("ix_qualification_tests_organization_id", "qualification_tests", ["organization_id"])
    for table, column in (("test_questions", None), ("rubric_lines", "points")):
        op.create_table(
            table,
            sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
            reference("test_id", "qualification_tests.id"),
            sa.Column("position", sa.SmallInteger, nullable=False),
            sa.Column("text", sa.Text, nullable=False),
            *([sa.Column(column, sa.SmallInteger, nullable=False)] if column else []),
            sa.UniqueConstraint("test_id", "position"),
            *([sa.CheckConstraint("points BETWEEN 1 AND 100", name="points")] if column else []),
        )
    op.execute(STAYS)
    for table in ("test_questions", "rubric_lines"):
        op.execute(f"""
            CREATE TRIGGER {table}_stay BEFORE INSERT OR UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION test_stays_as_it_is()
        """)
    for table in ("gigs", "offers", "contracts"):
        op.add_column(table, sa.Column("test_id", sa.BigInteger, sa.ForeignKey("qualification_tests.id")))
        op.create_index(f"ix_{table}_test_id", table, ["test_id"], postgresql_where="test_id IS NOT NULL")
    op.create_table(
        "sittings",
        *keys(),
        reference("contract_id", "contracts.id", unique=True),
        reference("test_id", "qualification_tests.id"),
        reference("person_id", "people.id"),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("requirements", JSONB, nullable=False),
        sa.Column("begun_at", moment, nullable=False),
        sa.Column("ends_at", moment, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("handed_in_at", moment),
        sa.Column("grade_by", moment),
        reference("graded_by", "people.id", nullable=True),
        sa.Column("graded_at", moment),
        sa.Column("points", sa.SmallInteger),
        sa.CheckConstraint("state IN ('begun', 'handed_in', 'passed', 'failed')", name="state"),
        sa.CheckConstraint("(state = 'begun') = (handed_in_at IS NULL)", name="handed_in"),
        sa.CheckConstraint("(handed_in_at IS NULL) = (grade_by IS NULL)", name="grade_by"),
        sa.CheckConstraint(
            "(state IN ('passed', 'failed')) = (graded_at IS NOT NULL) "
            "AND (graded_at IS NULL) = (points IS NULL) AND (graded_at IS NULL) = (graded_by IS NULL)",
            name="graded",
        ),
        sa.CheckConstraint("graded_by <> person_id", name="graded_by_another"),
    )
    op.create_index("ix_sittings_person_id", "sittings", ["person_id", "test_id"])
    op.create_index("ix_sittings_test_id", "sittings", ["test_id", "state"])
    op.create_index("ix_sittings_begun", "sittings", ["ends_at"], postgresql_where="state = 'begun'")
    op.create_table(
        "sitting_answers",
        reference("sitting_id", "sittings.id", primary_key=True),
        reference("question_id", "test_questions.id", primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "sitting_grades",
        reference("sitting_id", "sittings.id", primary_key=True),
        reference("rubric_line_id", "rubric_lines.id", primary_key=True),
        sa.Column("points", sa.SmallInteger, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.CheckConstraint("points >= 0", name="points"),
    )
    op.create_table(
        "graders",
        reference("test_id", "qualification_tests.id", primary_key=True),
        reference("person_id", "people.id", primary_key=True),
        reference("chosen_by", "people.id"),
        sa.Column("chosen_at", moment, nullable=False),
    )
    op.create_index("ix_graders_person_id", "graders", ["person_id"])
    decide((*DECISIONS, "not_passed"))
    op.execute(WITH_REASONS)
    op.execute("""
        CREATE TRIGGER sittings_failed_with_reasons BEFORE INSERT OR UPDATE OF state ON sittings
        FOR EACH ROW WHEN (NEW.state = 'failed') EXECUTE FUNCTION sittings_failed_with_reasons()
    """)


def downgrade() -> None:
    refuse_while_taken()
    # Without its test an offer would read like one of work, which its application could not become.
    op.execute(
        "UPDATE offers SET state = 'withdrawn', decided_at = now() WHERE test_id IS NOT NULL AND state = 'made'"
    )
    # Statements are never changed or removed: those about tests stay, and only new ones are refused.
    decide(DECISIONS, "NOT VALID")
    for table in ("graders", "sitting_grades", "sitting_answers", "sittings"):
        op.drop_table(table)
    for table in ("gigs", "offers", "contracts"):
        op.drop_column(table, "test_id")
    for table in ("rubric_lines", "test_questions", "qualification_tests"):
        op.drop_table(table)
    op.execute("DROP FUNCTION test_stays_as_it_is")
    op.execute("DROP FUNCTION sittings_failed_with_reasons")


def refuse_while_taken() -> None:
    """The release before knows no tests: it could neither hand them in nor end their contracts."""
    op.execute("LOCK TABLE offers, sittings IN SHARE ROW EXCLUSIVE MODE")
    taken = op.get_bind().scalar(sa.text("SELECT count(*) FROM sittings WHERE state = 'begun'"))
    if taken:
        raise ServerError(
            f"Experts are taking paid tests ({taken}), and the release before could not end their contracts. "
            "Nothing of revision 0038 was taken back. Each test ends by itself within four hours, as long as "
            "the jobs run: then go back."
        )


def keys() -> tuple[sa.Column, sa.Column]:
    return (
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, nullable=False, unique=True),
    )


def reference(name: str, to: str, *, nullable: bool = False, **options: bool) -> sa.Column:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(to), nullable=nullable, **options)


def decide(words: tuple[str, ...], how: str = "") -> None:
    known = ", ".join(f"'{word}'" for word in words)
    op.execute(f"ALTER TABLE statements_of_reasons DROP CONSTRAINT {STATEMENTS}")
    op.execute(
        f"ALTER TABLE statements_of_reasons ADD CONSTRAINT {STATEMENTS} CHECK (decision IN ({known})) {how}"
    )
