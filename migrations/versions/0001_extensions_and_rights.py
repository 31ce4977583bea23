"""Extensions and rights."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
