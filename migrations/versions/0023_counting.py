"""Those who fit are counted: a bit of its own for each language, and experts by their time zone."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_index("ix_match_experts_time_zone", "match_experts", ["time_zone", "person_id"])
    _make_copies_anew()


def downgrade() -> None:
    op.drop_index("ix_match_experts_time_zone", "match_experts")
    _make_copies_anew()


def _make_copies_anew() -> None:
    """The worker writes the bits of each expert and gig again, as the release that runs it knows them."""
    op.execute("""
        INSERT INTO procrastinate_jobs (queue_name, task_name, args)
        SELECT 'present', 'gigs.rebuild_projections', '{}' WHERE EXISTS (SELECT FROM expert_profiles)
    """)
