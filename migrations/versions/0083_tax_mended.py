"""Tax: a form that waits for finance, the form a payment was made under, US days that are taken back, and
payments to the tax office that their bank lines book."""

import sqlalchemy as sa
from alembic import op

revision = "0083"
down_revision = "0082"

BEFORE = (
    "no_account", "not_ready", "below_minimum", "in_another_batch", "short_balance", "bank_changed",
    "negative_balance", "person_closed", "client_owes", "account_differs", "tax_form",
)  # fmt: skip
DAYS = "EXCLUDE USING gist (person_id WITH =, daterange(from_on, until_on, '[]') WITH &&)"
FROZEN = """
    CREATE TRIGGER payout_items_withheld_frozen BEFORE UPDATE ON payout_items FOR EACH ROW
    WHEN ((OLD.withheld, OLD.withheld_why, OLD.withheld_of{old})
        IS DISTINCT FROM (NEW.withheld, NEW.withheld_why, NEW.withheld_of{new}))
    EXECUTE FUNCTION refuse_frozen()
"""
KEEP = """
    CREATE OR REPLACE FUNCTION keep_tax_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_TABLE_NAME = 'tax_forms' AND to_jsonb(OLD) ->> 'state' IN ('accepted'{waiting})
            OR TG_TABLE_NAME = 'tax_b_notices' AND to_jsonb(OLD) ->> 'ended_at' IS NULL
            OR TG_TABLE_NAME = 'tax_thresholds' AND to_jsonb(OLD) ->> 'state' = 'made'
            OR TG_TABLE_NAME = 'tax_remittances' AND to_jsonb(OLD) ->> 'state' = 'prepared'
            {undone}
            OR TG_TABLE_NAME = 'tax_remittance_items' AND to_jsonb(OLD) ->> 'ended_at' IS NULL THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION '%: what was decided stays', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $$
"""
# A payment that was booked may only be taken back, with everything else as it was.
UNDONE = """
            OR TG_TABLE_NAME = 'tax_remittances' AND to_jsonb(OLD) ->> 'state' = 'booked'
            AND to_jsonb(NEW) ->> 'state' = 'cancelled' AND to_jsonb(OLD) - 'state' = to_jsonb(NEW) - 'state'
"""


def upgrade() -> None:
    op.add_column("payout_items", sa.Column("tax_form_id", sa.BigInteger, sa.ForeignKey("tax_forms.id")))
    op.execute("DROP TRIGGER payout_items_withheld_frozen ON payout_items")
    op.execute(FROZEN.format(old=", OLD.tax_form_id", new=", NEW.tax_form_id"))
    _blockers((*BEFORE, "tax_changed"))
    _forms("'accepted', 'refused', 'replaced', 'waiting'", "'accepted', 'waiting'")
    op.create_check_constraint("refused_by", "tax_forms", "state <> 'refused' OR decided_by IS NOT NULL")
    op.create_check_constraint("another", "tax_forms", "decided_by <> person_id")
    op.execute("CREATE UNIQUE INDEX uq_tax_forms_waiting ON tax_forms (person_id) WHERE state = 'waiting'")
    _days()
    op.alter_column("tax_remittances", "paid_on", new_column_name="until_on")
    _booked("CASE state WHEN 'booked' THEN 2 WHEN 'prepared' THEN 0")
    op.execute(KEEP.format(waiting=", 'waiting'", undone=UNDONE))


def _days() -> None:
    op.add_column("tax_us_work", sa.Column("withdrawn_at", sa.DateTime(timezone=True)))
    op.add_column("tax_us_work", sa.Column("changed_by", sa.BigInteger, sa.ForeignKey("people.id")))
    op.add_column("tax_us_work", sa.Column("change_reason", sa.Text))
    op.create_check_constraint(
        "changed",
        "tax_us_work",
        "num_nonnulls(changed_by, change_reason) IN (0, 2) AND changed_by <> person_id "
        "AND (withdrawn_at IS NULL OR changed_by IS NOT NULL)",
    )
    op.execute("GRANT UPDATE (withdrawn_at, changed_by, change_reason) ON tax_us_work TO marketplace_app")
    op.execute("ALTER TABLE tax_us_work DROP CONSTRAINT ex_tax_us_work_days")
    op.execute(
        f"ALTER TABLE tax_us_work ADD CONSTRAINT ex_tax_us_work_days {DAYS} WHERE (withdrawn_at IS NULL)"
    )


def _blockers(words: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_payout_items_blocker_word"), "payout_items", type_="check")
    op.create_check_constraint("blocker_word", "payout_items", f"blocker IN {words}")


def _forms(states: str, running: str) -> None:
    for name in ("state", "ended", "refused_by"):
        op.drop_constraint(op.f(f"ck_tax_forms_{name}"), "tax_forms", type_="check")
    op.create_check_constraint("state", "tax_forms", f"state IN ({states})")
    op.create_check_constraint("ended", "tax_forms", f"(state IN ({running})) = (ended_at IS NULL)")


def _booked(two: str) -> None:
    op.drop_constraint(op.f("ck_tax_remittances_booked"), "tax_remittances", type_="check")
    op.create_check_constraint(
        "booked",
        "tax_remittances",
        f"num_nonnulls(booked_by, booked_at) IN (0, 2) AND num_nonnulls(booked_by, booked_at) = {two} "
        "ELSE num_nonnulls(booked_by, booked_at) END",
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM payout_items WHERE tax_form_id IS NOT NULL OR blocker = 'tax_changed')
            OR EXISTS (SELECT FROM tax_forms WHERE state = 'waiting'
                OR decided_by IS NOT NULL AND state <> 'refused')
            OR EXISTS (SELECT FROM tax_us_work WHERE changed_by IS NOT NULL)
            OR EXISTS (SELECT FROM tax_remittances) THEN
            RAISE EXCEPTION 'what was paid under which form, and what was decided about tax, is kept';
        END IF; END $$
    """)
    op.execute(KEEP.format(waiting="", undone=""))
    op.drop_constraint(op.f("ck_tax_remittances_booked"), "tax_remittances", type_="check")
    op.create_check_constraint(
        "booked",
        "tax_remittances",
        "num_nonnulls(booked_by, booked_at) = CASE state WHEN 'booked' THEN 2 ELSE 0 END",
    )
    op.alter_column("tax_remittances", "until_on", new_column_name="paid_on")
    op.execute("ALTER TABLE tax_us_work DROP CONSTRAINT ex_tax_us_work_days")
    op.drop_constraint(op.f("ck_tax_us_work_changed"), "tax_us_work", type_="check")
    for column in ("change_reason", "changed_by", "withdrawn_at"):
        op.drop_column("tax_us_work", column)
    op.execute(f"ALTER TABLE tax_us_work ADD CONSTRAINT ex_tax_us_work_days {DAYS}")
    op.execute("DROP INDEX uq_tax_forms_waiting")
    op.drop_constraint(op.f("ck_tax_forms_another"), "tax_forms", type_="check")
    _forms("'accepted', 'refused', 'replaced'", "'accepted'")
    op.create_check_constraint("refused_by", "tax_forms", "(state = 'refused') = (decided_by IS NOT NULL)")
    _blockers(BEFORE)
    op.execute("DROP TRIGGER payout_items_withheld_frozen ON payout_items")
    op.execute(FROZEN.format(old="", new=""))
    op.drop_column("payout_items", "tax_form_id")
