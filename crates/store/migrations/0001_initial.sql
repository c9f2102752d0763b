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

-- email_verified_at is the time at which the person proved the address. Without it the person has no session. language
-- is null until the first sign-in. A person with operator_since has the rights of the operator in the console.
CREATE TABLE users (
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    email {{text}} NOT NULL,
    email_key {{text}} NOT NULL,
    name {{text}},
    email_verified_at {{time}},
    operator_since {{time}},
    language {{text}},
    muted_notices {{text}},
    CONSTRAINT users_pkey PRIMARY KEY (id)
) {{table}};
CREATE UNIQUE INDEX users_email ON users (email_key);

-- A token has the secret of secret_hash and, after a rotation, the one before it until previous_secret_expires_at. Both
-- are rows of credentials. A row with idle_s is a session of the console: it ends so many seconds after its last use,
-- browser and client_address say where the person signed in, proof and proved_at how and when the person proved to be
-- themselves last. notice_at is the time at which the person is told that the token expires.
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
    idle_s {{int}},
    browser {{text}},
    client_address {{text}},
    proof {{text}},
    proved_at {{time}},
    notice_at {{time}},
    CONSTRAINT user_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT user_tokens_notice
        CHECK (notice_at IS NULL OR (expires_at IS NOT NULL AND deleted_at IS NULL AND idle_s IS NULL)),
    CONSTRAINT user_tokens_proof
        CHECK ((idle_s IS NULL) = (proof IS NULL) AND (proof IS NULL) = (proved_at IS NULL)),
    CONSTRAINT user_tokens_previous_secret
        CHECK ((previous_secret_hash IS NULL) = (previous_secret_expires_at IS NULL))
) {{table}};
CREATE INDEX user_tokens_by_user ON user_tokens (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX user_tokens_by_notice ON user_tokens (notice_at, user_id, id) WHERE notice_at IS NOT NULL;
CREATE INDEX user_tokens_sessions ON user_tokens (expires_at) WHERE idle_s IS NOT NULL;

-- Codes that were mailed to prove an address, found by the hash of the browser's secret. user_id is null when nobody has
-- the address that was entered. email_key is of the person's address at that time, the only one for which the code works.
-- new_email is the address that the code proves, when it is to become the person's.
CREATE TABLE sign_ins (
    secret_hash {{bytes}} NOT NULL,
    user_id {{id}},
    email_key {{text}},
    new_email {{text}},
    created_at {{time}} NOT NULL,
    expires_at {{time}} NOT NULL,
    code_hash {{bytes}} NOT NULL,
    failed_tries {{int}} NOT NULL DEFAULT 0,
    CONSTRAINT sign_ins_pkey PRIMARY KEY (secret_hash)
) {{table}};
CREATE INDEX sign_ins_by_expiry ON sign_ins (expires_at) WHERE expires_at IS NOT NULL;

-- credential_id is the id that the authenticator gave the passkey, credential its public key and counter as JSON.
CREATE TABLE passkeys (
    id {{id}} NOT NULL,
    user_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}},
    last_used_at {{time}},
    name {{text}} NOT NULL,
    credential_id {{bytes}} NOT NULL,
    credential {{text}} NOT NULL,
    CONSTRAINT passkeys_pkey PRIMARY KEY (id)
) {{table}};
CREATE INDEX passkeys_by_user ON passkeys (user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX passkeys_credential_id ON passkeys (credential_id);

-- Challenges that wait for the answer of a passkey, found by the hash of the browser's secret. user_id is null when
-- somebody signs in.
CREATE TABLE passkey_ceremonies (
    secret_hash {{bytes}} NOT NULL,
    user_id {{id}},
    expires_at {{time}} NOT NULL,
    purpose {{text}} NOT NULL,
    state {{text}} NOT NULL,
    CONSTRAINT passkey_ceremonies_pkey PRIMARY KEY (secret_hash)
) {{table}};
CREATE INDEX passkey_ceremonies_by_expiry ON passkey_ceremonies (expires_at) WHERE expires_at IS NOT NULL;

-- Recovery codes that were not used.
CREATE TABLE recovery_codes (
    code_hash {{bytes}} NOT NULL,
    user_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (code_hash)
) {{table}};
CREATE INDEX recovery_codes_by_user ON recovery_codes (user_id) WHERE user_id IS NOT NULL;

-- Browsers that a person has signed in with, by the keyed hash of the mark in the browser's cookie.
CREATE TABLE known_browsers (
    user_id {{id}} NOT NULL,
    mark_hash {{bytes}} NOT NULL,
    last_used_at {{time}} NOT NULL,
    CONSTRAINT known_browsers_pkey PRIMARY KEY (user_id, mark_hash)
) {{table}};

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

-- Changes of a user's address that some memberships have not taken over: those after last_organization_id, in the order
-- of user_organizations. email is the address as it was entered; the actor and the request are those of the change.
CREATE TABLE user_email_changes (
    user_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    email {{text}} NOT NULL,
    email_key {{text}} NOT NULL,
    actor_kind {{text}} NOT NULL,
    actor_id {{id}},
    request_id {{text}},
    last_organization_id {{id}},
    CONSTRAINT user_email_changes_pkey PRIMARY KEY (user_id)
) {{table}};
CREATE INDEX user_email_changes_by_age ON user_email_changes (created_at);

-- Deletions of users that are not finished. The users' rows are gone; tokens, memberships, mails and stored responses
-- follow, then the audit entries: the next are those after entry_id in the first organization of former_team_members.
-- seed makes the name that replaces personal data; the actor and the request are those of the deletion.
CREATE TABLE user_deletions (
    user_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    actor_kind {{text}} NOT NULL,
    actor_id {{id}},
    request_id {{text}},
    seed {{bytes}} NOT NULL,
    entry_id {{id}},
    CONSTRAINT user_deletions_pkey PRIMARY KEY (user_id)
) {{table}};
CREATE INDEX user_deletions_by_age ON user_deletions (created_at);

-- The invitations of all organizations by the address of the person, who need not be a user.
CREATE TABLE invitation_addresses (
    email_key {{text}} NOT NULL,
    organization_id {{id}} NOT NULL,
    invitation_id {{id}} NOT NULL,
    is_pending {{bool}} NOT NULL,
    CONSTRAINT invitation_addresses_pkey PRIMARY KEY (email_key, organization_id, invitation_id)
) {{table}};
CREATE INDEX invitation_addresses_pending ON invitation_addresses (email_key, invitation_id)
    WHERE is_pending AND email_key IS NOT NULL;

-- Every slug that was ever used. organization_id is null once the organization is purged.
CREATE TABLE organization_slugs (
    slug {{text}} NOT NULL,
    organization_id {{id}},
    CONSTRAINT organization_slugs_pkey PRIMARY KEY (slug)
) {{table}};

-- subject_id is the token, session, address change or invitation that the secret proves.
CREATE TABLE credentials (
    secret_hash {{bytes}} NOT NULL,
    kind {{text}} NOT NULL,
    organization_id {{id}},
    subject_id {{id}} NOT NULL,
    CONSTRAINT credentials_pkey PRIMARY KEY (secret_hash)
) {{table}};

-- Organizations that an import is filling. Each has its row in organizations, with deleted_at, so that only the import
-- sees it. root_id is the first organization of the imported file; its row has the end of the import's lease.
-- has_new_slug says that the import has taken the slug.
CREATE TABLE organization_imports (
    organization_id {{id}} NOT NULL,
    root_id {{id}} NOT NULL,
    import_id {{id}} NOT NULL,
    leased_until {{time}},
    has_new_slug {{bool}} NOT NULL,
    CONSTRAINT organization_imports_pkey PRIMARY KEY (organization_id)
) {{table}};
CREATE INDEX organization_imports_by_root ON organization_imports (root_id, organization_id)
    WHERE root_id IS NOT NULL;
CREATE INDEX organization_imports_by_lease ON organization_imports (leased_until) WHERE leased_until IS NOT NULL;

-- Tables of a tenant.

-- A sub-account is an organization with a parent. sub_account_count counts the live children: creating a child
-- updates its parent's row, so the constraint keeps a child from having children, whichever node writes. A deleted
-- organization keeps its rows until purge_began_at, from which on they are deleted in parts. search_text has the search
-- keys of name and slug; the operator's lists are read from the indexes on id.
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
    purge_began_at {{time}},
    passkey_required_at {{time}},
    audit_days {{int}},
    audit_swept_id {{id}},
    search_text {{text}} NOT NULL,
    CONSTRAINT organizations_pkey PRIMARY KEY (id),
    CONSTRAINT organizations_one_level CHECK (parent_id IS NULL OR sub_account_count = 0)
) {{table}};
CREATE INDEX organizations_by_parent ON organizations (parent_id, id)
    WHERE parent_id IS NOT NULL AND coalesce(deleted_at, 0) = 0;
