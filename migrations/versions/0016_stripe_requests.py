"""What Stripe is asked to make, frozen before it is asked, so that asking again never asks for something else."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "stripe_requests",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("asked", JSONB),
        sa.Column("answer", sa.Text),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        # Names and addresses are kept no longer than until Stripe has answered.
        sa.CheckConstraint("(asked IS NULL) = (answer IS NOT NULL)", name="asked_until_answered"),
    )
    op.execute("""
        CREATE TRIGGER stripe_requests_frozen BEFORE UPDATE ON stripe_requests FOR EACH ROW
        WHEN (OLD.subject <> NEW.subject OR OLD.key <> NEW.key OR OLD.answer IS NOT NULL
            OR (NEW.asked IS NOT NULL AND OLD.asked IS DISTINCT FROM NEW.asked))
        EXECUTE FUNCTION refuse_frozen()
    """)
    op.execute("REVOKE TRUNCATE ON stripe_requests FROM marketplace_app")


def downgrade() -> None:
    op.drop_table("stripe_requests")
