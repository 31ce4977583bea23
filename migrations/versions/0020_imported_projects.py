"""Projects that were imported, which nobody here started."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.alter_column("projects", "created_by", nullable=True)


def downgrade() -> None:
    op.alter_column("projects", "created_by", nullable=False)