CREATE INDEX organizations_by_deletion ON organizations (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX organizations_in_purge ON organizations (purge_began_at)
    WHERE purge_began_at IS NOT NULL;
CREATE INDEX organizations_with_audit_days ON organizations (audit_days, id)
    WHERE audit_days IS NOT NULL;
CREATE INDEX organizations_by_text ON organizations (id, search_text)
    WHERE search_text > '' AND coalesce(deleted_at, 0) = 0;
CREATE INDEX organizations_suspended ON organizations (id, search_text)
    WHERE coalesce(suspended_at, 0) > 0 AND coalesce(deleted_at, 0) = 0;
CREATE INDEX organizations_deleted ON organizations (id, search_text) WHERE coalesce(deleted_at, 0) > 0;

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
    offered_until {{time}},
    CONSTRAINT team_members_pkey PRIMARY KEY (organization_id, user_id),
    CONSTRAINT team_members_organization FOREIGN KEY (organization_id) REFERENCES organizations (id)
) {{table}};
CREATE UNIQUE INDEX team_members_owner ON team_members (organization_id) WHERE role = 'owner';
CREATE INDEX team_members_offered ON team_members (organization_id) WHERE offered_until IS NOT NULL;

-- Invitations to the team. secret_hash is that of the present secret, a row of credentials, also after the invitation
-- was settled. lifetime_s is the time from each secret to expires_at. Rows are deleted at kept_until.
CREATE TABLE invitations (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}},
    email {{text}} NOT NULL,
    email_key {{text}} NOT NULL,
    name {{text}},
    role {{text}} NOT NULL,
    state {{text}} NOT NULL,
    lifetime_s {{int}} NOT NULL,
    expires_at {{time}} NOT NULL,
    settled_at {{time}},
    invited_by_user_id {{id}},
    accepted_by_user_id {{id}},
    issued_at {{time}} NOT NULL,
    issue_count {{int}} NOT NULL,
    last_sent_at {{time}},
    sent_count {{int}} NOT NULL,
    metadata {{text}} NOT NULL,
    secret_hash {{bytes}} NOT NULL,
    kept_until {{time}} NOT NULL,
    CONSTRAINT invitations_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT invitations_state CHECK (state IN ('pending', 'accepted', 'declined', 'revoked')),
    CONSTRAINT invitations_settled CHECK ((state = 'pending') = (settled_at IS NULL)),
    CONSTRAINT invitations_accepted CHECK ((state = 'accepted') = (accepted_by_user_id IS NOT NULL)),
    CONSTRAINT invitations_organization FOREIGN KEY (organization_id) REFERENCES organizations (id)
) {{table}};
CREATE INDEX invitations_by_age ON invitations (kept_until) WHERE kept_until IS NOT NULL;
CREATE INDEX invitations_by_person ON invitations (organization_id, accepted_by_user_id)
    WHERE accepted_by_user_id IS NOT NULL;
