"""People, their sign-ins, organizations and roles; second factors; browser sessions and limits on tries."""

from alembic import op

revision = "0003"
down_revision = "0002"

PEOPLE = """
CREATE TABLE organizations (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id UUID NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    verified_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_organizations PRIMARY KEY (id),
    CONSTRAINT uq_organizations_public_id UNIQUE (public_id),
    CONSTRAINT ck_organizations_kind CHECK (kind IN ('client', 'platform')),
    CONSTRAINT ck_organizations_name CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT ck_organizations_country CHECK (country ~ '^[A-Z]{2}$')
);
CREATE UNIQUE INDEX uq_organizations_platform ON organizations (kind) WHERE kind = 'platform';

CREATE TABLE people (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id UUID NOT NULL,
    full_name TEXT NOT NULL,
    email TEXT NOT NULL,
    country TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    locale TEXT NOT NULL,
    theme TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    closed_at TIMESTAMPTZ,
    CONSTRAINT pk_people PRIMARY KEY (id),
    CONSTRAINT uq_people_public_id UNIQUE (public_id),
    CONSTRAINT ck_people_full_name CHECK (length(full_name) BETWEEN 1 AND 200),
    CONSTRAINT ck_people_email CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    CONSTRAINT ck_people_country CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT ck_people_theme CHECK (theme IN ('system', 'light', 'dark'))
);
CREATE INDEX ix_people_email ON people (email);

CREATE TABLE role_grants (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id UUID NOT NULL,
    person_id BIGINT NOT NULL,
    role TEXT NOT NULL,
    organization_id BIGINT,
    granted_by BIGINT,
    granted_at TIMESTAMPTZ NOT NULL,
    ended_by BIGINT,
    ended_at TIMESTAMPTZ,
    CONSTRAINT pk_role_grants PRIMARY KEY (id),
    CONSTRAINT uq_role_grants_public_id UNIQUE (public_id),
    CONSTRAINT fk_role_grants_person_id FOREIGN KEY (person_id) REFERENCES people (id),
    CONSTRAINT fk_role_grants_organization_id FOREIGN KEY (organization_id) REFERENCES organizations (id),
    CONSTRAINT fk_role_grants_granted_by FOREIGN KEY (granted_by) REFERENCES people (id),
    CONSTRAINT fk_role_grants_ended_by FOREIGN KEY (ended_by) REFERENCES people (id),
    CONSTRAINT ck_role_grants_role CHECK (role IN ('expert', 'client_admin', 'client_approver',
        'finance_preparer', 'finance_releaser', 'reviewer', 'operator')),
    CONSTRAINT ck_role_grants_client_roles_within_an_organization CHECK (
        (role IN ('client_admin', 'client_approver')) = (organization_id IS NOT NULL)),
    CONSTRAINT ck_role_grants_never_to_oneself CHECK (granted_by <> person_id)
);
CREATE UNIQUE INDEX uq_role_grants_live ON role_grants (person_id, role, organization_id)
    NULLS NOT DISTINCT WHERE ended_at IS NULL;
CREATE INDEX ix_role_grants_organization_id ON role_grants (organization_id);
"""

