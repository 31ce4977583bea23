"""Find credentials by their number alone, as an import asks for thousands at once."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_index("ix_credentials_identifier_hash", "credentials", ["identifier_hash"])


def downgrade() -> None:
    op.drop_index("ix_credentials_identifier_hash", "credentials")
