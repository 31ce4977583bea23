"""The schema: brought to the newest migration, or back, on the owner's connection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from marketplace.embedded import ServerError, ensure_roles

MIGRATIONS = Path(__file__).parent.parent / "migrations"
# One migration at a time, however many processes start at once.
LOCK = 0x6D61726B6574


def upgrade(owner_url: str, to: str = "head", *, app_password: str | None = None) -> None:
    """Bring the database to revision `to`. Safe to repeat, and to run from several processes.

    `app_password` is given to the application's role when the owner may set it. Raises ServerError when the
    database is newer than this code.
    """
    _run(owner_url, lambda config: command.upgrade(config, to), app_password)


def downgrade(owner_url: str, to: str) -> None:
    """Take the database back to revision `to` (`base` empties it)."""
    _run(owner_url, lambda config: command.downgrade(config, to))


def revisions(connection: sa.Connection) -> tuple[str | None, str | None]:
    """Where the database is, and the newest migration there is."""
    at = MigrationContext.configure(connection).get_current_revision()
    return at, ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _run(owner_url: str, move: Callable[[Config], None], app_password: str | None = None) -> None:
    engine = sa.create_engine(owner_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
        ensure_roles(connection, app_password)
        connection.execute(sa.text("SET lock_timeout = '4s'"))
        connection.commit()
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            move(config)
        except CommandError as error:
            raise ServerError(
                f"The database cannot be brought there: {error}. It may have been made by a newer version "
                "of the marketplace: update this one, or use another database."
            ) from error
        connection.commit()
