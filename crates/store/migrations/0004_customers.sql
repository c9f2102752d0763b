-- Customers that no longer say who they were, and what became of a token.

ALTER TABLE customers ADD COLUMN anonymized_at {{time}};
ALTER TABLE access_tokens ADD COLUMN modified_at {{time}};
ALTER TABLE access_tokens ADD COLUMN last_used_at {{time}};

-- A customer's members that are gone, and the audit entries about one row: what must be scrubbed with it.
CREATE INDEX members_deleted ON members (organization_id, customer_id, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX audit_entries_by_subject ON audit_entries (organization_id, subject_id, id);
