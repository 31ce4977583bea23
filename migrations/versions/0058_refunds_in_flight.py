"""Released refunds are in flight, refused ones are decided by two, and what was decided stays."""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"

moment = sa.DateTime(timezone=True)
STATES = (
    "prepared", "released", "sending", "unknown", "sent", "arrived", "refused", "cancelled", "owed", "paid_out",
)  # fmt: skip
BEFORE = ("prepared", "released", "sending", "unknown", "sent", "arrived", "owed", "paid_out")
MOVES = {
    "prepared": ("released", "owed", "cancelled"),
    "released": ("sending", "sent"),
    "sending": ("sent", "unknown", "owed", "refused", "released"),
    "unknown": ("sent", "owed", "refused", "released"),
    "refused": ("sent", "owed", "cancelled"),
    "sent": ("arrived", "owed"),
    "arrived": ("owed",),
    "owed": ("paid_out",),
}
NEW = (
    "instructions_email", "way_out", "way_out_reason", "way_out_by", "way_out_at", "way_out_second",
    "way_out_second_at",
)  # fmt: skip


def upgrade() -> None:
    # Their money lies in the project's funds, where from now on it would be looked for in flight.
    op.execute("""
        DO $$ BEGIN IF EXISTS (SELECT FROM refunds WHERE state IN ('released', 'sending', 'unknown')) THEN
            RAISE EXCEPTION 'refunds are on their way: let them arrive with the version before, then upgrade';
        END IF; END $$
    """)
    op.add_column("refunds", sa.Column("instructions_email", sa.Text))
    op.add_column("refunds", sa.Column("way_out", sa.Text))
    op.add_column("refunds", sa.Column("way_out_reason", sa.Text))
    op.add_column("refunds", sa.Column("way_out_by", sa.BigInteger, sa.ForeignKey("people.id")))
    op.add_column("refunds", sa.Column("way_out_at", moment))
    op.add_column("refunds", sa.Column("way_out_second", sa.BigInteger, sa.ForeignKey("people.id")))
    op.add_column("refunds", sa.Column("way_out_second_at", moment))
    op.execute(f"GRANT UPDATE ({', '.join(NEW)}) ON refunds TO marketplace_app")
    _state(STATES)
    _released("state IN ('prepared', 'cancelled') OR released_by IS NOT NULL")
    op.create_check_constraint("way_out", "refunds", "way_out IN ('funds', 'by_hand')")
    op.create_check_constraint(
        "way_out_chosen", "refunds", "num_nonnulls(way_out, way_out_reason, way_out_by, way_out_at) IN (0, 4)"
    )
    op.create_check_constraint(
        "way_out_two",
        "refunds",
        "way_out_second <> way_out_by AND (way_out_second IS NULL) = (way_out_second_at IS NULL)",
    )
    _keep_lots("AND state <> 'cancelled'")
    _keep_refunds()


