//! Rows whose creation has no audit entry. Rows of other shards are compared with `EXCEPT`, as in [`super::queries`].

use super::check::{Check, check};

/// The checks, in the order of the tables.
#[rustfmt::skip]
pub(super) const CHECKS: &[Check] = &[
    check("audited", "users", "it has no audit entry of its creation",
        "t.id IN (SELECT u.id FROM users AS u
            EXCEPT SELECT a.subject_id FROM audit_entries AS a WHERE a.action = 'user.created')"),
    check("audited", "user_tokens", "it has no audit entry of its creation",
        "t.id IN (SELECT u.id FROM user_tokens AS u
            EXCEPT SELECT a.subject_id FROM audit_entries AS a WHERE a.action = 'user_token.created')"),
    check("audited", "organizations", "it has no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.id AND a.subject_id = t.id AND a.action = 'organization.created')"),
    check("audited", "team_members", "it has no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.organization_id AND a.subject_id = t.user_id
                AND a.action = 'team_member.created')"),
    check("audited", "access_tokens", "it has no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.organization_id AND a.subject_id = t.id
                AND a.action = 'access_token.created')"),
    check("audited", "customers", "it has no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.organization_id AND a.subject_id = t.id
                AND a.action = 'customer.created')"),
    check("audited", "members", "it has no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.organization_id AND a.subject_id = t.id
                AND a.action = 'member.created')"),
    check("audited", "webhook_endpoints", "it has no audit entry of its creation",
        "NOT EXISTS (SELECT 1 FROM audit_entries AS a
            WHERE a.organization_id = t.organization_id AND a.subject_id = t.id
                AND a.action = 'webhook_endpoint.created')"),
];
