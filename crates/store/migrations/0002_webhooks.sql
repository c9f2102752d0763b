-- Webhooks: whom an organization's events are told, the events, and the attempts to deliver them.

-- The secret is sealed for its endpoint: it signs every request, and the API shows it.
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
    CONSTRAINT webhook_endpoints_format CHECK (format IN ('raw', 'discord', 'slack'))
) {{table}};
CREATE INDEX webhook_endpoints_listening ON webhook_endpoints (organization_id, id)
    WHERE deleted_at IS NULL;

-- An endpoint has two lanes: first attempts in order, and repeated ones by their time. In each, one request
-- is on its way at a time: whoever sends it holds the lane until leased_until. due_at is when the lane has
-- something to do; nothing while it has nothing. last_sequence numbers the events of the endpoint.
CREATE TABLE webhook_lanes (
    organization_id {{id}} NOT NULL,
    endpoint_id {{id}} NOT NULL,
    lane {{text}} NOT NULL,
    due_at {{time}},
    leased_until {{time}},
    last_sequence {{int}} NOT NULL,
    CONSTRAINT webhook_lanes_pkey PRIMARY KEY (organization_id, endpoint_id, lane),
    CONSTRAINT webhook_lanes_lane CHECK (lane IN ('first', 'again'))
) {{table}};
CREATE INDEX webhook_lanes_by_due ON webhook_lanes (due_at) WHERE due_at IS NOT NULL;

-- One row for each endpoint that is told of an event. data is the changed row, payload the text that is
-- sent, written at the first attempt; subject_id is the customer or organization that they are about. A pending event without due_at waits for its first attempt.
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
    CONSTRAINT webhook_events_state CHECK (state IN ('pending', 'succeeded', 'failed', 'skipped'))
) {{table}};
CREATE UNIQUE INDEX webhook_events_sequence ON webhook_events (organization_id, endpoint_id, sequence);
CREATE INDEX webhook_events_waiting ON webhook_events (organization_id, endpoint_id, sequence)
    WHERE state = 'pending' AND due_at IS NULL;
CREATE INDEX webhook_events_due ON webhook_events (organization_id, endpoint_id, due_at)
    WHERE due_at IS NOT NULL;
CREATE INDEX webhook_events_completed ON webhook_events (organization_id, endpoint_id, sequence)
    WHERE completed_at IS NOT NULL;
CREATE INDEX webhook_events_by_subject ON webhook_events (organization_id, subject_id) WHERE data IS NOT NULL;
CREATE INDEX webhook_events_by_age ON webhook_events (created_at) WHERE data IS NOT NULL;

CREATE TABLE webhook_deliveries (
    organization_id {{id}} NOT NULL,
    id {{id}} NOT NULL,
    endpoint_id {{id}} NOT NULL,
    event_id {{id}} NOT NULL,
    created_at {{time}} NOT NULL,
    succeeded {{bool}} NOT NULL,
    http_code {{int}},
    response {{text}},
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (organization_id, id)
) {{table}};
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (organization_id, endpoint_id, id);
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (organization_id, event_id, id);
