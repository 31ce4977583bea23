"""A gig is found by the name of its company too."""

from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    op.execute("""
        UPDATE gig_texts t SET words = t.words || setweight(to_tsvector('english', unaccent(o.name)), 'B')
        FROM gigs g JOIN projects p ON p.id = g.project_id JOIN organizations o ON o.id = p.organization_id
        WHERE g.id = t.gig_id
    """)
    op.execute("""
        INSERT INTO search_words (word)
        SELECT DISTINCT unnest(tsvector_to_array(to_tsvector('simple', unaccent(o.name))))
        FROM gig_texts t JOIN gigs g ON g.id = t.gig_id JOIN projects p ON p.id = g.project_id
        JOIN organizations o ON o.id = p.organization_id
        ON CONFLICT DO NOTHING
    """)


def downgrade() -> None:
    """The names stay: they do no harm, and a gig's words are written anew whenever it changes."""