def _state(states: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_refunds_state"), "refunds", type_="check")
    op.create_check_constraint("state", "refunds", f"state IN {states}")


def _released(rule: str) -> None:
    op.drop_constraint(op.f("ck_refunds_released"), "refunds", type_="check")
    op.create_check_constraint("released", "refunds", rule)


def _keep_lots(counts: str) -> None:
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION keep_lots() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            brought bigint;
        BEGIN
            SELECT net INTO brought FROM fundings
            WHERE id = NEW.funding_id AND project_id = NEW.project_id FOR NO KEY UPDATE;
            IF brought IS NULL OR NEW.amount + (
                SELECT coalesce(sum(amount), 0) FROM refunds WHERE funding_id = NEW.funding_id {counts}
            ) > brought THEN
                RAISE EXCEPTION 'more would go back than lot % brought', NEW.funding_id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """  # noqa: S608 (a condition of our own)
    )


def _keep_refunds() -> None:
    """What is asked for never changes; releases, Stripe's id and confirmations stay; states follow MOVES; what
    is done changes only when a bank sends it back."""
    moves = ", ".join(f"('{before}', '{after}')" for before in MOVES for after in MOVES[before])
    op.execute(
        f"""
        CREATE FUNCTION keep_refunds() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            released boolean := OLD.state <> 'prepared';
            broken text;
        BEGIN
            IF TG_OP = 'DELETE' THEN
                broken := 'it is kept';
            ELSIF (OLD.id, OLD.public_id, OLD.project_id, OLD.funding_id, OLD.amount, OLD.currency,
                    OLD.asked_by, OLD.prepared_at)
                IS DISTINCT FROM (NEW.id, NEW.public_id, NEW.project_id, NEW.funding_id, NEW.amount,
                    NEW.currency, NEW.asked_by, NEW.prepared_at) THEN
                broken := 'what was prepared stays';
            ELSIF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN ({moves}) THEN
                broken := 'from ' || OLD.state || ' it does not become ' || NEW.state;
            ELSIF (released OR OLD.released_by IS NOT NULL)
                    AND (OLD.released_by, OLD.released_at) IS DISTINCT FROM (NEW.released_by, NEW.released_at)
                OR (released OR OLD.second_by IS NOT NULL)
                    AND (OLD.second_by, OLD.second_at) IS DISTINCT FROM (NEW.second_by, NEW.second_at)
                OR released AND OLD.instructions_email IS DISTINCT FROM NEW.instructions_email THEN
                broken := 'who released it, and to whom, stays';
            ELSIF OLD.stripe_id IS NOT NULL AND OLD.stripe_id IS DISTINCT FROM NEW.stripe_id THEN
                broken := 'what it is at Stripe stays';
            ELSIF OLD.state <> 'refused' AND
                (OLD.way_out, OLD.way_out_reason, OLD.way_out_by, OLD.way_out_at, OLD.way_out_second,
                    OLD.way_out_second_at)
                IS DISTINCT FROM (NEW.way_out, NEW.way_out_reason, NEW.way_out_by, NEW.way_out_at,
                    NEW.way_out_second, NEW.way_out_second_at) THEN
                broken := 'only of a refused one is a way out chosen';
            ELSIF OLD.state = 'refused' AND (NEW.state = 'owed' OR NEW.state = 'cancelled')
                AND (NEW.way_out_second IS NULL OR OLD.way_out IS DISTINCT FROM NEW.way_out
                    OR OLD.way_out_by IS DISTINCT FROM NEW.way_out_by
                    OR NEW.way_out <> CASE NEW.state WHEN 'owed' THEN 'by_hand' ELSE 'funds' END) THEN
                broken := 'two people have to choose its way out';
            ELSIF OLD.state <> 'owed' AND (OLD.reference, OLD.noted_by, OLD.noted_at, OLD.confirmed_by,
                    OLD.confirmed_at)
                IS DISTINCT FROM (NEW.reference, NEW.noted_by, NEW.noted_at, NEW.confirmed_by,
                    NEW.confirmed_at) THEN
                broken := 'only what is owed is paid by hand';
            ELSIF OLD.state IN ('arrived', 'paid_out', 'cancelled')
                AND to_jsonb(NEW) - ARRAY['looked_at', 'state', 'failure']
                    <> to_jsonb(OLD) - ARRAY['looked_at', 'state', 'failure']
                OR OLD.state IN ('arrived', 'paid_out', 'cancelled') AND OLD.state = NEW.state
                AND OLD.failure IS DISTINCT FROM NEW.failure THEN
                broken := 'it is done';
            ELSE
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'refund %: %', OLD.id, broken USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER refunds_keep BEFORE UPDATE OR DELETE ON refunds "
        "FOR EACH ROW EXECUTE FUNCTION keep_refunds()"
    )


def downgrade() -> None:
    op.execute("""
        DO $$ BEGIN IF EXISTS (
            SELECT FROM refunds WHERE state IN ('released', 'sending', 'unknown', 'refused', 'cancelled')
            OR way_out IS NOT NULL OR instructions_email IS NOT NULL
        ) THEN
            RAISE EXCEPTION 'refunds are in flight, or two people decided about one';
        END IF; END $$
    """)
    op.execute("DROP TRIGGER refunds_keep ON refunds")
    op.execute("DROP FUNCTION keep_refunds()")
    _keep_lots("")
    _state(BEFORE)
    _released("state = 'prepared' OR released_by IS NOT NULL")
    for column in NEW:
        op.drop_column("refunds", column)
