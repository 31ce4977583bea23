"""Statements and bank accounts can be set aside; which statements hold which lines."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

WHY = ("set_aside_at", "set_aside_by", "set_aside_reason")
STATES = ("accepted", "gap", "contradicts", "replaced")
LINE_STATES = ("imported", "proposed", "matched")


def upgrade() -> None:
    _contents()
    for table in ("bank_statements", "bank_accounts"):
        op.add_column(table, sa.Column("set_aside_at", sa.DateTime(timezone=True)))
        op.add_column(table, sa.Column("set_aside_by", sa.BigInteger, sa.ForeignKey("people.id")))
        op.add_column(table, sa.Column("set_aside_reason", sa.Text))
    op.add_column("bank_statements", sa.Column("set_aside_from", sa.Text))
    op.create_check_constraint("set_aside_from", "bank_statements", _one_of("set_aside_from", STATES))
    op.create_check_constraint("set_aside", "bank_accounts", _all_or_none(WHY))
    op.create_check_constraint("set_aside", "bank_statements", _all_or_none((*WHY, "set_aside_from")))
    op.create_check_constraint(
        "why_set_aside", "bank_statements", "(state = 'set_aside') = (set_aside_at IS NOT NULL)"
    )
    _states((*STATES, "set_aside"), (*LINE_STATES, "set_aside"))
    # A line that was set aside is no longer in the way of the same line from another file.
    op.drop_constraint(op.f("uq_statement_lines_bank_account_id_line_key"), "statement_lines")
    _standing_keys("state <> 'set_aside'")
    _waiting("state IN ('imported', 'proposed')")
    op.add_column(
        "statement_files", sa.Column("superseded", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.drop_constraint(op.f("uq_statement_files_sha256"), "statement_files")
    _once("NOT superseded")
    why = ", ".join(WHY)
    op.execute(f"GRANT UPDATE ({why}, set_aside_from) ON bank_statements TO marketplace_app")
    op.execute(f"GRANT UPDATE ({why}) ON bank_accounts TO marketplace_app")
    op.execute("GRANT UPDATE (superseded) ON statement_files TO marketplace_app")


def downgrade() -> None:
    """What was set aside cannot be told from what was replaced or not explained in the release before."""
    op.drop_constraint(op.f("ck_bank_statements_why_set_aside"), "bank_statements")
    op.execute("UPDATE bank_statements SET state = 'replaced' WHERE state = 'set_aside'")
    op.execute(
        """
        UPDATE statement_lines SET line_key = line_key || '!' || id, state = 'imported'
        WHERE state = 'set_aside'
        """
    )
    op.execute(
        """
        UPDATE statement_files SET sha256 = sha256(sha256 || CAST(CAST(id AS text) AS bytea))
        WHERE superseded
        """
    )
    op.drop_index("uq_statement_files_sha256", "statement_files")
    op.create_unique_constraint("uq_statement_files_sha256", "statement_files", ["sha256"])
    op.drop_column("statement_files", "superseded")
    op.drop_index("uq_statement_lines_standing", "statement_lines")
    op.create_unique_constraint(
        "uq_statement_lines_bank_account_id_line_key", "statement_lines", ["bank_account_id", "line_key"]
    )
    op.drop_index("ix_statement_lines_waiting", "statement_lines")
    for table, column in (("bank_statements", "set_aside_from"), *_columns()):
        op.drop_column(table, column)
    _states(STATES, LINE_STATES)
    _waiting("state <> 'matched'", drop=False)
    op.drop_table("statement_contents")


def _contents() -> None:
    op.create_table(
        "statement_contents",
        sa.Column("statement_id", sa.BigInteger, sa.ForeignKey("bank_statements.id"), primary_key=True),
        sa.Column(
            "line_id", sa.BigInteger, sa.ForeignKey("statement_lines.id"), primary_key=True, index=True
        ),
    )
    op.execute("INSERT INTO statement_contents SELECT statement_id, id FROM statement_lines")
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON statement_contents FROM marketplace_app")


def _columns() -> list[tuple[str, str]]:
    return [(table, column) for table in ("bank_statements", "bank_accounts") for column in WHY]


def _states(statements: tuple[str, ...], lines: tuple[str, ...]) -> None:
    for table, words in (("bank_statements", statements), ("statement_lines", lines)):
        op.drop_constraint(op.f(f"ck_{table}_state"), table)
        op.create_check_constraint("state", table, _one_of("state", words))


def _standing_keys(where: str) -> None:
    op.create_index(
        "uq_statement_lines_standing",
        "statement_lines",
        ["bank_account_id", "line_key"],
        unique=True,
        postgresql_where=sa.text(where),
    )


def _waiting(where: str, *, drop: bool = True) -> None:
    if drop:
        op.drop_index("ix_statement_lines_waiting", "statement_lines")
    op.create_index(
        "ix_statement_lines_waiting",
        "statement_lines",
        ["currency", "amount"],
        postgresql_where=sa.text(where),
    )


def _once(where: str) -> None:
    op.create_index(
        "uq_statement_files_sha256",
        "statement_files",
        ["sha256"],
        unique=True,
        postgresql_where=sa.text(where),
    )


def _one_of(column: str, words: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{word}'" for word in words)
    return f"{column} IN ({listed})"


def _all_or_none(columns: tuple[str, ...]) -> str:
    return f"num_nonnulls({', '.join(columns)}) IN (0, {len(columns)})"
