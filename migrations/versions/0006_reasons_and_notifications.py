"""Statements of reasons, which stay as they were written; appeals, decided by somebody else; notifications."""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = """
CREATE TABLE statements_of_reasons (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id UUID NOT NULL,
    person_id BIGINT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id UUID NOT NULL,
    decision TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    rule_version TEXT NOT NULL,
    explanation TEXT NOT NULL,
    evidence JSONB NOT NULL,
    decided_by BIGINT NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL,
    appeal_until TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_statements_of_reasons PRIMARY KEY (id),
    CONSTRAINT uq_statements_of_reasons_public_id UNIQUE (public_id),
    CONSTRAINT fk_statements_of_reasons_person_id FOREIGN KEY (person_id) REFERENCES people (id),
    CONSTRAINT fk_statements_of_reasons_decided_by FOREIGN KEY (decided_by) REFERENCES people (id),
    CONSTRAINT ck_statements_of_reasons_decision CHECK (decision IN
        ('rejected', 'declined', 'returned', 'withheld', 'suspended', 'revoked', 'ended')),
    CONSTRAINT ck_statements_of_reasons_explanation CHECK (length(explanation) >= 10),
    CONSTRAINT ck_statements_of_reasons_evidence CHECK (
        jsonb_typeof(evidence) = 'object' AND evidence <> '{}'::jsonb),
    CONSTRAINT ck_statements_of_reasons_another_person CHECK (decided_by <> person_id),
    CONSTRAINT ck_statements_of_reasons_time_to_appeal CHECK (appeal_until > decided_at)
);
CREATE INDEX ix_statements_of_reasons_person_id ON statements_of_reasons (person_id, id);
CREATE INDEX ix_statements_of_reasons_subject ON statements_of_reasons (subject_kind, subject_id);

CREATE TABLE appeals (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id UUID NOT NULL,
    statement_id BIGINT NOT NULL,
    text TEXT NOT NULL,
    opened_at TIMESTAMPTZ NOT NULL,
    decide_by TIMESTAMPTZ NOT NULL,
    outcome TEXT,
    decided_by BIGINT,
    decided_at TIMESTAMPTZ,
    answer TEXT,
    CONSTRAINT pk_appeals PRIMARY KEY (id),
    CONSTRAINT uq_appeals_public_id UNIQUE (public_id),
    CONSTRAINT uq_appeals_statement_id UNIQUE (statement_id),
    CONSTRAINT fk_appeals_statement_id FOREIGN KEY (statement_id) REFERENCES statements_of_reasons (id),
    CONSTRAINT fk_appeals_decided_by FOREIGN KEY (decided_by) REFERENCES people (id),
    CONSTRAINT ck_appeals_outcome CHECK (outcome IN ('upheld', 'dismissed')),
    CONSTRAINT ck_appeals_decided CHECK (num_nulls(outcome, decided_at, answer) IN (0, 3)),
    CONSTRAINT ck_appeals_only_a_person_dismisses CHECK (outcome <> 'dismissed' OR decided_by IS NOT NULL)
);
CREATE INDEX ix_appeals_decide_by ON appeals (decide_by) WHERE outcome IS NULL;

CREATE TABLE notifications (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id UUID NOT NULL,
    person_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    path TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    read_at TIMESTAMPTZ,
    CONSTRAINT pk_notifications PRIMARY KEY (id),
    CONSTRAINT uq_notifications_public_id UNIQUE (public_id),
    CONSTRAINT fk_notifications_person_id FOREIGN KEY (person_id) REFERENCES people (id),
    CONSTRAINT ck_notifications_path CHECK (path ~ '^/([^/\\\\]|$)')
);
CREATE INDEX ix_notifications_person_id ON notifications (person_id, id);
CREATE INDEX ix_notifications_unread ON notifications (person_id) WHERE read_at IS NULL;
"""

STATEMENTS_STAY = """
CREATE TRIGGER statements_of_reasons_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON statements_of_reasons
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON statements_of_reasons FROM marketplace_app;
"""

APPEALS_BY_ANOTHER = """
CREATE FUNCTION appeals_are_decided_once_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.outcome IS NOT NULL THEN
        RAISE EXCEPTION 'a decided appeal is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (SELECT FROM statements_of_reasons AS statement
               WHERE statement.id = NEW.statement_id
               AND NEW.decided_by IN (statement.decided_by, statement.person_id)) THEN
        RAISE EXCEPTION 'an appeal is decided by somebody else' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'ck_appeals_another_person';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER appeals_are_decided_once_by_another BEFORE INSERT OR UPDATE ON appeals
    FOR EACH ROW EXECUTE FUNCTION appeals_are_decided_once_by_another();
"""


def upgrade() -> None:
    """Make the tables and what guards them."""
    op.execute(TABLES)
    op.execute(STATEMENTS_STAY)
    op.execute(APPEALS_BY_ANOTHER)


def downgrade() -> None:
    """Drop them, the dependent ones first."""
    for table in ("notifications", "appeals", "statements_of_reasons"):
        op.drop_table(table)
    op.execute("DROP FUNCTION appeals_are_decided_once_by_another()")
