-- Every table of the first release. docs/ARCHITECTURE.md names the rules that these statements follow:
--
-- * Times are microseconds since the Unix epoch. An id begins with its time of creation, so an index on an id is
--   an index on that time. A row with deleted_at is read by the audit log and the doctor alone.
-- * The primary key and every unique index of a tenant's table begin with the tenant.
-- * A secondary index of a tenant's table has a condition on its second column (IS NOT NULL). A query that does
--   not compare that column cannot use the index, so no plan reads all rows of a tenant through it, whatever
--   statistics there are. For the same reason a list says coalesce(deleted_at, 0) = 0 and a look-up by a unique key
--   deleted_at IS NULL: neither can use the other's index. Unique indexes stand last, since PostgreSQL takes the
--   youngest of two that cost the same.
-- * A foreign key stays within a tenant. Members, customers and counters have none: docs/adr/0010-foreign-keys.md.

-- Values of the whole installation, such as a check of the key that secrets are hashed with.
CREATE TABLE installation (
    name {{text}} NOT NULL,
    value {{bytes}} NOT NULL,
    CONSTRAINT installation_pkey PRIMARY KEY (name)
) {{table}};

-- Tables that are read without knowing the organization.

CREATE TABLE users (
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    email {{text}} NOT NULL,
    email_key {{text}} NOT NULL,
    name {{text}},
    CONSTRAINT users_pkey PRIMARY KEY (id)
) {{table}};
CREATE UNIQUE INDEX users_email ON users (email_key);

-- A token has the secret of secret_hash and, after a rotation, the one before it until previous_secret_expires_at. Both
-- are rows of credentials.
CREATE TABLE user_tokens (
    id {{id}} NOT NULL,
    user_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    expires_at {{time}},
    deleted_at {{time}},
    last_used_at {{time}},
    scopes {{text}} NOT NULL,
    secret_hash {{bytes}} NOT NULL,
    previous_secret_hash {{bytes}},
    previous_secret_expires_at {{time}},
    previous_secret_used_at {{time}},
    CONSTRAINT user_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT user_tokens_previous_secret
        CHECK ((previous_secret_hash IS NULL) = (previous_secret_expires_at IS NULL))
) {{table}};
CREATE INDEX user_tokens_by_user ON user_tokens (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE user_organizations (
    user_id {{id}} NOT NULL,
    organization_id {{id}} NOT NULL,
    CONSTRAINT user_organizations_pkey PRIMARY KEY (user_id, organization_id)
) {{table}};

-- The organizations whose audit logs name a person who left their team, so that the deletion of the person finds the
-- entries. The nil id stands for the log of the installation.
CREATE TABLE former_team_members (
    user_id {{id}} NOT NULL,
    organization_id {{id}} NOT NULL,
    CONSTRAINT former_team_members_pkey PRIMARY KEY (user_id, organization_id)
) {{table}};

-- Deletions of users whose audit entries are not finished. The next entries are those after entry_id in the first
-- organization of former_team_members. seed makes the name that replaces personal data.
CREATE TABLE user_deletions (
    user_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    seed {{bytes}} NOT NULL,
    entry_id {{id}},
    CONSTRAINT user_deletions_pkey PRIMARY KEY (user_id)
) {{table}};
CREATE INDEX user_deletions_by_age ON user_deletions (created_at);

CREATE TABLE organization_slugs (
    slug {{text}} NOT NULL,
    organization_id {{id}} NOT NULL,
    CONSTRAINT organization_slugs_pkey PRIMARY KEY (slug)
) {{table}};

-- subject_id is the token, session or address change that the secret proves.
CREATE TABLE credentials (
    secret_hash {{bytes}} NOT NULL,
    kind {{text}} NOT NULL,
    organization_id {{id}},
    subject_id {{id}} NOT NULL,
    CONSTRAINT credentials_pkey PRIMARY KEY (secret_hash)
) {{table}};

-- Tables of a tenant.

-- A sub-account is an organization with a parent. sub_account_count counts the live children: creating a child
-- updates its parent's row, so the constraint keeps a child from having children, whichever node writes.
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
    suspended_at {{time}},
    suspension_reason {{text}},
    sub_account_count {{int}} NOT NULL DEFAULT 0,
    CONSTRAINT organizations_pkey PRIMARY KEY (id),
    CONSTRAINT organizations_one_level CHECK (parent_id IS NULL OR sub_account_count = 0)
) {{table}};
CREATE INDEX organizations_by_parent ON organizations (parent_id, id)
    WHERE parent_id IS NOT NULL AND coalesce(deleted_at, 0) = 0;

