"""The key of a bank line holds its amount: a corrected file may say another one under the same reference."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute(
        """
        UPDATE statement_lines l SET line_key = amount || ':' || base || '#' || number FROM (
            SELECT id, base, row_number() OVER (
                PARTITION BY bank_account_id, base, amount ORDER BY counted
            ) AS number
            FROM (
                SELECT id, bank_account_id, amount, regexp_replace(line_key, '#[0-9]+$', '') AS base,
                    CAST(substring(line_key FROM '[0-9]+$') AS int) AS counted
                FROM statement_lines WHERE line_key LIKE 'ref:%'
            ) AS known
        ) AS renamed
        WHERE renamed.id = l.id
        """
    )


def downgrade() -> None:
    op.execute(
        """
        UPDATE statement_lines l SET line_key = base || '#' || number FROM (
            SELECT id, base, row_number() OVER (PARTITION BY bank_account_id, base ORDER BY id) AS number
            FROM (
                SELECT id, bank_account_id,
                    regexp_replace(regexp_replace(line_key, '#[0-9]+$', ''), '^-?[0-9]+:', '') AS base
                FROM statement_lines WHERE line_key NOT LIKE 'sha256:%'
            ) AS known
        ) AS renamed
        WHERE renamed.id = l.id
        """
    )
