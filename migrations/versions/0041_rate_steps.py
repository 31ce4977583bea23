"""The index of experts by market, in steps of their rates, with their skills as bits; and a sample of it."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"

# The least of each step, as it was when this was written.
LEAST = (0, *(round(3_000 * 2 ** (step / 4)) for step in range(34)))
NEW = {"rate_step": sa.SmallInteger, "skill_bits": sa.BigInteger, "market": sa.BigInteger}
INDEX = """
    CREATE INDEX ix_match_expert_domains_{name} ON match_expert_domains (market, rate_step, strength DESC)
    INCLUDE (person_id, record, promptness, min_rate, hours_per_week, skill_bits, language_bits,
        credential_bits, counts_until, refusal_bits, country, skills) {which}
"""
INDEX_BEFORE = """
    CREATE INDEX ix_match_expert_domains_best ON match_expert_domains (currency, domain, strength DESC)
    INCLUDE (person_id, record, promptness, min_rate, hours_per_week, country, language_bits,
        credential_bits, counts_until, skills, refusal_bits)
"""


def upgrade() -> None:
    op.drop_index("ix_match_expert_domains_best", "match_expert_domains")
    for name, kind in NEW.items():
        op.add_column("match_expert_domains", sa.Column(name, kind, nullable=False, server_default="0"))
    op.execute(f"""
        UPDATE match_expert_domains SET rate_step = width_bucket(min_rate, ARRAY{list(LEAST)}::bigint[]) - 1,
            market = ('x' || left(encode(sha256(convert_to(currency || ' ' || domain, 'UTF8')), 'hex'), 16))
                ::bit(64)::bigint,
            skill_bits = (SELECT coalesce(bit_or(1::bigint << n % 63), 0) FROM unnest(skills) AS n)
    """)  # noqa: S608 (numbers of our own)
    for name in NEW:
        op.alter_column("match_expert_domains", name, server_default=None)
    op.execute(INDEX.format(name="best", which=""))
    op.execute(INDEX.format(name="sample", which="WHERE person_id % 32 = 0"))


def downgrade() -> None:
    op.drop_index("ix_match_expert_domains_sample", "match_expert_domains")
    op.drop_index("ix_match_expert_domains_best", "match_expert_domains")
    for name in NEW:
        op.drop_column("match_expert_domains", name)
    op.execute(INDEX_BEFORE)
