-- The customer portal: sessions, wishes for another address, and mail that waits to be sent. What of these
-- is found by a secret's hash is found through credentials.

CREATE TABLE sessions (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    customer_id {{id}} NOT NULL,
    member_id {{id}},
    created_at {{time}} NOT NULL,
    expires_at {{time}} NOT NULL,
    return_url {{text}},
    secret_hash {{bytes}} NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (organization_id, id)
) {{table}};
CREATE INDEX sessions_by_customer ON sessions (organization_id, customer_id, member_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- A customer has one wish at a time: a later one takes the place of an earlier one.
CREATE TABLE email_updates (
    organization_id {{id}} NOT NULL,
    customer_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    expires_at {{time}} NOT NULL,
    email {{text}} NOT NULL,
    email_key {{text}} NOT NULL,
    secret_hash {{bytes}} NOT NULL,
    CONSTRAINT email_updates_pkey PRIMARY KEY (organization_id, customer_id)
) {{table}};
CREATE INDEX email_updates_by_expiry ON email_updates (expires_at);

-- A row is gone once its mail is sent or given up. due_at is also the lease of who is sending it.
CREATE TABLE mails (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    expires_at {{time}},
    due_at {{time}} NOT NULL,
    attempts {{int}} NOT NULL,
    recipient {{text}} NOT NULL,
    recipient_key {{text}} NOT NULL,
    letter {{text}} NOT NULL,
    sealed_secret {{bytes}},
    CONSTRAINT mails_pkey PRIMARY KEY (organization_id, id)
) {{table}};
CREATE INDEX mails_by_due ON mails (due_at);
