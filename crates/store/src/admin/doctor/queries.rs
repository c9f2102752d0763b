//! Invariants between rows. Each is an SQL condition that is true for a row `t` that breaks the invariant.
//!
//! A sharding engine cannot run a correlated subquery on rows of other shards than that of `t`. Such a check
//! compares both sets of keys with `EXCEPT` instead.

use super::check::{Check, check};
use super::{Batches, Finding};
use crate::error::unexpected;
use crate::schema::Catalog;
use crate::{StoreError, Tx};

/// The checks, in the order of the tables.
#[rustfmt::skip]
pub(super) const CHECKS: &[Check] = &[
    // People and teams.
    check("complete rows", "user_tokens", "its user does not exist",
        "NOT EXISTS (SELECT 1 FROM users AS u WHERE u.id = t.user_id)
         AND NOT EXISTS (SELECT 1 FROM user_deletions AS d WHERE d.user_id = t.user_id)"),
    check("proved addresses", "user_tokens", "it is a session of a person who has not proved the address",
        "t.idle_s IS NOT NULL AND EXISTS (SELECT 1 FROM users AS u
            WHERE u.id = t.user_id AND u.email_verified_at IS NULL)"),
    check("bounded codes", "sign_ins", "it has more failed tries than a code has",
        "t.failed_tries > 5"),
    check("bounded codes", "portal_sign_ins", "it has more failed tries than a code has",
        "t.failed_tries > 5"),
    check("bounded codes", "portal_sign_ins", "it is proved without an address",
        "t.proved_at IS NOT NULL AND t.email_key IS NULL"),
    check("complete rows", "passkeys", "its user does not exist",
        "NOT EXISTS (SELECT 1 FROM users AS u WHERE u.id = t.user_id)"),
    check("complete rows", "recovery_codes", "its user does not exist",
        "NOT EXISTS (SELECT 1 FROM users AS u WHERE u.id = t.user_id)"),
    check("recovery codes", "recovery_codes", "its user has more than ten",
        "t.user_id IN (SELECT c.user_id FROM recovery_codes AS c GROUP BY c.user_id HAVING count(*) > 10)"),
    check("complete rows", "known_browsers", "its user does not exist",
        "NOT EXISTS (SELECT 1 FROM users AS u WHERE u.id = t.user_id)"),
    check("known browsers", "known_browsers", "its user has more than twenty",
        "t.user_id IN (SELECT b.user_id FROM known_browsers AS b GROUP BY b.user_id HAVING count(*) > 20)"),
    check("listed memberships", "user_organizations", "the team has no such member",
        "(t.user_id, t.organization_id) IN (SELECT u.user_id, u.organization_id FROM user_organizations AS u
            EXCEPT SELECT m.user_id, m.organization_id FROM team_members AS m)"),
    check("listed memberships", "team_members", "user_organizations lacks the membership",
        "(t.user_id, t.organization_id) IN (SELECT m.user_id, m.organization_id FROM team_members AS m
            EXCEPT SELECT u.user_id, u.organization_id FROM user_organizations AS u)"),
    check("complete rows", "team_members", "its user does not exist",
        "t.user_id IN (SELECT m.user_id FROM team_members AS m EXCEPT SELECT u.id FROM users AS u
            EXCEPT SELECT d.user_id FROM user_deletions AS d)"),
    check("one person", "team_members", "its address is not that of its user",
        "(t.user_id, t.email_key) IN (SELECT m.user_id, m.email_key FROM team_members AS m
            EXCEPT SELECT u.id, u.email_key FROM users AS u)
         AND t.user_id IN (SELECT u.id FROM users AS u EXCEPT SELECT c.user_id FROM user_email_changes AS c)"),
    check("one person", "user_email_changes", "its user has another address",
        "NOT EXISTS (SELECT 1 FROM users AS u WHERE u.id = t.user_id AND u.email_key = t.email_key)"),
    check("one owner of an organization", "organizations", "its team does not have exactly one owner",
        "(SELECT count(*) FROM team_members AS m
            WHERE m.organization_id = t.id AND m.role = 'owner') <> 1"),
    check("one owner of an organization", "organizations", "owner_user_id is not the owner of its team",
        "NOT EXISTS (SELECT 1 FROM team_members AS m
            WHERE m.organization_id = t.id AND m.user_id = t.owner_user_id AND m.role = 'owner')"),
    check("one owner of an organization", "team_members", "the ownership is offered to the owner",
        "t.role = 'owner' AND t.offered_until IS NOT NULL"),
    check("one owner of an organization", "team_members", "the ownership is offered to another person as well",
        "t.offered_until IS NOT NULL AND EXISTS (SELECT 1 FROM team_members AS m
            WHERE m.organization_id = t.organization_id AND m.user_id <> t.user_id AND m.offered_until IS NOT NULL)"),
    check("listed memberships", "former_team_members", "its user does not exist",
        "NOT EXISTS (SELECT 1 FROM users AS u WHERE u.id = t.user_id)
         AND NOT EXISTS (SELECT 1 FROM user_deletions AS d WHERE d.user_id = t.user_id)"),
    check("deleted people", "user_deletions", "its user exists",
        "EXISTS (SELECT 1 FROM users AS u WHERE u.id = t.user_id)"),
    check("deleted people", "audit_entries", "it is about a deleted user and contains personal data",
        "(t.action LIKE 'team_member.%' OR t.action LIKE 'user.%')
         AND (t.before LIKE '%\"email\":\"%' AND t.before NOT LIKE '%@anonymized.invalid\"%'
            OR t.after LIKE '%\"email\":\"%' AND t.after NOT LIKE '%@anonymized.invalid\"%')
         AND t.subject_id IN (
            SELECT a.subject_id FROM audit_entries AS a
            WHERE a.action LIKE 'team_member.%' OR a.action LIKE 'user.%'
            EXCEPT SELECT u.id FROM users AS u EXCEPT SELECT d.user_id FROM user_deletions AS d)"),
    check("deleted people", "invitations", "it was accepted by a deleted user",
        "t.accepted_by_user_id IN (SELECT i.accepted_by_user_id FROM invitations AS i
            EXCEPT SELECT u.id FROM users AS u EXCEPT SELECT d.user_id FROM user_deletions AS d)"),
    check("one pending invitation", "invitations", "another pending invitation of the organization has its address",
        "t.state = 'pending' AND EXISTS (SELECT 1 FROM invitations AS o
            WHERE o.organization_id = t.organization_id AND o.email_key = t.email_key AND o.id <> t.id
                AND o.state = 'pending')"),
    check("one owner of an organization", "invitations", "it makes its person an owner", "t.role = 'owner'"),
    check("bounded invitations", "invitations", "it was sent again too often",
        "t.issue_count > 6 OR t.sent_count > t.issue_count"),
    check("listed invitations", "invitations", "invitation_addresses lacks it",
        "(t.email_key, t.organization_id, t.id) IN (
            SELECT i.email_key, i.organization_id, i.id FROM invitations AS i
            EXCEPT SELECT a.email_key, a.organization_id, a.invitation_id FROM invitation_addresses AS a)"),
    check("listed invitations", "invitation_addresses", "its invitation does not exist",
        "(t.email_key, t.organization_id, t.invitation_id) IN (
            SELECT a.email_key, a.organization_id, a.invitation_id FROM invitation_addresses AS a
            EXCEPT SELECT i.email_key, i.organization_id, i.id FROM invitations AS i)"),
    check("listed invitations", "invitation_addresses", "is_pending differs from the state of its invitation",
        "(t.organization_id, t.invitation_id, t.is_pending) IN (
            SELECT i.organization_id, i.id, i.state <> 'pending' FROM invitations AS i)"),
    check("deleted people", "audit_entries", "it is by a deleted user and has a client",
        "t.client_address IS NOT NULL AND t.actor_kind = 'user' AND t.actor_id IN (
            SELECT a.actor_id FROM audit_entries AS a WHERE a.actor_kind = 'user'
            EXCEPT SELECT u.id FROM users AS u EXCEPT SELECT d.user_id FROM user_deletions AS d)"),
    // Organizations.
    check("permanent slugs", "organization_slugs", "its organization does not exist",
        "t.organization_id IN (SELECT s.organization_id FROM organization_slugs AS s
            EXCEPT SELECT o.id FROM organizations AS o)"),
    check("permanent slugs", "organizations", "organization_slugs does not map its slug to it",
        "(t.slug, t.id) IN (SELECT o.slug, o.id FROM organizations AS o
            EXCEPT SELECT s.slug, s.organization_id FROM organization_slugs AS s)"),
    check("one level", "organizations", "its parent does not exist",
        "t.deleted_at IS NULL AND t.parent_id IN (
            SELECT c.parent_id FROM organizations AS c WHERE c.parent_id IS NOT NULL AND c.deleted_at IS NULL
            EXCEPT SELECT p.id FROM organizations AS p)"),
    check("one level", "organizations", "its parent has a parent",
        "t.parent_id IN (SELECT p.id FROM organizations AS p WHERE p.parent_id IS NOT NULL)"),
    check("exact counters", "organizations", "sub_account_count differs from the number of its sub-accounts",
        "(t.id, t.sub_account_count) IN (
            SELECT o.id, o.sub_account_count FROM organizations AS o WHERE o.sub_account_count <> 0
            EXCEPT SELECT c.parent_id, count(*) FROM organizations AS c WHERE c.deleted_at IS NULL
            GROUP BY c.parent_id)
         OR t.sub_account_count = 0 AND t.id IN (SELECT c.parent_id FROM organizations AS c
            WHERE c.parent_id IS NOT NULL AND c.deleted_at IS NULL)"),
    check("complete imports", "organization_imports", "its import has not finished", "1 = 1"),
    check("kept while deleted", "organizations", "its purge has begun, but it is not deleted",
        "t.purge_began_at IS NOT NULL AND t.deleted_at IS NULL"),
    check("suspension shuts out", "organizations", "it has only one of suspended_at and suspension_reason",
        "(t.suspended_at IS NULL) <> (t.suspension_reason IS NULL)"),
    check("complete rows", "row_counters", "its organization does not exist",
        "NOT EXISTS (SELECT 1 FROM organizations AS o WHERE o.id = t.organization_id)"),
    // Credentials.
    check("one credential each", "credentials", "its session, e-mail update or invitation has another credential",
        "t.kind IN ('customer_session', 'member_session', 'email_change', 'invitation')
         AND t.subject_id IN (SELECT c.subject_id FROM credentials AS c GROUP BY c.subject_id HAVING count(*) > 1)"),
    check("two secrets", "credentials", "it is neither the current nor the previous secret of its token",
        "t.kind IN ('access_token', 'api_key', 'user_token', 'console_session') AND t.secret_hash IN (SELECT lost.secret_hash FROM (
            SELECT c.secret_hash, c.subject_id FROM credentials AS c
            EXCEPT SELECT a.secret_hash, a.id FROM access_tokens AS a
            EXCEPT SELECT a.previous_secret_hash, a.id FROM access_tokens AS a
            EXCEPT SELECT u.secret_hash, u.id FROM user_tokens AS u
            EXCEPT SELECT u.previous_secret_hash, u.id FROM user_tokens AS u) AS lost)"),
    check("two secrets", "access_tokens", "its previous secret has no credential",
        "t.previous_secret_hash IN (SELECT lost.hash FROM (
            SELECT a.previous_secret_hash AS hash, a.id FROM access_tokens AS a
            WHERE a.previous_secret_hash IS NOT NULL
            EXCEPT SELECT c.secret_hash, c.subject_id FROM credentials AS c) AS lost)"),
    check("two secrets", "user_tokens", "its previous secret has no credential",
        "t.previous_secret_hash IN (SELECT lost.hash FROM (
            SELECT a.previous_secret_hash AS hash, a.id FROM user_tokens AS a
            WHERE a.previous_secret_hash IS NOT NULL
            EXCEPT SELECT c.secret_hash, c.subject_id FROM credentials AS c) AS lost)"),
    check("one credential each", "credentials", "it is of a user token and names an organization",
        "t.kind IN ('user_token', 'console_session') AND t.organization_id IS NOT NULL"),
    check("one credential each", "credentials", "its kind is not that of its session",
        "t.kind IN ('customer_session', 'member_session') AND (t.subject_id, t.kind) IN (
            SELECT s.id, CASE WHEN s.member_id IS NULL THEN 'member_session' ELSE 'customer_session' END
            FROM customer_sessions AS s)"),
    check("one credential each", "credentials", "its access token does not exist",
        "t.kind NOT IN ('user_token', 'console_session', 'customer_session', 'member_session', 'email_change',
            'invitation')
         AND (t.organization_id IS NULL OR (t.organization_id, t.subject_id) IN (
            SELECT c.organization_id, c.subject_id FROM credentials AS c
            EXCEPT SELECT a.organization_id, a.id FROM access_tokens AS a))"),
    check("one credential each", "credentials", "its user token does not exist",
        "t.kind IN ('user_token', 'console_session') AND NOT EXISTS (SELECT 1 FROM user_tokens AS u WHERE u.id = t.subject_id)"),
    check("one credential each", "credentials", "its customer session does not exist",
        "t.kind IN ('customer_session', 'member_session') AND t.secret_hash IN (SELECT lost.secret_hash FROM (
            SELECT c.secret_hash, c.organization_id, c.subject_id FROM credentials AS c
            EXCEPT SELECT s.secret_hash, s.organization_id, s.id FROM customer_sessions AS s) AS lost)"),
    check("one credential each", "credentials", "its e-mail update does not exist",
        "t.kind = 'email_change' AND t.secret_hash IN (SELECT lost.secret_hash FROM (
            SELECT c.secret_hash, c.organization_id, c.subject_id FROM credentials AS c
            EXCEPT SELECT e.secret_hash, e.organization_id, e.id FROM email_updates AS e) AS lost)"),
    check("one credential each", "credentials", "its invitation does not exist",
        "t.kind = 'invitation' AND t.secret_hash IN (SELECT lost.secret_hash FROM (
            SELECT c.secret_hash, c.organization_id, c.subject_id FROM credentials AS c
            EXCEPT SELECT i.secret_hash, i.organization_id, i.id FROM invitations AS i) AS lost)"),
    check("one credential each", "access_tokens", "it has no credential",
        "t.deleted_at IS NULL AND t.secret_hash IN (SELECT lost.secret_hash FROM (
            SELECT a.secret_hash, a.id FROM access_tokens AS a WHERE a.deleted_at IS NULL
            EXCEPT SELECT c.secret_hash, c.subject_id FROM credentials AS c) AS lost)"),
    check("one credential each", "user_tokens", "it has no credential",
        "t.deleted_at IS NULL AND t.secret_hash IN (SELECT lost.secret_hash FROM (
            SELECT a.secret_hash, a.id FROM user_tokens AS a WHERE a.deleted_at IS NULL
            EXCEPT SELECT c.secret_hash, c.subject_id FROM credentials AS c) AS lost)"),
    check("one credential each", "customer_sessions", "it has no credential",
        "t.secret_hash IN (SELECT lost.secret_hash FROM (SELECT s.secret_hash, s.id FROM customer_sessions AS s
            EXCEPT SELECT c.secret_hash, c.subject_id FROM credentials AS c) AS lost)"),
    check("one credential each", "email_updates", "it has no credential",
        "t.secret_hash IN (SELECT lost.secret_hash FROM (SELECT s.secret_hash, s.id FROM email_updates AS s
            EXCEPT SELECT c.secret_hash, c.subject_id FROM credentials AS c) AS lost)"),
    check("one credential each", "invitations", "it has no credential",
        "t.secret_hash IN (SELECT lost.secret_hash FROM (SELECT i.secret_hash, i.id FROM invitations AS i
            EXCEPT SELECT c.secret_hash, c.subject_id FROM credentials AS c) AS lost)"),
    check("ending sessions", "customer_sessions", "its customer does not exist or is deleted",
        "NOT EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id AND c.deleted_at IS NULL)"),
    check("ending sessions", "customer_sessions", "its member does not exist or is deleted",
        "t.member_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members AS m
            WHERE m.organization_id = t.organization_id AND m.id = t.member_id
                AND m.customer_id = t.customer_id AND m.deleted_at IS NULL)"),
    check("ending sessions", "email_updates", "its customer does not exist or is deleted",
        "NOT EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id AND c.deleted_at IS NULL)"),
    // Customers and members.
    check("complete rows", "customers", "its organization does not exist",
        "NOT EXISTS (SELECT 1 FROM organizations AS o WHERE o.id = t.organization_id)"),
    check("one owner of a customer", "customers", "it does not have exactly one owner",
        "t.deleted_at IS NULL AND (SELECT count(*) FROM members AS m
            WHERE m.organization_id = t.organization_id AND m.customer_id = t.id AND m.deleted_at IS NULL
                AND m.role = 'owner') <> 1"),
    check("one owner of a customer", "customers", "it is an individual without exactly one member",
        "t.deleted_at IS NULL AND t.kind = 'individual' AND (SELECT count(*) FROM members AS m
            WHERE m.organization_id = t.organization_id AND m.customer_id = t.id
                AND m.deleted_at IS NULL) <> 1"),
    check("one owner of a customer", "members", "is_of_individual differs from the kind of its customer",
        "t.deleted_at IS NULL AND EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id
                AND t.is_of_individual <> (c.kind = 'individual'))"),
    check("exact counters", "customers", "row_counters differ from the number of its members",
        "(SELECT coalesce(sum(k.row_count), 0) FROM row_counters AS k
            WHERE k.organization_id = t.organization_id AND k.counter = 'customer_members' AND k.subject_id = t.id)
         <> (SELECT count(*) FROM members AS m
            WHERE m.organization_id = t.organization_id AND m.customer_id = t.id AND m.deleted_at IS NULL)"),
    check("exact counters", "organizations", "row_counters differ from the number of its access tokens",
        "(SELECT coalesce(sum(k.row_count), 0) FROM row_counters AS k
            WHERE k.organization_id = t.id AND k.counter = 'access_tokens')
         <> (SELECT count(*) FROM access_tokens AS a WHERE a.organization_id = t.id AND a.deleted_at IS NULL)"),
    check("exact counters", "organizations", "row_counters differ from the number of its customers",
        "(SELECT coalesce(sum(k.row_count), 0) FROM row_counters AS k
            WHERE k.organization_id = t.id AND k.counter = 'customers')
         <> (SELECT count(*) FROM customers AS c WHERE c.organization_id = t.id AND c.deleted_at IS NULL)"),
    check("exact counters", "organizations", "row_counters differ from the number of its members",
        "(SELECT coalesce(sum(k.row_count), 0) FROM row_counters AS k
            WHERE k.organization_id = t.id AND k.counter = 'members')
         <> (SELECT count(*) FROM members AS m WHERE m.organization_id = t.id AND m.deleted_at IS NULL)"),
    check("complete rows", "members", "its customer does not exist or is deleted",
        "t.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id AND c.deleted_at IS NULL)"),
    check("one address", "customers", "another customer of the organization has its address",
        "t.deleted_at IS NULL AND EXISTS (SELECT 1 FROM customers AS o
            WHERE o.organization_id = t.organization_id AND o.email_key = t.email_key AND o.id <> t.id
                AND o.deleted_at IS NULL)"),
    check("one address", "members", "another member of the customer has its address",
        "t.deleted_at IS NULL AND EXISTS (SELECT 1 FROM members AS o
            WHERE o.organization_id = t.organization_id AND o.customer_id = t.customer_id
                AND o.email_key = t.email_key AND o.id <> t.id AND o.deleted_at IS NULL)"),
    check("one person", "users", "another user has its address",
        "EXISTS (SELECT 1 FROM users AS o WHERE o.email_key = t.email_key AND o.id <> t.id)"),
    check("one external id", "customers", "another customer of the organization has its external id",
        "t.deleted_at IS NULL AND EXISTS (SELECT 1 FROM customers AS o
            WHERE o.organization_id = t.organization_id AND o.external_id = t.external_id AND o.id <> t.id
                AND o.deleted_at IS NULL)"),
    check("one external id", "members", "another member of the customer has its external id",
        "t.deleted_at IS NULL AND EXISTS (SELECT 1 FROM members AS o
            WHERE o.organization_id = t.organization_id AND o.customer_id = t.customer_id
                AND o.external_id = t.external_id AND o.id <> t.id AND o.deleted_at IS NULL)"),
    check("anonymized", "customers", "it is anonymized and not deleted",
        "t.anonymized_at IS NOT NULL AND t.deleted_at IS NULL"),
    check("anonymized", "members", "its customer is anonymized, but it contains personal data",
        "(t.email NOT LIKE '%@anonymized.invalid' OR t.name || '@anonymized.invalid' <> t.email)
         AND EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id
                AND c.anonymized_at IS NOT NULL)"),
    check("searchable customers", "customer_metadata", "its customer does not exist or is deleted",
        "NOT EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id AND c.deleted_at IS NULL)"),
    // Imports.
    check("resumable imports", "customer_imports", "its counts differ from the rows that are done",
        "t.created_rows + t.updated_rows + t.unchanged_rows + t.skipped_rows + t.failed_rows > t.row_count
         OR t.state = 'completed'
            AND t.created_rows + t.updated_rows + t.unchanged_rows + t.skipped_rows + t.failed_rows <> t.row_count"),
    check("resumable imports", "customer_imports", "it is running and never due, or due without work",
        "t.state = 'running' AND t.due_at IS NULL OR t.due_at IS NOT NULL AND t.state NOT IN ('running', 'stopped', 'failed')"),
    check("resumable imports", "customer_imports", "it has an end and goes on, or the reverse",
        "(t.state IN ('completed', 'stopped', 'failed')) <> (t.finished_at IS NOT NULL)
         OR (t.state = 'running') <> (t.expires_at IS NULL)"),
    check("resumable imports", "customer_imports", "it ended early without a reason, or the reverse",
        "(t.state IN ('stopped', 'failed')) <> (t.stop_reason IS NOT NULL)"),
    check("resumable imports", "customer_imports", "it has more failed rows than it counts",
        "t.failed_rows < (SELECT count(*) FROM customer_import_failures AS f
            WHERE f.organization_id = t.organization_id AND f.import_id = t.id)"),
    check("resumable imports", "customer_import_chunks", "no row of it is to be carried out",
        "EXISTS (SELECT 1 FROM customer_imports AS i
            WHERE i.organization_id = t.organization_id AND i.id = t.import_id AND i.due_at IS NULL
                AND i.state IN ('completed', 'stopped', 'failed'))"),
    check("bounded imports", "customer_imports", "its rows do not count as stored",
        "t.stored_bytes < 0 OR t.stored_bytes = 0 AND (
            EXISTS (SELECT 1 FROM customer_import_chunks AS c
                WHERE c.organization_id = t.organization_id AND c.import_id = t.id)
            OR EXISTS (SELECT 1 FROM customer_import_failures AS f
                WHERE f.organization_id = t.organization_id AND f.import_id = t.id)
            OR EXISTS (SELECT 1 FROM customer_import_keys AS k
                WHERE k.organization_id = t.organization_id AND k.import_id = t.id))"),
    // Webhooks.
    check("ordered events", "webhook_endpoints", "it does not have its two queues",
        "t.deleted_at IS NULL AND (SELECT count(*) FROM webhook_queues AS l
            WHERE l.organization_id = t.organization_id AND l.endpoint_id = t.id) <> 2"),
    // A queue with a due time is exempt: the worker is still giving up the events of the deleted endpoint, in batches.
    check("ordered events", "webhook_queues", "its endpoint does not exist or is deleted",
        "NOT EXISTS (SELECT 1 FROM webhook_queues AS o
            WHERE o.organization_id = t.organization_id AND o.endpoint_id = t.endpoint_id
                AND o.due_at IS NOT NULL)
         AND NOT EXISTS (SELECT 1 FROM webhook_endpoints AS e
            WHERE e.organization_id = t.organization_id AND e.id = t.endpoint_id AND e.deleted_at IS NULL)"),
    check("fair delivery", "webhook_queues", "owner_user_id is not the owner of its organization",
        "NOT EXISTS (SELECT 1 FROM organizations AS o
            WHERE o.id = t.organization_id AND o.owner_user_id = t.owner_user_id)"),
    check("ordered events", "webhook_events", "its sequence number is above that of its endpoint's queue",
        "EXISTS (SELECT 1 FROM webhook_queues AS l
            WHERE l.organization_id = t.organization_id AND l.endpoint_id = t.endpoint_id
                AND l.queue = 'first_attempts' AND l.last_sequence < t.sequence)"),
    check("ordered events", "webhook_events", "another event of the endpoint has its sequence number",
        "EXISTS (SELECT 1 FROM webhook_events AS o
            WHERE o.organization_id = t.organization_id AND o.endpoint_id = t.endpoint_id
                AND o.sequence = t.sequence AND o.id <> t.id)"),
    check("at-least-once delivery", "webhook_events", "its first attempt is pending, but its queue is not due",
        "t.state = 'pending' AND t.due_at IS NULL AND NOT EXISTS (SELECT 1 FROM webhook_queues AS l
            WHERE l.organization_id = t.organization_id AND l.endpoint_id = t.endpoint_id
                AND l.queue = 'first_attempts' AND l.due_at IS NOT NULL)"),
    check("at-least-once delivery", "webhook_events", "its retry is pending, but its queue is not due",
        "t.due_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM webhook_queues AS l
            WHERE l.organization_id = t.organization_id AND l.endpoint_id = t.endpoint_id
                AND l.queue = 'retries' AND l.due_at IS NOT NULL)"),
    check("at-least-once delivery", "webhook_events", "it is pending and has no data",
        "t.state = 'pending' AND t.data IS NULL AND t.payload IS NULL"),
    check("uncounted tests", "webhook_events", "it is a test and counts towards disabling its endpoint",
        "t.type = 'webhook_endpoint.test' AND t.completed_at IS NOT NULL"),
    // Mail.
    check("fair mail", "mails", "it is pending, but the queue of its account is not due",
        "NOT EXISTS (SELECT 1 FROM mail_queues AS q
            WHERE q.organization_id = t.organization_id AND q.queue = t.queue AND q.due_at IS NOT NULL)"),
    check("deleted people", "mails", "it goes to a deleted user",
        "t.user_id IN (SELECT m.user_id FROM mails AS m EXCEPT SELECT u.id FROM users AS u
            EXCEPT SELECT d.user_id FROM user_deletions AS d)"),
    // Stored responses.
    check("complete rows", "idempotency_records", "the owner of its key does not exist",
        "t.organization_id IN (SELECT r.organization_id FROM idempotency_records AS r
            EXCEPT SELECT o.id FROM organizations AS o EXCEPT SELECT u.id FROM users AS u
            EXCEPT SELECT d.user_id FROM user_deletions AS d EXCEPT SELECT c.id FROM customers AS c EXCEPT SELECT m.id FROM members AS m)"),
    check("idempotent POST", "idempotency_records", "it has neither a response nor the mark of a deleted one",
        "(t.status <> 0 OR t.response_expires_at IS NOT NULL) AND t.status NOT BETWEEN 100 AND 599"),
];

pub(super) async fn inspect(
    tx: &mut Tx<'_>,
    catalog: &Catalog,
    Check { rule, fault }: &'static Check,
    found: &mut impl FnMut(Finding),
) -> Result<(), StoreError> {
    let table = catalog.table(rule.table).ok_or_else(|| unexpected(format!("no table {}", rule.table)))?;
    let mut batches = Batches::new(table, fault);
    while let Some(rows) = batches.next(tx).await? {
        rows.iter().for_each(|row| found(Finding::new(rule, table, row)));
    }
    Ok(())
}
