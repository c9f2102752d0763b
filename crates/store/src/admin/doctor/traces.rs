//! More invariants between rows: rows whose owner does not exist, credentials for the wrong subject, and changes
//! without an audit entry. Rows of other shards are compared with `EXCEPT`, as in [`super::queries`].

use super::check::{Check, check};

/// The checks, in the order of the tables.
#[rustfmt::skip]
pub(super) const CHECKS: &[Check] = &[
    // Credentials.
    check("known by what they open", "credentials", "another secret opens the same",
        "t.subject_id IN (SELECT c.subject_id FROM credentials AS c GROUP BY c.subject_id HAVING count(*) > 1)"),
    check("known by what they open", "credentials", "a person's, it names an organization",
        "t.kind = 'user_token' AND t.organization_id IS NOT NULL"),
    check("known by what they open", "credentials", "it opens a session of the other kind",
        "t.kind IN ('customer_session', 'member_session') AND (t.subject_id, t.kind) IN (
            SELECT s.id, CASE WHEN s.member_id IS NULL THEN 'member_session' ELSE 'customer_session' END
            FROM customer_sessions AS s)"),
    check("suspended is dead", "organizations", "it has a time of suspension without a reason, or the reverse",
        "(t.suspended_at IS NULL) <> (t.suspension_reason IS NULL)"),
    // Anonymized customers.
    check("forgotten", "members", "its customer is anonymized, and it says who it was",
        "(t.email NOT LIKE '%@anonymized.invalid' OR t.name || '@anonymized.invalid' <> t.email)
         AND EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id
                AND c.anonymized_at IS NOT NULL)"),
    // Rows without an owner.
    check("whole rows", "row_counters", "its organization is not there",
        "NOT EXISTS (SELECT 1 FROM organizations AS o WHERE o.id = t.organization_id)"),
    check("whole rows", "idempotency_records", "whose key it is is not there",
        "t.organization_id IN (SELECT r.organization_id FROM idempotency_records AS r
            EXCEPT SELECT o.id FROM organizations AS o EXCEPT SELECT u.id FROM users AS u
            EXCEPT SELECT c.id FROM customers AS c EXCEPT SELECT m.id FROM members AS m)"),
    // Creations without an audit entry.
    check("audit entry", "users", "no audit entry of its creation",
        "t.id IN (SELECT u.id FROM users AS u
            EXCEPT SELECT a.subject_id FROM audit_entries AS a WHERE a.action = 'user.created')"),
    check("audit entry", "user_tokens", "no audit entry of its creation",
        "t.id IN (SELECT u.id FROM user_tokens AS u
            EXCEPT SELECT a.subject_id FROM audit_entries AS a WHERE a.action = 'user_token.created')"),
    check("audit entry", "organizations", "no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.id AND a.subject_id = t.id AND a.action = 'organization.created')"),
    check("audit entry", "team_members", "no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.organization_id AND a.subject_id = t.user_id
                AND a.action = 'team_member.created')"),
    check("audit entry", "access_tokens", "no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.organization_id AND a.subject_id = t.id
                AND a.action = 'access_token.created')"),
    check("audit entry", "customers", "no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.organization_id AND a.subject_id = t.id
                AND a.action = 'customer.created')"),
    check("audit entry", "members", "no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.organization_id AND a.subject_id = t.id
                AND a.action = 'member.created')"),
    check("audit entry", "webhook_endpoints", "no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.organization_id AND a.subject_id = t.id
                AND a.action = 'webhook_endpoint.created')"),
];
