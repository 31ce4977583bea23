"""Alembic's entry: runs on the connection that `marketplace db` opened as the owner of the schema."""

import sqlalchemy as sa
from alembic import context

from marketplace.db import NAMING

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    # Without models: only so that constraints of migrations get the names that the models give them.
    target_metadata=context.config.attributes.get("metadata") or sa.MetaData(naming_convention=NAMING),
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
