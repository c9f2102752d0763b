//! The limits of the use cases. The limits of the wire are in the `http` crate's `limits.rs`.

use std::time::Duration;

/// Audit entries that one transaction of a user's deletion changes.
pub const USER_DELETION_ENTRIES_PER_TRANSACTION: i64 = 500;
/// Milliseconds for which a verified credential is used without asking the database. A token that another node
/// or a command revokes works for at most this long; on the revoking node it stops at once.
pub const CREDENTIAL_CACHE_TTL_MS: u64 = 500;
/// Credentials in the cache, at most.
pub const CREDENTIAL_CACHE_ENTRIES: usize = 20_000;

/// Seconds for which a response is stored for its idempotency key.
pub const IDEMPOTENCY_RETENTION_S: i64 = 24 * 60 * 60;
/// Seconds for which a response that shows a secret is stored for its idempotency key.
pub const SECRET_RESPONSE_RETENTION_S: i64 = 5 * 60;
/// Seconds after which a request should be retried whose idempotency key is in use.
pub const IDEMPOTENCY_RETRY_AFTER_S: u64 = 1;

/// Seconds for which a worker holds the lease of a delivery queue: twice the time-out of one webhook request.
pub const WEBHOOK_LEASE_S: i64 = 20;
/// Webhook endpoints of one organization that are not deleted, at most. Every change of a customer inserts one or two
/// events for each.
pub const WEBHOOK_ENDPOINTS_PER_ORGANIZATION: u64 = 50;
/// Webhook requests of the organizations of one owner that are under way at once, as far as one node knows, so that
/// their slow endpoints delay no other organization.
pub const WEBHOOK_DELIVERIES_PER_OWNER: usize = 32;
/// Delivery queues leased in one transaction, which locks all of them until its end.
pub const WEBHOOK_LEASES_PER_TRANSACTION: usize = 8;
/// Rounds of looking for due delivery queues before a worker goes idle. A round fails when other workers were
/// faster.
pub const WEBHOOK_LEASE_ROUNDS: usize = 16;
/// Seconds for which a delivery queue or mail is skipped that this program cannot read, for example because a
/// newer version wrote it or because the key differs.
pub const UNREADABLE_RETRY_S: i64 = 60;
/// Pending events of a disabled or deleted endpoint that one transaction marks as skipped.
pub const WEBHOOK_EVENTS_SKIPPED_PER_TRANSACTION: usize = 500;
/// Bytes of the events of one change, over all endpoints, above which they count against the budget of the organization.
pub const WEBHOOK_BYTES_UNCOUNTED: usize = 128 << 10;
/// Bytes of such events that an organization may cause in an hour, and at once.
pub const WEBHOOK_BYTES_PER_HOUR: i64 = 64 << 20;
/// Event payloads and audit entries that one transaction deletes.
pub const OLD_ROWS_PER_TRANSACTION: i64 = 500;
/// Old events that one transaction deletes with their deliveries.
pub const OLD_EVENTS_PER_TRANSACTION: i64 = 100;
/// Bytes of a changed field, as JSON, above which an audit entry keeps its length and hash instead.
pub const AUDIT_FIELD_BYTES: usize = 2_048;

/// Rows of an export that are in memory at once.
pub const EXPORT_PAGE_ROWS: i64 = 25;
/// Exports of the organizations of one owner that run at once on one node.
pub const EXPORTS_PER_OWNER: usize = 2;
/// Rows that one transaction of a customer's deletion writes. SQLite takes less than 50 ms for them.
pub const CUSTOMER_DELETION_ROWS_PER_TRANSACTION: i64 = 250;
/// Time for which the request waits for a deletion that takes several transactions.
pub const CUSTOMER_DELETION_WAIT: Duration = Duration::from_secs(5);
/// Unfinished deletions that one sweep continues.
pub const CUSTOMER_DELETIONS_PER_SWEEP: i64 = 1_000;

/// Recipients of one notice about an API key, at most.
pub const API_KEY_NOTICE_RECIPIENTS: usize = 50;
/// Pending mails of one account, an organization with its sub-accounts, above which no further notice about an API key
/// is queued, so that notices leave room for other mails.
pub const PENDING_NOTICES_PER_ACCOUNT: i64 = 100;
/// Pending mails of one account above which a further mail is dropped. Concurrent changes can exceed it by a few.
pub const PENDING_MAILS_PER_ACCOUNT: i64 = 1_000;
/// Mails leased in one transaction.
pub const MAIL_LEASES_PER_TRANSACTION: i64 = 8;
/// Seconds for which a worker holds the lease of a mail. Handing a mail to the relay takes less.
pub const MAIL_LEASE_S: i64 = 20;

/// People in the team of one organization, at most. Rules read the whole team, and no list of it has pages.
pub const TEAM_MEMBERS_PER_ORGANIZATION: u64 = 1_000;
/// People that one transaction of a sub-account's deletion removes from its team.
pub const TEAM_MEMBERS_REMOVED_PER_TRANSACTION: usize = 80;
/// Organizations whose team one person is in, at most. Their token is authenticated with all of them.
pub const ORGANIZATIONS_PER_PERSON: u64 = 1_500;
/// Organizations of one person above which a list of their rows is a list query: it may read many rows.
pub const ORGANIZATIONS_READ_DIRECTLY: usize = 20;
/// Organizations of one person above which nobody adds the person to the team of another one, so that strangers do not
/// keep the person from creating organizations. The owner of a new organization or sub-account has the limit
/// [`ORGANIZATIONS_PER_PERSON`].
pub const ORGANIZATIONS_PER_PERSON_BY_OTHERS: u64 = 1_200;
/// Organizations of one owner that have the same other person in their team, at most, so that no owner uses up
/// [`ORGANIZATIONS_PER_PERSON_BY_OTHERS`] for somebody.
pub const ORGANIZATIONS_PER_PERSON_BY_ONE_OWNER: u64 = 100;
/// Access tokens of one organization that are not deleted, at most.
pub const TOKENS_PER_ORGANIZATION: u64 = 1_000;
/// Sessions of one customer at a time, at most. A change of the customer's address ends all of them at once.
pub const SESSIONS_PER_CUSTOMER: u64 = 500;
/// Last uses of tokens that one transaction stores.
pub const TOKEN_USES_PER_TRANSACTION: usize = 500;
/// Sub-accounts of one parent that are not deleted, at most.
pub const SUB_ACCOUNTS_PER_PARENT: i64 = 1_000;
/// Expired rows of one table that one transaction deletes.
pub const EXPIRED_ROWS_PER_TRANSACTION: i64 = 500;

/// Rows that a backup, restore or copy reads or writes at once.
pub const ARCHIVE_BATCH_ROWS: i64 = 500;
/// Bytes of rows above which a restore or copy writes a batch early.
pub const ARCHIVE_BATCH_BYTES: usize = 4 << 20;
/// Bytes of one line of a backup, at most.
pub const BACKUP_LINE_MAX_BYTES: u64 = 256 << 20;
/// Runs of a use case that changes credentials while its caller's own credential changes.
pub const RUNS_WITH_CHANGED_CREDENTIAL: usize = 3;
