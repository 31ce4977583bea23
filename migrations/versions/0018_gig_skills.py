"""Skills that a gig asks for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("gigs", sa.Column("skills", ARRAY(sa.Text), nullable=False, server_default="{}"))
    op.alter_column("gigs", "skills", server_default=None)


def downgrade() -> None:
    op.drop_column("gigs", "skills")
