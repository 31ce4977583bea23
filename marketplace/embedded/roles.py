"""The two roles: one owns the tables and migrates, the other is what the application may do."""

from __future__ import annotations

from typing import cast

import psycopg
import sqlalchemy as sa
from psycopg import sql

from marketplace.embedded.errors import ServerError

OWNER_ROLE = "marketplace_owner"
APP_ROLE = "marketplace_app"
APP_TIMEOUTS = {
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
}


def ensure_roles(connection: sa.Connection, app_password: str | None = None) -> None:
    """Make the application's role with its time-outs, or bring it up to date; safe to repeat.

    Joins the transaction of `connection`, which is the owner's or an administrator's. `app_password` is set
    when given. Raises ServerError when the role is missing and may not be made by this connection.
    """
    exists = _exists(connection, APP_ROLE)
    try:
        with connection.begin_nested():
            _make_login(connection, APP_ROLE, app_password, exists)
            for name, value in APP_TIMEOUTS.items():
                setting = sql.SQL("ALTER ROLE {} SET {} = {}")
                _run(
                    connection,
                    setting.format(sql.Identifier(APP_ROLE), sql.Identifier(name), sql.Literal(value)),
                )
    except psycopg.errors.InsufficientPrivilege:
        if not exists:
            raise ServerError(
                f"The role {APP_ROLE} is missing and the owner's address may not make it. "
                f"Let an administrator run: CREATE ROLE {APP_ROLE} LOGIN PASSWORD '…'; then repeat."
            ) from None


def ensure_owner(connection: sa.Connection, password: str) -> None:
    """Make the owner of the private server's databases: no superuser, but tests let it make databases."""
    _make_login(connection, OWNER_ROLE, password, _exists(connection, OWNER_ROLE))
    owner = sql.Identifier(OWNER_ROLE)
    _run(connection, sql.SQL("ALTER ROLE {} CREATEDB").format(owner))
    # Whoever drops a database has to disconnect the application's sessions in it first.
    _run(connection, sql.SQL("GRANT pg_signal_backend TO {}").format(owner))
    # The bench lets what it loaded be written out before it measures.
    _run(connection, sql.SQL("GRANT pg_checkpoint TO {}").format(owner))


def has_timeouts(connection: sa.Connection) -> bool:
    """Whether the application's role carries every time-out, on a server where others may set them."""
    query = sa.text("SELECT rolconfig FROM pg_roles WHERE rolname = :name")
    config = connection.scalar(query, {"name": APP_ROLE}) or []
    return set(APP_TIMEOUTS) <= {line.partition("=")[0] for line in config}


def _exists(connection: sa.Connection, role: str) -> bool:
    query = sa.text("SELECT 1 FROM pg_roles WHERE rolname = :name")
    return connection.scalar(query, {"name": role}) is not None


def _make_login(connection: sa.Connection, role: str, password: str | None, exists: bool) -> None:
    verb = sql.SQL("ALTER" if exists else "CREATE")
    rights = sql.SQL("LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS")
    if exists:
        # Repeating the attributes would need rights over roles that an owner seldom has.
        rights = sql.SQL("LOGIN")
    _run(connection, sql.SQL("{} ROLE {} {}").format(verb, sql.Identifier(role), rights))
    if password is not None:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        _run(connection, statement.format(sql.Identifier(role), sql.Literal(password)))


def _run(connection: sa.Connection, statement: sql.Composed) -> None:
    """Roles take no bound parameters, so psycopg quotes the parts; same transaction as `connection`."""
    cast(psycopg.Connection, connection.connection.driver_connection).execute(statement)
