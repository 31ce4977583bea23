"""The rules of matching as data: the weights, the tree of domains, and what was ever changed in them.

What depends on the expert alone is kept unweighted, so that new weights change no copy.
"""

import sqlalchemy as sa
from alembic import op

from marketplace.matching import tree

revision = "0035"
down_revision = "0034"

UNWEIGHTED = """
    UPDATE match_expert_domains r SET record = told.record, promptness = told.promptness,
        strength = 3 * told.record + 2 * told.promptness
    FROM (
        SELECT person_id, coalesce(record, 50) AS record,
            CASE WHEN response_hours IS NULL THEN 36 ELSE 72 - least(greatest(response_hours - 24, 0), 72) END
                AS promptness
        FROM match_experts
    ) AS told WHERE told.person_id = r.person_id
"""
BEST = """
    CREATE INDEX ix_match_expert_domains_best ON match_expert_domains (currency, domain, {order} DESC)
    INCLUDE (person_id, {own}min_rate, hours_per_week, country, language_bits, credential_bits,
        counts_until, skills, refusal_bits)
"""


def upgrade() -> None:
    _domains()
    _rules()
    op.create_foreign_key("fk_gigs_domain_match_domains", "gigs", "match_domains", ["domain"], ["code"])
    op.drop_index("ix_match_expert_domains_best", "match_expert_domains")
    for name in ("strength", "record", "promptness"):
        op.add_column(
            "match_expert_domains", sa.Column(name, sa.SmallInteger, nullable=False, server_default="0")
        )
    op.execute(UNWEIGHTED)
    for name in ("strength", "record", "promptness"):
        op.alter_column("match_expert_domains", name, server_default=None)
    op.drop_column("match_expert_domains", "base")
    op.execute(BEST.format(order="strength", own="record, promptness, "))


def downgrade() -> None:
    op.drop_index("ix_match_expert_domains_best", "match_expert_domains")
    op.add_column(
        "match_expert_domains", sa.Column("base", sa.SmallInteger, nullable=False, server_default="0")
    )
    op.execute("UPDATE match_expert_domains SET base = 10 * record / 100 + 5 * promptness / 72")
    op.alter_column("match_expert_domains", "base", server_default=None)
    for name in ("strength", "record", "promptness"):
        op.drop_column("match_expert_domains", name)
    op.execute(BEST.format(order="base", own=""))
    op.drop_constraint("fk_gigs_domain_match_domains", "gigs")
    op.drop_table("match_rules")
    op.drop_table("match_domains")


def _domains() -> None:
    table = op.create_table(
        "match_domains",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("code", sa.Text, nullable=False, unique=True),
        sa.Column("parent", sa.Text),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("parent_level", sa.SmallInteger),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("isco", sa.Text, nullable=False, server_default=""),
        sa.Column("p25", sa.Integer),
        sa.Column("median", sa.Integer),
        sa.Column("p75", sa.Integer),
        sa.Column("offered", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.UniqueConstraint("code", "level", name="uq_match_domains_code_level"),
        sa.ForeignKeyConstraint(
            ["parent", "parent_level"],
            ["match_domains.code", "match_domains.level"],
            name="fk_match_domains_parent_parent_level_match_domains",
        ),
        sa.CheckConstraint("code ~ '^[a-z0-9][a-z0-9.-]{0,79}$'", name="code"),
        sa.CheckConstraint("level BETWEEN 1 AND 4", name="level"),
        sa.CheckConstraint("(level = 1) = (parent IS NULL)", name="only_groups_have_no_parent"),
        sa.CheckConstraint("(parent IS NULL) = (parent_level IS NULL)", name="parent_level"),
        sa.CheckConstraint("parent_level < level", name="parent_is_higher"),
        sa.CheckConstraint("p25 > 0 AND p25 <= median AND median <= p75", name="wage"),
    )
    op.create_index("uq_match_domains_title", "match_domains", [sa.text("lower(title)")], unique=True)
    shipped = tree.shipped().domains
    assert table is not None
    op.bulk_insert(
        table,
        [
            {
                "code": each.code,
                "parent": each.parent,
                "level": each.level.value,
                "parent_level": shipped[each.parent].level.value if each.parent else None,
                "title": each.title,
                "isco": each.isco,
                "p25": each.wage and each.wage.p25,
                "median": each.wage and each.wage.median,
                "p75": each.wage and each.wage.p75,
            }
            for each in shipped.values()
        ],
    )
    # What was ever chosen keeps its meaning.
    op.execute("REVOKE DELETE, TRUNCATE ON match_domains FROM marketplace_app")


def _rules() -> None:
    weights = ("domain", "rate", "skills", "availability", "record", "response")
    op.create_table(
        "match_rules",
        sa.Column("public_id", sa.Uuid, unique=True, nullable=False),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.SmallInteger, nullable=False) for name in weights),
        sa.Column("changed", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, sa.ForeignKey("match_domains.code")),
        sa.Column("was", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("set_by", sa.BigInteger),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(" AND ".join(f"{name} >= 0" for name in weights), name="weights"),
        sa.CheckConstraint(f"{' + '.join(weights)} = 100", name="hundred"),
        sa.CheckConstraint("version > 0", name="version"),
        sa.CheckConstraint(
            "changed IN ('shipped', 'weights', 'added', 'renamed', 'moved', 'withdrawn', 'offered')",
            name="changed",
        ),
        sa.CheckConstraint(
            "(subject IS NULL) = (changed IN ('shipped', 'weights'))", name="subject_of_domains"
        ),
    )
    op.execute("""
        INSERT INTO match_rules (public_id, version, domain, rate, skills, availability, record, response,
            changed, reason, set_at)
        VALUES (gen_random_uuid(), 1, 30, 25, 15, 15, 10, 5, 'shipped', '', now())
    """)
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON match_rules FROM marketplace_app")
    op.execute("""
        CREATE TRIGGER match_rules_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON match_rules
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """)
