-- Times are microseconds since the Unix epoch. Ids of version-4 shape begin with their time of creation,
-- so an index on an id is an index on the time. A row with deleted_at is seen by nothing but the audit log.

-- What is true of the whole installation, such as a check of the key that secrets are hashed with.
CREATE TABLE installation (
    name {{text}} NOT NULL,
    value {{bytes}} NOT NULL,
    CONSTRAINT installation_pkey PRIMARY KEY (name)
) {{table}};

-- Found without knowing the organization: people, slugs, and credentials by their hash.

CREATE TABLE users (
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    email {{text}} NOT NULL,
    email_key {{text}} NOT NULL,
    name {{text}},
    CONSTRAINT users_pkey PRIMARY KEY (id)
) {{table}};
CREATE UNIQUE INDEX users_email ON users (email_key);

CREATE TABLE user_tokens (
    id {{id}} NOT NULL,
    user_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    expires_at {{time}},
    deleted_at {{time}},
    scopes {{text}} NOT NULL,
    CONSTRAINT user_tokens_pkey PRIMARY KEY (id)
) {{table}};

CREATE TABLE user_organizations (
    user_id {{id}} NOT NULL,
    organization_id {{id}} NOT NULL,
    CONSTRAINT user_organizations_pkey PRIMARY KEY (user_id, organization_id)
) {{table}};

CREATE TABLE organization_slugs (
    slug {{text}} NOT NULL,
    organization_id {{id}} NOT NULL,
    CONSTRAINT organization_slugs_pkey PRIMARY KEY (slug)
) {{table}};

CREATE TABLE credentials (
    secret_hash {{bytes}} NOT NULL,
    kind {{text}} NOT NULL,
    organization_id {{id}},
    subject_id {{id}} NOT NULL,
    CONSTRAINT credentials_pkey PRIMARY KEY (secret_hash)
) {{table}};

-- A tenant's own rows.

CREATE TABLE organizations (
    id {{id}} NOT NULL,
    parent_id {{id}},
    created_at {{time}} NOT NULL,
    modified_at {{time}},
    deleted_at {{time}},
    name {{text}} NOT NULL,
    slug {{text}} NOT NULL,
    status {{text}} NOT NULL,
    owner_user_id {{id}} NOT NULL,
    members_enabled {{bool}} NOT NULL,
    profile {{text}} NOT NULL,
    CONSTRAINT organizations_pkey PRIMARY KEY (id)
) {{table}};

CREATE TABLE team_members (
    organization_id {{id}} NOT NULL,
    user_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}} NOT NULL,
    role {{text}} NOT NULL,
    CONSTRAINT team_members_pkey PRIMARY KEY (organization_id, user_id)
) {{table}};
CREATE UNIQUE INDEX team_members_owner ON team_members (organization_id) WHERE role = 'owner';

CREATE TABLE access_tokens (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    expires_at {{time}},
    deleted_at {{time}},
    label {{text}} NOT NULL,
    scopes {{text}} NOT NULL,
    created_by_user_id {{id}},
    CONSTRAINT access_tokens_pkey PRIMARY KEY (organization_id, id)
) {{table}};

CREATE TABLE customers (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}},
    deleted_at {{time}},
    kind {{text}} NOT NULL,
    email {{text}},
    email_key {{text}},
    email_verified {{bool}} NOT NULL,
    name {{text}},
    external_id {{text}},
    metadata {{text}} NOT NULL,
    billing {{text}},
    locale {{text}},
    search_text {{text}} NOT NULL,
    member_count {{int}} NOT NULL,
    CONSTRAINT customers_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT customers_kind CHECK (kind IN ('individual', 'team')),
    CONSTRAINT customers_individual_has_one_member CHECK (kind = 'team' OR member_count <= 1)
) {{table}};
CREATE UNIQUE INDEX customers_email ON customers (organization_id, email_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX customers_external_id ON customers (organization_id, external_id) WHERE deleted_at IS NULL;

-- A customer's metadata once more, a row a key, for filters; comparison is by the value's text.
CREATE TABLE customer_metadata (
    organization_id {{id}} NOT NULL,
    customer_id {{id}} NOT NULL,
    key {{text}} NOT NULL,
    value {{text}} NOT NULL,
    CONSTRAINT customer_metadata_pkey PRIMARY KEY (organization_id, customer_id, key)
) {{table}};
CREATE INDEX customer_metadata_by_value ON customer_metadata (organization_id, key, value);

CREATE TABLE members (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    customer_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}},
    deleted_at {{time}},
    email {{text}} NOT NULL,
    email_key {{text}} NOT NULL,
    name {{text}},
    external_id {{text}},
    role {{text}} NOT NULL,
    CONSTRAINT members_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT members_role CHECK (role IN ('owner', 'billing_manager', 'member'))
) {{table}};
-- Before the unique ones: of indexes that seem to cost the same PostgreSQL takes the youngest, and without
-- statistics this one would seem to find a member by its address as well as its own index does.
CREATE INDEX members_by_customer ON members (organization_id, customer_id, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX members_email ON members (organization_id, customer_id, email_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX members_external_id ON members (organization_id, customer_id, external_id)
    WHERE deleted_at IS NULL AND external_id IS NOT NULL;
CREATE UNIQUE INDEX members_owner ON members (organization_id, customer_id)
    WHERE deleted_at IS NULL AND role = 'owner';

-- How many live rows an organization has of a kind, in buckets so that writers need not wait for each other.
CREATE TABLE tallies (
    organization_id {{id}} NOT NULL,
    subject {{text}} NOT NULL,
    bucket {{int}} NOT NULL,
    total {{int}} NOT NULL,
    CONSTRAINT tallies_pkey PRIMARY KEY (organization_id, subject, bucket)
) {{table}};

CREATE TABLE idempotency_records (
    organization_id {{id}} NOT NULL,
    idempotency_key {{text}} NOT NULL,
    fingerprint {{bytes}} NOT NULL,
    created_at {{time}} NOT NULL,
    expires_at {{time}} NOT NULL,
    status {{int}} NOT NULL,
    body {{bytes}} NOT NULL,
    CONSTRAINT idempotency_records_pkey PRIMARY KEY (organization_id, idempotency_key)
) {{table}};
CREATE INDEX idempotency_records_by_expiry ON idempotency_records (expires_at);

CREATE TABLE audit_entries (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    at {{time}} NOT NULL,
    actor_kind {{text}} NOT NULL,
    actor_id {{id}},
    action {{text}} NOT NULL,
    subject_id {{id}} NOT NULL,
    before {{text}},
    after {{text}},
    request_id {{text}},
    CONSTRAINT audit_entries_pkey PRIMARY KEY (organization_id, id)
) {{table}};
