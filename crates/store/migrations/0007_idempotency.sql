-- Answers that show a secret. Such a body is sealed until answer_expires_at; then the sweep takes it away,
-- and the record stays with status 0 until expires_at: the request was answered, and with what is forgotten.
-- organization_id is whose keys these are: an organization or, where the caller acts for none, the person,
-- the customer or the member.

ALTER TABLE idempotency_records ADD COLUMN answer_expires_at {{time}};
CREATE INDEX idempotency_records_by_answer_expiry ON idempotency_records (answer_expires_at)
    WHERE answer_expires_at IS NOT NULL;
