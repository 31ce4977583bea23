"""The schema: brought to the newest migration, or back, on the owner's connection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from marketplace.embedded import ensure_roles

MIGRATIONS = Path(__file__).parent.parent / "migrations"
# One migration at a time, however many processes start at once.
LOCK = 0x6D61726B6574


def upgrade(owner_url: str, to: str = "head") -> None:
    """Bring the database to revision `to`. Safe to repeat, and to run from several processes."""
    _run(owner_url, lambda config: command.upgrade(config, to))


def downgrade(owner_url: str, to: str) -> None:
    """Take the database back to revision `to` (`base` empties it)."""
    _run(owner_url, lambda config: command.downgrade(config, to))


def _run(owner_url: str, move: Callable[[Config], None]) -> None:
    engine = sa.create_engine(owner_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
        ensure_roles(connection)
        connection.execute(sa.text("SET lock_timeout = '4s'"))
        connection.commit()
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        move(config)
        connection.commit()