-- email and name are as this organization spells them. They say nothing about other organizations of the user.
CREATE TABLE team_members (
    organization_id {{id}} NOT NULL,
    user_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}} NOT NULL,
    role {{text}} NOT NULL,
    email {{text}} NOT NULL,
    email_key {{text}} NOT NULL,
    name {{text}},
    CONSTRAINT team_members_pkey PRIMARY KEY (organization_id, user_id),
    CONSTRAINT team_members_organization FOREIGN KEY (organization_id) REFERENCES organizations (id)
) {{table}};
CREATE UNIQUE INDEX team_members_owner ON team_members (organization_id) WHERE role = 'owner';

-- scopes is an object of scopes and the times at which they were granted. ip_allow_list is a list of networks;
-- an empty one admits every address. The secrets are those of user_tokens.
CREATE TABLE access_tokens (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}},
    expires_at {{time}},
    deleted_at {{time}},
    last_used_at {{time}},
    label {{text}} NOT NULL,
    scopes {{text}} NOT NULL,
    ip_allow_list {{text}} NOT NULL,
    created_by_user_id {{id}},
    secret_hash {{bytes}} NOT NULL,
    previous_secret_hash {{bytes}},
    previous_secret_expires_at {{time}},
    previous_secret_used_at {{time}},
    CONSTRAINT access_tokens_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT access_tokens_previous_secret
        CHECK ((previous_secret_hash IS NULL) = (previous_secret_expires_at IS NULL)),
    CONSTRAINT access_tokens_organization FOREIGN KEY (organization_id) REFERENCES organizations (id)
) {{table}};

CREATE TABLE customers (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}},
    deleted_at {{time}},
    anonymized_at {{time}},
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
    CONSTRAINT customers_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT customers_kind CHECK (kind IN ('individual', 'team'))
) {{table}};
CREATE UNIQUE INDEX customers_email ON customers (organization_id, email_key)
    WHERE deleted_at IS NULL AND email_key IS NOT NULL;
CREATE UNIQUE INDEX customers_external_id ON customers (organization_id, external_id)
    WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- The metadata of a customer, one row a key, for filters. Values are compared as text.
CREATE TABLE customer_metadata (
    organization_id {{id}} NOT NULL,
    customer_id {{id}} NOT NULL,
    key {{text}} NOT NULL,
    value {{text}} NOT NULL,
    CONSTRAINT customer_metadata_pkey PRIMARY KEY (organization_id, customer_id, key),
    CONSTRAINT customer_metadata_customer FOREIGN KEY (organization_id, customer_id)
        REFERENCES customers (organization_id, id)
) {{table}};
CREATE INDEX customer_metadata_by_value ON customer_metadata (organization_id, key, value)
    WHERE value IS NOT NULL;

-- is_of_individual says that the customer is an individual, which has one member. The index on it names it as a column
-- because SQLite reports a violated index by its columns.
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
    is_of_individual {{bool}} NOT NULL,
    CONSTRAINT members_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT members_role CHECK (role IN ('owner', 'billing_manager', 'member'))
) {{table}};
CREATE INDEX members_by_customer ON members (organization_id, customer_id, id)
    WHERE coalesce(deleted_at, 0) = 0 AND customer_id IS NOT NULL;
CREATE INDEX members_deleted ON members (organization_id, customer_id, id)
    WHERE deleted_at IS NOT NULL AND customer_id IS NOT NULL;
CREATE UNIQUE INDEX members_owner ON members (organization_id, customer_id)
    WHERE deleted_at IS NULL AND role = 'owner' AND customer_id IS NOT NULL;
CREATE UNIQUE INDEX members_of_individual ON members (organization_id, customer_id, is_of_individual)
    WHERE deleted_at IS NULL AND is_of_individual AND customer_id IS NOT NULL;
CREATE UNIQUE INDEX members_external_id ON members (organization_id, customer_id, external_id)
    WHERE deleted_at IS NULL AND external_id IS NOT NULL;
