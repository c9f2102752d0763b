-- Sub-accounts are organizations with a parent, and any organization can be suspended. sub_account_count
-- counts the live children: who makes one counts up the parent's row, so that the constraint keeps a child
-- from having children, whichever node writes.

ALTER TABLE organizations ADD COLUMN suspended_at {{time}};
ALTER TABLE organizations ADD COLUMN suspension_reason {{text}};
ALTER TABLE organizations ADD COLUMN sub_account_count {{int}} NOT NULL DEFAULT 0
    CONSTRAINT organizations_one_level CHECK (parent_id IS NULL OR sub_account_count = 0);
CREATE INDEX organizations_by_parent ON organizations (parent_id, id)
    WHERE parent_id IS NOT NULL AND deleted_at IS NULL;
