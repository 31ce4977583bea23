"""What the work is for that experts may refuse: said by gigs, refused by profiles, known to matching."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0024"
down_revision = "0023"

USES = (
    "automation", "general_models", "resale", "likeness", "persuasion", "surveillance", "weapons", "sexual",
    "unlimited",
)  # fmt: skip
KNOWN = "ARRAY[{}]".format(", ".join(f"'{use}'" for use in USES))
BEST = "ix_match_expert_domains_best"
INCLUDED = [
    "person_id", "min_rate", "hours_per_week", "country", "language_bits", "credential_bits", "counts_until",
    "skills",
]  # fmt: skip


def upgrade() -> None:
    # A gig that was published before has not answered, so those who refuse anything are not offered it.
    op.add_column("gigs", sa.Column("uses", ARRAY(sa.Text)))
    op.create_check_constraint("uses", "gigs", f"uses <@ {KNOWN}")
    for table in ("expert_profiles", "match_experts"):
        op.add_column(table, sa.Column("refusals", ARRAY(sa.Text), nullable=False, server_default="{}"))
    op.create_check_constraint("refusals", "expert_profiles", f"refusals <@ {KNOWN}")
    op.add_column("match_expert_domains", _bits("refusal_bits", "0"))
    op.add_column("match_gigs", _bits("use_bits", str((1 << len(USES)) - 1)))
    _index([*INCLUDED, "refusal_bits"])
    op.execute("UPDATE match_gigs SET facts = facts || '{\"uses\": null}'")


def downgrade() -> None:
    _index(INCLUDED)
    op.execute("UPDATE match_gigs SET facts = facts - 'uses'")
    op.drop_column("match_gigs", "use_bits")
    op.drop_column("match_expert_domains", "refusal_bits")
    for table in ("expert_profiles", "match_experts"):
        op.drop_column(table, "refusals")
    op.drop_column("gigs", "uses")


def _bits(name: str, default: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger, nullable=False, server_default=default)


def _index(included: list[str]) -> None:
    op.drop_index(BEST, "match_expert_domains")
    op.create_index(
        BEST,
        "match_expert_domains",
        ["currency", "domain", sa.text("base DESC")],
        postgresql_include=included,
    )