CREATE UNIQUE INDEX members_email ON members (organization_id, customer_id, email_key)
    WHERE deleted_at IS NULL AND email_key IS NOT NULL;

-- Deletions of customers that take more than one transaction. step is the next step of the work, member_id and
-- entry_id are the last member and the last audit entry or event that it has finished. seed makes the names that
-- replace personal data.
CREATE TABLE customer_deletions (
    organization_id {{id}} NOT NULL,
    customer_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    request_id {{text}},
    step {{text}} NOT NULL,
    anonymize {{bool}} NOT NULL,
    seed {{bytes}} NOT NULL,
    member_id {{id}},
    entry_id {{id}},
    CONSTRAINT customer_deletions_pkey PRIMARY KEY (organization_id, customer_id),
    CONSTRAINT customer_deletions_step CHECK (step IN ('members', 'member_data', 'customer_data', 'events')),
    CONSTRAINT customer_deletions_customer FOREIGN KEY (organization_id, customer_id)
        REFERENCES customers (organization_id, id)
) {{table}};
CREATE INDEX customer_deletions_by_age ON customer_deletions (created_at);

-- The number of live rows of a subject: of an organization ('access_tokens', 'customers', 'members') or of a customer
-- ('customer_members'). It is the sum of several buckets, so that concurrent writers update different rows.
CREATE TABLE row_counters (
    organization_id {{id}} NOT NULL,
    counter {{text}} NOT NULL,
    subject_id {{id}} NOT NULL,
    bucket {{int}} NOT NULL,
    row_count {{int}} NOT NULL,
    CONSTRAINT row_counters_pkey PRIMARY KEY (organization_id, counter, subject_id, bucket)
) {{table}};

-- organization_id is the namespace of the key: an organization or, where the caller acts for none, the user, the
-- customer or the member. A response that shows a secret is sealed and deleted at response_expires_at; the record
-- then stays with status 0 until expires_at, so that its key is not used for another request.
CREATE TABLE idempotency_records (
    organization_id {{id}} NOT NULL,
    idempotency_key {{text}} NOT NULL,
    fingerprint {{bytes}} NOT NULL,
    created_at {{time}} NOT NULL,
    expires_at {{time}} NOT NULL,
    response_expires_at {{time}},
    status {{int}} NOT NULL,
    body {{bytes}} NOT NULL,
    CONSTRAINT idempotency_records_pkey PRIMARY KEY (organization_id, idempotency_key)
) {{table}};
CREATE INDEX idempotency_records_by_expiry ON idempotency_records (expires_at);
CREATE INDEX idempotency_records_by_response_expiry ON idempotency_records (response_expires_at)
    WHERE response_expires_at IS NOT NULL;

-- before and after are images of the changed row, subject_id its id. An entry without image is an old one about a
-- creation; the sweep of old entries does not read it again.
CREATE TABLE audit_entries (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    actor_kind {{text}} NOT NULL,
    actor_id {{id}},
    action {{text}} NOT NULL,
    subject_id {{id}} NOT NULL,
    before {{text}},
    after {{text}},
    request_id {{text}},
    CONSTRAINT audit_entries_pkey PRIMARY KEY (organization_id, id)
) {{table}};
CREATE INDEX audit_entries_by_age ON audit_entries (created_at)
    WHERE (before IS NOT NULL OR after IS NOT NULL) AND created_at IS NOT NULL;
CREATE INDEX audit_entries_by_subject ON audit_entries (organization_id, subject_id, id)
    WHERE subject_id IS NOT NULL;

-- Webhooks: the endpoints of an organization, the queues and events of each endpoint, and the delivery attempts.

-- secret is sealed for its endpoint: it signs every request, and the API shows it.
CREATE TABLE webhook_endpoints (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}},
    deleted_at {{time}},
    url {{text}} NOT NULL,
    name {{text}},
    format {{text}} NOT NULL,
    secret {{bytes}} NOT NULL,
    events {{text}} NOT NULL,
    enabled {{bool}} NOT NULL,
    enabled_since {{time}} NOT NULL,
    disabled_reason {{text}},
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT webhook_endpoints_format CHECK (format IN ('raw', 'discord', 'slack')),
    CONSTRAINT webhook_endpoints_organization FOREIGN KEY (organization_id) REFERENCES organizations (id)
) {{table}};

