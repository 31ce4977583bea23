"""Links by which those who were brought in from a file take over what is theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"

TABLE = "email_links"
PURPOSES = "purpose IN ('verify', 'reset', 'invite'{more})"
BEFORE = """CASE WHEN purpose = 'invite'
    THEN num_nulls(organization_id, role, invited_by) = 0 AND sign_in_id IS NULL
    ELSE num_nulls(organization_id, role, invited_by) = 3 AND sign_in_id IS NOT NULL END"""
AFTER = """CASE purpose
    WHEN 'invite' THEN num_nulls(organization_id, role, invited_by) = 0 AND num_nulls(sign_in_id, person_id) = 2
    WHEN 'claim' THEN num_nulls(organization_id, role, invited_by, sign_in_id) = 4 AND person_id IS NOT NULL
    ELSE num_nulls(organization_id, role, invited_by, person_id) = 4 AND sign_in_id IS NOT NULL END"""


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id")))
    op.create_index("ix_email_links_person_id", TABLE, ["person_id"])
    _check(PURPOSES.format(more=", 'claim'"), AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM email_links WHERE purpose = 'claim'")
    _check(PURPOSES.format(more=""), BEFORE)
    op.drop_index("ix_email_links_person_id", TABLE)
    op.drop_column(TABLE, "person_id")


def _check(purposes: str, names: str) -> None:
    for name, rule in (("purpose", purposes), ("invitation", names)):
        op.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT ck_{TABLE}_{name}")
        op.execute(f"ALTER TABLE {TABLE} ADD CONSTRAINT ck_{TABLE}_{name} CHECK ({rule})")