CREATE UNIQUE INDEX invitations_pending ON invitations (organization_id, email_key)
    WHERE state = 'pending' AND email_key IS NOT NULL;

-- scopes is an object of scopes and the times at which they were granted. ip_allow_list is a list of networks;
-- an empty one admits every address. The secrets and notice_at are those of user_tokens.
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
    notice_at {{time}},
    CONSTRAINT access_tokens_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT access_tokens_notice
        CHECK (notice_at IS NULL OR (expires_at IS NOT NULL AND deleted_at IS NULL)),
    CONSTRAINT access_tokens_previous_secret
        CHECK ((previous_secret_hash IS NULL) = (previous_secret_expires_at IS NULL)),
    CONSTRAINT access_tokens_organization FOREIGN KEY (organization_id) REFERENCES organizations (id)
) {{table}};
CREATE INDEX access_tokens_by_notice ON access_tokens (notice_at, organization_id, id) WHERE notice_at IS NOT NULL;

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
CREATE INDEX customers_to_anonymize ON customers (deleted_at) WHERE deleted_at > 0 AND anonymized_at IS NULL;
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
-- because SQLite reports a violated index by its columns. deleted_with_customer says that the deletion of the customer
-- deleted the member, so that the customer's restoration brings it back.
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
    deleted_with_customer {{bool}} NOT NULL DEFAULT FALSE,
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
CREATE INDEX members_by_email ON members (organization_id, email_key)
    WHERE coalesce(deleted_at, 0) = 0 AND email_key IS NOT NULL;

