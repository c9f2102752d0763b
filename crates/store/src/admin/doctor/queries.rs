//! Invariants between rows. Each is an SQL condition that is true for a row `t` that breaks the invariant.
//!
//! A sharding engine cannot run a correlated subquery on rows of other shards than that of `t`. Such a check
//! compares both sets of keys with `EXCEPT` instead.

use super::check::{Check, check};
use super::{Finding, Parts, traces};
use crate::error::unexpected;
use crate::schema::Catalog;
use crate::{StoreError, Tx};

/// The checks, in the order of the tables.
#[rustfmt::skip]
pub(super) const CHECKS: &[Check] = &[
    // People and teams.
    check("whole rows", "user_tokens", "its person is not there",
        "NOT EXISTS (SELECT 1 FROM users AS u WHERE u.id = t.user_id)"),
    check("both ways", "user_organizations", "the team does not have the person",
        "(t.user_id, t.organization_id) IN (SELECT u.user_id, u.organization_id FROM user_organizations AS u
            EXCEPT SELECT m.user_id, m.organization_id FROM team_members AS m)"),
    check("both ways", "team_members", "the person is not known to be in the team",
        "(t.user_id, t.organization_id) IN (SELECT m.user_id, m.organization_id FROM team_members AS m
            EXCEPT SELECT u.user_id, u.organization_id FROM user_organizations AS u)"),
    check("whole rows", "team_members", "its person is not there",
        "t.user_id IN (SELECT m.user_id FROM team_members AS m EXCEPT SELECT u.id FROM users AS u)"),
    check("a team has its owner", "organizations", "its team does not have exactly one owner",
        "t.deleted_at IS NULL AND (SELECT count(*) FROM team_members AS m
            WHERE m.organization_id = t.id AND m.role = 'owner') <> 1"),
    check("a team has its owner", "organizations", "its owner does not own its team",
        "t.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM team_members AS m
            WHERE m.organization_id = t.id AND m.user_id = t.owner_user_id AND m.role = 'owner')"),
    // Organizations.
    check("slugs stay", "organization_slugs", "its organization is not there",
        "t.organization_id IN (SELECT s.organization_id FROM organization_slugs AS s
            EXCEPT SELECT o.id FROM organizations AS o)"),
    check("slugs stay", "organizations", "its slug does not lead to it",
        "(t.slug, t.id) IN (SELECT o.slug, o.id FROM organizations AS o
            EXCEPT SELECT s.slug, s.organization_id FROM organization_slugs AS s)"),
    check("one level", "organizations", "its parent is not there",
        "t.deleted_at IS NULL AND t.parent_id IN (
            SELECT c.parent_id FROM organizations AS c WHERE c.parent_id IS NOT NULL AND c.deleted_at IS NULL
            EXCEPT SELECT p.id FROM organizations AS p WHERE p.deleted_at IS NULL)"),
    check("one level", "organizations", "its parent has a parent",
        "t.parent_id IN (SELECT p.id FROM organizations AS p WHERE p.parent_id IS NOT NULL)"),
    check("counts are kept", "organizations", "its count of sub-accounts is not how many there are",
        "(t.id, t.sub_account_count) IN (
            SELECT o.id, o.sub_account_count FROM organizations AS o WHERE o.sub_account_count <> 0
            EXCEPT SELECT c.parent_id, count(*) FROM organizations AS c WHERE c.deleted_at IS NULL
            GROUP BY c.parent_id)
         OR t.sub_account_count = 0 AND t.id IN (SELECT c.parent_id FROM organizations AS c
            WHERE c.parent_id IS NOT NULL AND c.deleted_at IS NULL)"),
    // Credentials.
    check("known by what they open", "credentials", "the token that it opens is not there",
        "t.kind NOT IN ('user_token', 'customer_session', 'member_session', 'email_change')
         AND (t.organization_id IS NULL OR (t.organization_id, t.subject_id) IN (
            SELECT c.organization_id, c.subject_id FROM credentials AS c
            EXCEPT SELECT a.organization_id, a.id FROM access_tokens AS a))"),
    check("known by what they open", "credentials", "the person's token that it opens is not there",
        "t.kind = 'user_token' AND NOT EXISTS (SELECT 1 FROM user_tokens AS u WHERE u.id = t.subject_id)"),
    check("known by what they open", "credentials", "the session that it opens is not there",
        "t.kind IN ('customer_session', 'member_session') AND t.secret_hash IN (SELECT lost.secret_hash FROM (
            SELECT c.secret_hash, c.organization_id, c.subject_id FROM credentials AS c
            EXCEPT SELECT s.secret_hash, s.organization_id, s.id FROM customer_sessions AS s) AS lost)"),
    check("known by what they open", "credentials", "the wish for another address that it proves is not there",
        "t.kind = 'email_change' AND t.secret_hash IN (SELECT lost.secret_hash FROM (
            SELECT c.secret_hash, c.organization_id, c.subject_id FROM credentials AS c
            EXCEPT SELECT e.secret_hash, e.organization_id, e.id FROM email_updates AS e) AS lost)"),
    check("known by what they open", "access_tokens", "no secret opens it",
        "t.id IN (SELECT a.id FROM access_tokens AS a WHERE a.deleted_at IS NULL
            EXCEPT SELECT c.subject_id FROM credentials AS c)"),
    check("known by what they open", "user_tokens", "no secret opens it",
        "t.id IN (SELECT a.id FROM user_tokens AS a WHERE a.deleted_at IS NULL
            EXCEPT SELECT c.subject_id FROM credentials AS c)"),
    check("known by what they open", "customer_sessions", "no secret opens it",
        "t.secret_hash IN (SELECT lost.secret_hash FROM (SELECT s.secret_hash, s.id FROM customer_sessions AS s
            EXCEPT SELECT c.secret_hash, c.subject_id FROM credentials AS c) AS lost)"),
    check("known by what they open", "email_updates", "no secret proves it",
        "t.secret_hash IN (SELECT lost.secret_hash FROM (SELECT s.secret_hash, s.id FROM email_updates AS s
            EXCEPT SELECT c.secret_hash, c.subject_id FROM credentials AS c) AS lost)"),
    check("sessions end", "customer_sessions", "its customer is gone",
        "NOT EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id AND c.deleted_at IS NULL)"),
    check("sessions end", "customer_sessions", "its member is gone",
        "t.member_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM members AS m
            WHERE m.organization_id = t.organization_id AND m.id = t.member_id
                AND m.customer_id = t.customer_id AND m.deleted_at IS NULL)"),
    check("sessions end", "email_updates", "its customer is gone",
        "NOT EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id AND c.deleted_at IS NULL)"),
    // Customers and members.
    check("whole rows", "customers", "its organization is not there",
        "NOT EXISTS (SELECT 1 FROM organizations AS o WHERE o.id = t.organization_id)"),
    check("one owner", "customers", "it does not have exactly one owner",
        "t.deleted_at IS NULL AND (SELECT count(*) FROM members AS m
            WHERE m.organization_id = t.organization_id AND m.customer_id = t.id AND m.deleted_at IS NULL
                AND m.role = 'owner') <> 1"),
    check("one owner", "customers", "an individual, it does not have exactly one member",
        "t.deleted_at IS NULL AND t.kind = 'individual' AND (SELECT count(*) FROM members AS m
            WHERE m.organization_id = t.organization_id AND m.customer_id = t.id
                AND m.deleted_at IS NULL) <> 1"),
    check("counts are kept", "customers", "its count of members is not how many there are",
        "t.member_count <> (SELECT count(*) FROM members AS m
            WHERE m.organization_id = t.organization_id AND m.customer_id = t.id AND m.deleted_at IS NULL)"),
    check("counts are kept", "organizations", "its count of customers is not how many there are",
        "(SELECT coalesce(sum(k.row_count), 0) FROM row_counters AS k
            WHERE k.organization_id = t.id AND k.counter = 'customers')
         <> (SELECT count(*) FROM customers AS c WHERE c.organization_id = t.id AND c.deleted_at IS NULL)"),
    check("counts are kept", "organizations", "its count of members is not how many there are",
        "(SELECT coalesce(sum(k.row_count), 0) FROM row_counters AS k
            WHERE k.organization_id = t.id AND k.counter = 'members')
         <> (SELECT count(*) FROM members AS m WHERE m.organization_id = t.id AND m.deleted_at IS NULL)"),
    check("whole rows", "members", "its customer is gone",
        "t.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id AND c.deleted_at IS NULL)"),
    check("one address", "customers", "another of the organization has its address",
        "t.deleted_at IS NULL AND EXISTS (SELECT 1 FROM customers AS o
            WHERE o.organization_id = t.organization_id AND o.email_key = t.email_key AND o.id <> t.id
                AND o.deleted_at IS NULL)"),
    check("one address", "members", "another of the customer has their address",
        "t.deleted_at IS NULL AND EXISTS (SELECT 1 FROM members AS o
            WHERE o.organization_id = t.organization_id AND o.customer_id = t.customer_id
                AND o.email_key = t.email_key AND o.id <> t.id AND o.deleted_at IS NULL)"),
    check("one person", "users", "another has their address",
        "EXISTS (SELECT 1 FROM users AS o WHERE o.email_key = t.email_key AND o.id <> t.id)"),
    check("one external id", "customers", "another of the organization has its external id",
        "t.deleted_at IS NULL AND EXISTS (SELECT 1 FROM customers AS o
            WHERE o.organization_id = t.organization_id AND o.external_id = t.external_id AND o.id <> t.id
                AND o.deleted_at IS NULL)"),
    check("one external id", "members", "another of the customer has their external id",
        "t.deleted_at IS NULL AND EXISTS (SELECT 1 FROM members AS o
            WHERE o.organization_id = t.organization_id AND o.customer_id = t.customer_id
                AND o.external_id = t.external_id AND o.id <> t.id AND o.deleted_at IS NULL)"),
    check("forgotten", "customers", "it is anonymized and not deleted",
        "t.anonymized_at IS NOT NULL AND t.deleted_at IS NULL"),
    check("found by its metadata", "customer_metadata", "its customer is gone",
        "NOT EXISTS (SELECT 1 FROM customers AS c
            WHERE c.organization_id = t.organization_id AND c.id = t.customer_id AND c.deleted_at IS NULL)"),
    // Webhooks.
    check("told in order", "webhook_endpoints", "it does not have its two queues",
        "t.deleted_at IS NULL AND (SELECT count(*) FROM webhook_queues AS l
            WHERE l.organization_id = t.organization_id AND l.endpoint_id = t.id) <> 2"),
    // A queue with a due time is exempt: the worker is still giving up the events of the deleted endpoint, in batches.
    check("told in order", "webhook_queues", "its endpoint is gone",
        "NOT EXISTS (SELECT 1 FROM webhook_queues AS o
            WHERE o.organization_id = t.organization_id AND o.endpoint_id = t.endpoint_id
                AND o.due_at IS NOT NULL)
         AND NOT EXISTS (SELECT 1 FROM webhook_endpoints AS e
            WHERE e.organization_id = t.organization_id AND e.id = t.endpoint_id AND e.deleted_at IS NULL)"),
    check("told in order", "webhook_events", "its endpoint's queue has not come to its number",
        "EXISTS (SELECT 1 FROM webhook_queues AS l
            WHERE l.organization_id = t.organization_id AND l.endpoint_id = t.endpoint_id
                AND l.queue = 'first_attempts' AND l.last_sequence < t.sequence)"),
    check("told in order", "webhook_events", "another of the endpoint has its number",
        "EXISTS (SELECT 1 FROM webhook_events AS o
            WHERE o.organization_id = t.organization_id AND o.endpoint_id = t.endpoint_id
                AND o.sequence = t.sequence AND o.id <> t.id)"),
    check("told at least once", "webhook_events", "it waits for its first attempt, and its queue does not know",
        "t.state = 'pending' AND t.due_at IS NULL AND NOT EXISTS (SELECT 1 FROM webhook_queues AS l
            WHERE l.organization_id = t.organization_id AND l.endpoint_id = t.endpoint_id
                AND l.queue = 'first_attempts' AND l.due_at IS NOT NULL)"),
    check("told at least once", "webhook_events", "it waits for another attempt, and its queue does not know",
        "t.due_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM webhook_queues AS l
            WHERE l.organization_id = t.organization_id AND l.endpoint_id = t.endpoint_id
                AND l.queue = 'retries' AND l.due_at IS NOT NULL)"),
    check("told at least once", "webhook_events", "it waits, and what it tells is not there",
        "t.state = 'pending' AND t.data IS NULL AND t.payload IS NULL"),
    // Stored responses.
    check("once", "idempotency_records", "its request was neither answered nor is the answer forgotten",
        "(t.status <> 0 OR t.response_expires_at IS NOT NULL) AND t.status NOT BETWEEN 100 AND 599"),
];

pub(super) async fn inspect(
    tx: &mut Tx<'_>,
    catalogue: &Catalog,
    found: &mut impl FnMut(Finding),
) -> Result<(), StoreError> {
    for Check { name, table, fault, says } in CHECKS.iter().chain(traces::CHECKS) {
        let table = catalogue.table(table).ok_or_else(|| unexpected(format!("no table {table}")))?;
        let mut parts = Parts::new(table, fault);
        while let Some(rows) = parts.next(tx).await? {
            rows.iter().for_each(|row| found(Finding::new(name, table, row, *says)));
        }
    }
    Ok(())
}