-- An endpoint has two delivery queues: first attempts in the order of the events, and retries by their time. Each
-- sends one request at a time; the sender holds the queue until leased_until. due_at is null while the queue has
-- nothing to send. last_sequence numbers the events of the endpoint. owner_user_id is the organization's owner: the
-- requests under way are limited by owner.
CREATE TABLE webhook_queues (
    organization_id {{id}} NOT NULL,
    endpoint_id {{id}} NOT NULL,
    queue {{text}} NOT NULL,
    owner_user_id {{id}} NOT NULL,
    due_at {{time}},
    leased_until {{time}},
    last_sequence {{int}} NOT NULL,
    CONSTRAINT webhook_queues_pkey PRIMARY KEY (organization_id, endpoint_id, queue),
    CONSTRAINT webhook_queues_queue CHECK (queue IN ('first_attempts', 'retries')),
    CONSTRAINT webhook_queues_endpoint FOREIGN KEY (organization_id, endpoint_id)
        REFERENCES webhook_endpoints (organization_id, id)
) {{table}};
CREATE INDEX webhook_queues_by_due ON webhook_queues (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_queues_leased ON webhook_queues (owner_user_id, leased_until) WHERE leased_until IS NOT NULL;

-- One row for each endpoint that an event is sent to. data is the changed row, payload the text that is sent, which
-- the first attempt stores. subject_id is the customer or organization that both are about. A pending event without
-- due_at is in the queue of first attempts, any event with due_at in the queue of retries.
CREATE TABLE webhook_events (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    endpoint_id {{id}} NOT NULL,
    sequence {{int}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}},
    type {{text}} NOT NULL,
    subject_id {{id}} NOT NULL,
    data {{text}},
    payload {{text}},
    state {{text}} NOT NULL,
    attempts {{int}} NOT NULL,
    last_http_code {{int}},
    due_at {{time}},
    completed_at {{time}},
    CONSTRAINT webhook_events_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT webhook_events_state CHECK (state IN ('pending', 'succeeded', 'failed', 'skipped')),
    CONSTRAINT webhook_events_endpoint FOREIGN KEY (organization_id, endpoint_id)
        REFERENCES webhook_endpoints (organization_id, id)
) {{table}};
CREATE INDEX webhook_events_first_attempts ON webhook_events (organization_id, endpoint_id, sequence)
    WHERE state = 'pending' AND due_at IS NULL AND endpoint_id IS NOT NULL;
CREATE INDEX webhook_events_retries ON webhook_events (organization_id, endpoint_id, due_at)
    WHERE due_at IS NOT NULL AND endpoint_id IS NOT NULL;
CREATE INDEX webhook_events_completed ON webhook_events (organization_id, endpoint_id, sequence)
    WHERE completed_at IS NOT NULL AND endpoint_id IS NOT NULL;
CREATE INDEX webhook_events_by_subject ON webhook_events (organization_id, subject_id, id)
    WHERE data IS NOT NULL AND subject_id IS NOT NULL;
CREATE INDEX webhook_events_by_age ON webhook_events (created_at)
    WHERE data IS NOT NULL AND due_at IS NULL AND state <> 'pending' AND created_at IS NOT NULL;
CREATE INDEX webhook_events_archived ON webhook_events (created_at)
    WHERE data IS NULL AND due_at IS NULL AND state <> 'pending' AND created_at IS NOT NULL;
CREATE UNIQUE INDEX webhook_events_sequence ON webhook_events (organization_id, endpoint_id, sequence)
    WHERE sequence IS NOT NULL;

-- The bytes of events that an organization may still cause: the time at which it may cause all of them again.
CREATE TABLE webhook_budgets (
    organization_id {{id}} NOT NULL,
    full_at {{time}} NOT NULL,
    CONSTRAINT webhook_budgets_pkey PRIMARY KEY (organization_id)
) {{table}};

CREATE TABLE webhook_deliveries (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    endpoint_id {{id}} NOT NULL,
    event_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    succeeded {{bool}} NOT NULL,
    http_code {{int}},
    response {{text}},
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT webhook_deliveries_event FOREIGN KEY (organization_id, event_id)
        REFERENCES webhook_events (organization_id, id)
) {{table}};
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (organization_id, endpoint_id, id)
    WHERE endpoint_id IS NOT NULL;
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (organization_id, event_id, id)
    WHERE event_id IS NOT NULL;

