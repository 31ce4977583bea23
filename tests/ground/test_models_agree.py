"""The models say what the migrations made: no table, column, type, key or index differs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import marketplace
from marketplace.db import Base, Word, engine
from marketplace.embedded import Server

# The job library's own tables have no models here.
FOREIGN = "procrastinate"
ELSEWHERE = ("mail.py", "storage.py", "contracts/gaps.py", "payments/pace.py", "payments/backfilling.py")
# That a project, its contracts and fundings share a currency is the database's to keep: a second key to the
# same table would leave every relationship to ask which of the two it goes by.
BESIDES = {"fk_contracts_project_currency", "fk_fundings_project_currency", "uq_projects_id_currency"}


def import_all_models() -> None:
    root = Path(marketplace.__file__).parent
    for file in [*root.rglob("models.py"), *(root / name for name in ELSEWHERE)]:
        import_module("marketplace." + ".".join(file.relative_to(root).with_suffix("").parts))


def test_models_and_migrations_agree(database: Server) -> None:
    import_all_models()
    with engine(database.owner_url).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": not_foreign}
        )
        found = [line(each) for each in compare_metadata(context, Base.metadata)]
    assert found == []


def not_foreign(_thing: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    # Partial and expression indexes live in the migration, where PostgreSQL's own words can be used.
    if kind == "table":
        return not (name or "").startswith(FOREIGN)
    return kind != "index" and name not in BESIDES


def line(difference: Any) -> str:
    return " ".join(str(getattr(part, "name", part)) for part in difference)


# Columns that hold only some words of their enumeration, on purpose.
# A dated fee that nobody accepts in time cannot be accepted any more; it does not change its state.
NARROWER = {
    "email_links.role", "bank_statements.set_aside_from", "fee_changes.state", "tax_rates.state",
    "tax_profiles.state", "exchange_rates.state", "revaluations.state",
}  # fmt: skip
CHECKS = sa.text("""
    SELECT t.relname || '.' || a.attname AS place, string_agg(pg_get_constraintdef(c.oid), ' ') AS text
    FROM pg_constraint c
    JOIN pg_class t ON t.oid = c.conrelid
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY(c.conkey)
    WHERE c.contype = 'c' GROUP BY 1
""")


def test_the_database_knows_every_word_of_an_enumeration(database: Server) -> None:
    """A state that a CHECK refuses would only be found by the first person to reach it."""
    import_all_models()
    with engine(database.owner_url).connect() as connection:
        checks = {row.place: row.text for row in connection.execute(CHECKS)}
    missing = [
        f"{table.name}.{column.name}: {word}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Word) and f"{table.name}.{column.name}" not in NARROWER
        for word in column.type.words
        if f"'{word.value}'" not in checks.get(f"{table.name}.{column.name}", "")
    ]
    assert missing == []
