"""Skills that are another by a second name, which no chain makes hard to follow; and look-up despite typos."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"

REFUSE_CHAINS = """
CREATE FUNCTION match_skill_aliases_no_chains() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM match_skill_aliases WHERE name = NEW.stands_for OR stands_for = NEW.name
    ) THEN
        RAISE EXCEPTION 'an alias stands for a skill, not for another alias'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "match_skill_aliases",
        sa.Column("public_id", sa.Uuid, unique=True, nullable=False),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("stands_for", sa.Text, nullable=False),
        sa.Column("set_by", sa.BigInteger, nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("name <> stands_for", name="of_another"),
    )
    op.create_index("ix_match_skill_aliases_stands_for", "match_skill_aliases", ["stands_for"])
    op.execute(REFUSE_CHAINS)
    op.execute("""
        CREATE TRIGGER match_skill_aliases_no_chains BEFORE INSERT OR UPDATE ON match_skill_aliases
        FOR EACH ROW EXECUTE FUNCTION match_skill_aliases_no_chains()
    """)
    op.create_index(
        "ix_match_skills_alike", "match_skills", ["name"],
        postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"},
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_match_skills_alike", "match_skills")
    op.drop_table("match_skill_aliases")
    op.execute("DROP FUNCTION match_skill_aliases_no_chains")
