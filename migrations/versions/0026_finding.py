"""Words of gigs to be searched, and when matching's copies of gigs changed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.create_table(
        "gig_texts",
        sa.Column("gig_id", sa.BigInteger, sa.ForeignKey("gigs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("words", TSVECTOR, nullable=False),
    )
    op.create_index("ix_gig_texts_words", "gig_texts", ["words"], postgresql_using="gin")
    op.create_table("search_words", sa.Column("word", sa.Text(collation="C"), primary_key=True))
    op.create_index(
        "ix_search_words_alike",
        "search_words",
        ["word"],
        postgresql_using="gin",
        postgresql_ops={"word": "gin_trgm_ops"},
    )
    op.add_column(
        "match_gigs",
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.clock_timestamp(),
        ),
    )
    op.create_index("ix_match_gigs_changed_at", "match_gigs", ["changed_at"])
    # The words of gigs that are there already are written by the worker.
    op.execute("""
        INSERT INTO procrastinate_jobs (queue_name, task_name, args)
        SELECT 'present', 'gigs.rebuild_projections', '{}' WHERE EXISTS (SELECT FROM gigs)
    """)


def downgrade() -> None:
    op.drop_column("match_gigs", "changed_at")
    op.drop_table("search_words")
    op.drop_table("gig_texts")
