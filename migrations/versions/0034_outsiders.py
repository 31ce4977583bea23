"""Invitations by mail to people who are not here yet, and who does not want any."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.create_table(
        "outside_invitations",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("public_id", sa.Uuid, unique=True, nullable=False),
        sa.Column("gig_id", sa.BigInteger, sa.ForeignKey("gigs.id"), nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, unique=True, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("invited_by", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_by", sa.BigInteger, sa.ForeignKey("people.id")),
        sa.UniqueConstraint("gig_id", "email"),
    )
    op.create_index("ix_outside_invitations_email", "outside_invitations", ["email"])
    op.create_table(
        "mail_refusals",
        sa.Column("address", sa.LargeBinary, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("mail_refusals")
    op.drop_table("outside_invitations")
