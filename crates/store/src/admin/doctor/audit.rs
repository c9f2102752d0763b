//! Rows whose creation has no audit entry. Both sets of keys are compared with `EXCEPT`, as in [`super::queries`].

use super::check::{Check, check};

/// The check of a tenant's table. `$tenant` and `$subject` are the columns of the row's organization and of its id in the
/// audit log.
macro_rules! audited {
    ($table:literal, $tenant:literal, $subject:literal, $action:literal) => {
        check(
            "audited",
            $table,
            "it has no audit entry of its creation",
            concat!(
                "(t.",
                $tenant,
                ", t.",
                $subject,
                ") IN (SELECT r.",
                $tenant,
                ", r.",
                $subject,
                " FROM ",
                $table,
                " AS r EXCEPT SELECT a.organization_id, a.subject_id FROM audit_entries AS a WHERE a.action = '",
                $action,
                "')"
            ),
        )
    };
}

/// The check of a table that is read without knowing the organization.
macro_rules! audited_somewhere {
    ($table:literal, $action:literal) => {
        check(
            "audited",
            $table,
            "it has no audit entry of its creation",
            concat!(
                "t.id IN (SELECT r.id FROM ",
                $table,
                " AS r EXCEPT SELECT a.subject_id FROM audit_entries AS a WHERE a.action = '",
                $action,
                "')"
            ),
        )
    };
}

/// The checks, in the order of the tables.
pub(super) const CHECKS: &[Check] = &[
    audited_somewhere!("users", "user.created"),
    // A session of the console is a user token.
    check(
        "audited",
        "user_tokens",
        "it has no audit entry of its creation",
        "t.id IN (SELECT r.id FROM user_tokens AS r EXCEPT SELECT a.subject_id FROM audit_entries AS a
            WHERE a.action IN ('user_token.created', 'console_session.created'))",
    ),
    audited_somewhere!("passkeys", "passkey.created"),
    audited!("organizations", "id", "id", "organization.created"),
    audited!("team_members", "organization_id", "user_id", "team_member.created"),
    audited!("invitations", "organization_id", "id", "invitation.created"),
    audited!("access_tokens", "organization_id", "id", "access_token.created"),
    audited!("customers", "organization_id", "id", "customer.created"),
    audited!("members", "organization_id", "id", "member.created"),
    audited!("webhook_endpoints", "organization_id", "id", "webhook_endpoint.created"),
];