SIGN_INS = """
CREATE TABLE sign_ins (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id UUID NOT NULL,
    person_id BIGINT NOT NULL,
    email TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    email_verified_at TIMESTAMPTZ,
    disabled_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_sign_ins PRIMARY KEY (id),
    CONSTRAINT uq_sign_ins_public_id UNIQUE (public_id),
    CONSTRAINT uq_sign_ins_email UNIQUE (email),
    CONSTRAINT fk_sign_ins_person_id FOREIGN KEY (person_id) REFERENCES people (id),
    CONSTRAINT ck_sign_ins_email CHECK (email = lower(email)),
    CONSTRAINT ck_sign_ins_password_hash CHECK (password_hash LIKE '$argon2id$%')
);
CREATE INDEX ix_sign_ins_person_id ON sign_ins (person_id);

CREATE TABLE email_links (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id UUID NOT NULL,
    purpose TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    email TEXT NOT NULL,
    sign_in_id BIGINT,
    organization_id BIGINT,
    role TEXT,
    invited_by BIGINT,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ,
    CONSTRAINT pk_email_links PRIMARY KEY (id),
    CONSTRAINT uq_email_links_public_id UNIQUE (public_id),
    CONSTRAINT uq_email_links_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_email_links_sign_in_id FOREIGN KEY (sign_in_id) REFERENCES sign_ins (id),
    CONSTRAINT fk_email_links_organization_id FOREIGN KEY (organization_id) REFERENCES organizations (id),
    CONSTRAINT fk_email_links_invited_by FOREIGN KEY (invited_by) REFERENCES people (id),
    CONSTRAINT ck_email_links_purpose CHECK (purpose IN ('verify', 'reset', 'invite')),
    CONSTRAINT ck_email_links_role CHECK (role IN ('client_admin', 'client_approver')),
    CONSTRAINT ck_email_links_invitation CHECK (CASE WHEN purpose = 'invite'
        THEN num_nulls(organization_id, role, invited_by) = 0 AND sign_in_id IS NULL
        ELSE num_nulls(organization_id, role, invited_by) = 3 AND sign_in_id IS NOT NULL END)
);
CREATE INDEX ix_email_links_sign_in_id ON email_links (sign_in_id);
CREATE INDEX ix_email_links_organization_id ON email_links (organization_id);

CREATE TABLE second_factors (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id UUID NOT NULL,
    sign_in_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    secret BYTEA,
    last_step BIGINT,
    credential_id BYTEA,
    public_key BYTEA,
    sign_count BIGINT,
    created_at TIMESTAMPTZ NOT NULL,
    confirmed_at TIMESTAMPTZ,
    CONSTRAINT pk_second_factors PRIMARY KEY (id),
    CONSTRAINT uq_second_factors_public_id UNIQUE (public_id),
    CONSTRAINT uq_second_factors_credential_id UNIQUE (credential_id),
    CONSTRAINT fk_second_factors_sign_in_id FOREIGN KEY (sign_in_id) REFERENCES sign_ins (id),
    CONSTRAINT ck_second_factors_kind CHECK (kind IN ('totp', 'passkey')),
    CONSTRAINT ck_second_factors_what_it_is_made_of CHECK (CASE kind
        WHEN 'totp' THEN secret IS NOT NULL AND num_nulls(credential_id, public_key, sign_count) = 3
        ELSE secret IS NULL AND num_nulls(credential_id, public_key, sign_count) = 0 END)
);
CREATE INDEX ix_second_factors_sign_in_id ON second_factors (sign_in_id);

CREATE TABLE recovery_codes (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    sign_in_id BIGINT NOT NULL,
    code_hash BYTEA NOT NULL,
    used_at TIMESTAMPTZ,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (id),
    CONSTRAINT uq_recovery_codes_code_hash UNIQUE (code_hash),
    CONSTRAINT fk_recovery_codes_sign_in_id FOREIGN KEY (sign_in_id) REFERENCES sign_ins (id)
);
CREATE INDEX ix_recovery_codes_sign_in_id ON recovery_codes (sign_in_id);
"""

SESSIONS = """
CREATE TABLE web_sessions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    public_id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    sign_in_id BIGINT,
    data JSONB NOT NULL,
    user_agent TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL,
    second_factor_at TIMESTAMPTZ,
    ends_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    CONSTRAINT pk_web_sessions PRIMARY KEY (id),
    CONSTRAINT uq_web_sessions_public_id UNIQUE (public_id),
    CONSTRAINT uq_web_sessions_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_web_sessions_sign_in_id FOREIGN KEY (sign_in_id) REFERENCES sign_ins (id)
);
CREATE INDEX ix_web_sessions_sign_in_id ON web_sessions (sign_in_id);
CREATE INDEX ix_web_sessions_ends_at ON web_sessions (ends_at);

CREATE TABLE attempts (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    key TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_attempts PRIMARY KEY (id)
);
CREATE INDEX ix_attempts_key_at ON attempts (key, at);
"""

TABLES = (
    "attempts",
    "web_sessions",
    "recovery_codes",
    "second_factors",
    "email_links",
    "sign_ins",
    "role_grants",
    "people",
    "organizations",
)


def upgrade() -> None:
    """Make the tables."""
    op.execute(PEOPLE)
    op.execute(SIGN_INS)
    op.execute(SESSIONS)


def downgrade() -> None:
    """Drop them, the dependent ones first."""
    for table in TABLES:
        op.drop_table(table)
