"""What is to be paid back by hand is called off while nobody has paid it, because its client owes."""

from alembic import op

revision = "0084"
down_revision = "0083"

MOVES = {
    "prepared": ("released", "owed", "cancelled"),
    "released": ("sending", "sent"),
    "sending": ("sent", "unknown", "owed", "refused", "released"),
    "unknown": ("sent", "owed", "refused", "released"),
    "refused": ("sent", "owed", "cancelled"),
    "sent": ("arrived", "owed"),
    "arrived": ("owed",),
}


def upgrade() -> None:
    _keep_refunds("paid_out", "cancelled")


def downgrade() -> None:
    _keep_refunds("paid_out")


def _keep_refunds(*after_owed: str) -> None:
    """As before, but for what becomes of what is owed."""
    moves = ", ".join(
        f"('{before}', '{after}')"
        for before, afters in {**MOVES, "owed": after_owed}.items()
        for after in afters
    )
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION keep_refunds() RETURNS trigger LANGUAGE plpgsql AS $$
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
            ELSIF OLD.state = 'owed' AND NEW.state = 'cancelled' AND OLD.noted_by IS NOT NULL THEN
                broken := 'its money has left the bank';
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