-- The customer portal: sessions, requested address changes, and mail to be sent. A session or address change is
-- found by the hash of its secret, through credentials.

CREATE TABLE customer_sessions (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    customer_id {{id}} NOT NULL,
    member_id {{id}},
    created_at {{time}} NOT NULL,
    expires_at {{time}} NOT NULL,
    return_url {{text}},
    secret_hash {{bytes}} NOT NULL,
    CONSTRAINT customer_sessions_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT customer_sessions_customer FOREIGN KEY (organization_id, customer_id)
        REFERENCES customers (organization_id, id),
    CONSTRAINT customer_sessions_member FOREIGN KEY (organization_id, member_id)
        REFERENCES members (organization_id, id)
) {{table}};
CREATE INDEX customer_sessions_by_customer ON customer_sessions (organization_id, customer_id, member_id)
    WHERE customer_id IS NOT NULL;
CREATE INDEX customer_sessions_by_expiry ON customer_sessions (expires_at) WHERE expires_at IS NOT NULL;

-- A customer has one requested address change at a time: a later one replaces an earlier one.
CREATE TABLE email_updates (
    organization_id {{id}} NOT NULL,
    customer_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    expires_at {{time}} NOT NULL,
    email {{text}} NOT NULL,
    email_key {{text}} NOT NULL,
    secret_hash {{bytes}} NOT NULL,
    CONSTRAINT email_updates_pkey PRIMARY KEY (organization_id, customer_id),
    CONSTRAINT email_updates_customer FOREIGN KEY (organization_id, customer_id)
        REFERENCES customers (organization_id, id)
) {{table}};
CREATE INDEX email_updates_by_expiry ON email_updates (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX email_updates_id ON email_updates (organization_id, id) WHERE id IS NOT NULL;

-- A row is deleted once its mail is sent or abandoned. due_at is also the end of the sender's lease. organization_id is
-- the account that sends the mail: the organization that it is about, or its parent.
CREATE TABLE mails (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    expires_at {{time}},
    due_at {{time}} NOT NULL,
    attempts {{int}} NOT NULL,
    recipient {{text}} NOT NULL,
    recipient_key {{text}} NOT NULL,
    content {{text}} NOT NULL,
    sealed_secret {{bytes}},
    is_counted {{bool}} NOT NULL,
    queue {{text}} NOT NULL,
    CONSTRAINT mails_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT mails_queue CHECK (queue IN ('invitations', 'notices', 'retries')),
    CONSTRAINT mails_organization FOREIGN KEY (organization_id) REFERENCES organizations (id)
) {{table}};
CREATE INDEX mails_by_due ON mails (organization_id, queue, due_at, id) WHERE due_at IS NOT NULL;

-- The time at which an account has mail to send in a queue; null when it has none. Workers serve queues in the order of
-- this time, so that the mails of one account do not delay those of others.
CREATE TABLE mail_queues (
    organization_id {{id}} NOT NULL,
    queue {{text}} NOT NULL,
    due_at {{time}},
    CONSTRAINT mail_queues_pkey PRIMARY KEY (organization_id, queue),
    CONSTRAINT mail_queues_queue CHECK (queue IN ('invitations', 'notices', 'retries')),
    CONSTRAINT mail_queues_organization FOREIGN KEY (organization_id) REFERENCES organizations (id)
) {{table}};
CREATE INDEX mail_queues_by_due ON mail_queues (due_at) WHERE due_at IS NOT NULL;

-- Limits of mail: the time at which a budget is full again. A full budget has no row. organization_id is the namespace
-- of the budget, an id that is made from the hash. budget_hash is a keyed hash of owner and recipient, so that
-- the table tells nobody's address.
CREATE TABLE mail_budgets (
    organization_id {{id}} NOT NULL,
    budget_hash {{bytes}} NOT NULL,
    full_at {{time}} NOT NULL,
    CONSTRAINT mail_budgets_pkey PRIMARY KEY (organization_id, budget_hash)
) {{table}};
CREATE INDEX mail_budgets_by_time ON mail_budgets (full_at) WHERE full_at IS NOT NULL;