-- Deletions and restorations of customers that take more than one transaction. step is the next step of the work,
-- member_id and entry_id are the last member and the last audit entry or event that it has finished. seed makes the
-- names that replace personal data.
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
    CONSTRAINT customer_deletions_step CHECK (step IN ('members', 'member_data', 'customer_data', 'events', 'restore')),
    CONSTRAINT customer_deletions_customer FOREIGN KEY (organization_id, customer_id)
        REFERENCES customers (organization_id, id)
) {{table}};
CREATE INDEX customer_deletions_by_age ON customer_deletions (created_at);

-- Imports of customers. The file of an import is customer_import_chunks, of whole rows, each deleted once its rows are
-- done: the rows after the sum of the counts are to be done. columns is the first line of a table. secret_hash is the
-- secret of the request, without which no row is carried out; null for the operator. A worker may take an import from
-- due_at on, and moves it to the end of its lease. attempts counts the times that one took it since its last part.
-- Imports are deleted at expires_at. stored_bytes is the size of the import's rows in the three tables below.
-- owner_user_id is the owner at created_at: imports and their bytes are limited by owner.
CREATE TABLE customer_imports (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    owner_user_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    finished_at {{time}},
    secret_hash {{bytes}},
    request_id {{text}},
    state {{text}} NOT NULL,
    stop_reason {{text}},
    format {{text}} NOT NULL,
    columns {{text}} NOT NULL,
    on_match {{text}} NOT NULL,
    is_dry_run {{bool}} NOT NULL,
    byte_count {{int}} NOT NULL,
    row_count {{int}} NOT NULL,
    created_rows {{int}} NOT NULL,
    updated_rows {{int}} NOT NULL,
    unchanged_rows {{int}} NOT NULL,
    skipped_rows {{int}} NOT NULL,
    failed_rows {{int}} NOT NULL,
    stored_bytes {{int}} NOT NULL,
    attempts {{int}} NOT NULL,
    due_at {{time}},
    expires_at {{time}},
    CONSTRAINT customer_imports_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT customer_imports_state CHECK (state IN ('receiving', 'running', 'completed', 'stopped', 'failed')),
    CONSTRAINT customer_imports_format CHECK (format IN ('csv', 'jsonl')),
    CONSTRAINT customer_imports_on_match CHECK (on_match IN ('skip', 'update', 'fail')),
    CONSTRAINT customer_imports_organization FOREIGN KEY (organization_id) REFERENCES organizations (id)
) {{table}};
CREATE INDEX customer_imports_by_due ON customer_imports (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX customer_imports_by_expiry ON customer_imports (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX customer_imports_by_owner ON customer_imports (owner_user_id) WHERE owner_user_id IS NOT NULL;

-- row_number is the number of the first row of the chunk.
CREATE TABLE customer_import_chunks (
    organization_id {{id}} NOT NULL,
    import_id {{id}} NOT NULL,
    row_number {{int}} NOT NULL,
    content {{bytes}} NOT NULL,
    CONSTRAINT customer_import_chunks_pkey PRIMARY KEY (organization_id, import_id, row_number),
    CONSTRAINT customer_import_chunks_import FOREIGN KEY (organization_id, import_id)
        REFERENCES customer_imports (organization_id, id)
) {{table}};

-- faults is a list of fields and messages. It repeats nothing of the row.
CREATE TABLE customer_import_failures (
    organization_id {{id}} NOT NULL,
    import_id {{id}} NOT NULL,
    row_number {{int}} NOT NULL,
    faults {{text}} NOT NULL,
    CONSTRAINT customer_import_failures_pkey PRIMARY KEY (organization_id, import_id, row_number),
    CONSTRAINT customer_import_failures_import FOREIGN KEY (organization_id, import_id)
        REFERENCES customer_imports (organization_id, id)
) {{table}};

-- The addresses and external ids of customers that earlier rows of a dry run would have created.
CREATE TABLE customer_import_keys (
    organization_id {{id}} NOT NULL,
    import_id {{id}} NOT NULL,
    row_key {{text}} NOT NULL,
    CONSTRAINT customer_import_keys_pkey PRIMARY KEY (organization_id, import_id, row_key),
    CONSTRAINT customer_import_keys_import FOREIGN KEY (organization_id, import_id)
        REFERENCES customer_imports (organization_id, id)
) {{table}};

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
    credential_id {{id}},
    client_address {{text}},
    user_agent {{text}},
    CONSTRAINT audit_entries_pkey PRIMARY KEY (organization_id, id)
) {{table}};
CREATE INDEX audit_entries_by_age ON audit_entries (created_at)
    WHERE (before IS NOT NULL OR after IS NOT NULL) AND created_at IS NOT NULL;
CREATE INDEX audit_entries_by_subject ON audit_entries (organization_id, subject_id, id)
    WHERE subject_id IS NOT NULL;
CREATE INDEX audit_entries_by_actor ON audit_entries (organization_id, actor_id, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_entries_by_action ON audit_entries (organization_id, action, id) WHERE action IS NOT NULL;

-- Webhooks: the endpoints of an organization, the queues and events of each endpoint, and the delivery attempts.

-- secret is sealed for its endpoint: it signs every request, and the API shows it.
CREATE TABLE webhook_endpoints (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    modified_at {{time}},
    deleted_at {{time}},
    url {{text}} NOT NULL,
    url_credentials {{bytes}},
    name {{text}},
    format {{text}} NOT NULL,
    secret {{bytes}} NOT NULL,
    previous_secret {{bytes}},
    previous_secret_expires_at {{time}},
    events {{text}} NOT NULL,
    enabled {{bool}} NOT NULL,
    enabled_since {{time}} NOT NULL,
    disabled_reason {{text}},
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT webhook_endpoints_format CHECK (format IN ('raw', 'discord', 'slack')),
    CONSTRAINT webhook_endpoints_previous_secret
        CHECK ((previous_secret IS NULL) = (previous_secret_expires_at IS NULL)),
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

-- The bytes of large events that the organizations of an owner may still cause: the time at which they may cause all of
-- them again.
CREATE TABLE webhook_budgets (
    owner_user_id {{id}} NOT NULL,
    full_at {{time}} NOT NULL,
    CONSTRAINT webhook_budgets_pkey PRIMARY KEY (owner_user_id)
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

-- Codes that were mailed to sign in to the portal, found by the keyed hash of the browser's secret, or of the code if it
-- was asked for without a browser. email_key is null when no mail was sent. customer_id is null until the person chooses.
CREATE TABLE portal_sign_ins (
    secret_hash {{bytes}} NOT NULL,
    organization_id {{id}} NOT NULL,
    customer_id {{id}},
    email_key {{text}},
    created_at {{time}} NOT NULL,
    expires_at {{time}} NOT NULL,
    code_hash {{bytes}} NOT NULL,
    failed_tries {{int}} NOT NULL DEFAULT 0,
    proved_at {{time}},
    CONSTRAINT portal_sign_ins_pkey PRIMARY KEY (secret_hash)
) {{table}};
CREATE INDEX portal_sign_ins_by_expiry ON portal_sign_ins (expires_at) WHERE expires_at IS NOT NULL;

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
-- the account that sends the mail: the organization that it is about (about_id), or its parent. user_id is the person
-- that it goes to; null for a customer. language is null for the installation's.
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
    about_id {{id}} NOT NULL,
    user_id {{id}},
    language {{text}},
    CONSTRAINT mails_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT mails_queue CHECK (queue IN ('invitations', 'notices', 'proofs', 'sign_ins', 'retries')),
    CONSTRAINT mails_organization FOREIGN KEY (organization_id) REFERENCES organizations (id)
) {{table}};
CREATE INDEX mails_by_due ON mails (organization_id, queue, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX mails_by_user ON mails (user_id) WHERE user_id IS NOT NULL;

-- The time at which an account has mail to send in a queue; null when it has none. Workers serve queues in the order of
-- this time, so that the mails of one account do not delay those of others.
CREATE TABLE mail_queues (
    organization_id {{id}} NOT NULL,
    queue {{text}} NOT NULL,
    due_at {{time}},
    CONSTRAINT mail_queues_pkey PRIMARY KEY (organization_id, queue),
    CONSTRAINT mail_queues_queue CHECK (queue IN ('invitations', 'notices', 'proofs', 'sign_ins', 'retries')),
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
