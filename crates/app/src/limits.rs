//! The limits of the use cases. The limits of the wire are in the `http` crate's `limits.rs`.

use std::time::Duration;

/// Rows that one transaction writes of a change of a user's address, or of a user's deletion. SQLite takes less than
/// 50 ms for them.
pub const PERSON_ROWS_PER_TRANSACTION: i64 = 250;
/// Rows that a membership counts as in such a transaction, besides those of its webhook events. It takes several
/// statements.
pub const ROWS_PER_MEMBERSHIP: i64 = 10;
/// Time for which a person's request waits for such a change. The sweep does the rest.
pub const PERSON_CHANGE_WAIT: Duration = Duration::from_secs(5);
/// Unfinished changes of addresses, and as many deletions of users, that one sweep continues.
pub const PERSON_CHANGES_PER_SWEEP: i64 = 1_000;
/// Owned organizations that the refusal of a user's deletion names.
pub const OWNED_NAMED: usize = 10;
/// Milliseconds for which a verified credential is used without asking the database. A token that another node
/// or a command revokes works for at most this long; on the revoking node it stops at once.
pub const CREDENTIAL_CACHE_TTL_MS: u64 = 500;
/// Credentials in the cache, at most.
pub const CREDENTIAL_CACHE_ENTRIES: usize = 20_000;

/// Seconds for which a response is stored for its idempotency key.
pub const IDEMPOTENCY_RETENTION_S: i64 = 24 * 60 * 60;
/// Seconds for which a response that shows a secret is stored for its idempotency key.
pub const SECRET_RESPONSE_RETENTION_S: i64 = 5 * 60;
/// Bytes of a response above which it counts against the budget of [`STORED_BYTES_PER_HOUR`] when it is stored for its
/// idempotency key. Few single objects have more, while an answer to many items can have a thousand times the bytes of
/// its request.
pub const STORED_BYTES_UNCOUNTED: usize = 16 << 10;
/// Bytes of such responses that an owner may have stored in an hour, and at once.
pub const STORED_BYTES_PER_HOUR: u32 = 128 << 20;
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
/// Bytes of the events of one change, over all endpoints, above which they count against the budget of the
/// organization's owner.
pub const WEBHOOK_BYTES_UNCOUNTED: usize = 128 << 10;
/// Bytes of such events that the organizations of one owner may cause in an hour, and at once.
pub const WEBHOOK_BYTES_PER_HOUR: i64 = 64 << 20;
/// Bytes of that budget that one test event uses. So the organizations of one owner send at most 256 in an hour.
pub const WEBHOOK_TEST_BYTES: usize = 256 << 10;
/// Event payloads and audit entries that one transaction deletes.
pub const OLD_ROWS_PER_TRANSACTION: i64 = 500;
/// Rows of a deleted organization that one transaction of its purge deletes. SQLite takes less than 50 ms for them.
pub const PURGED_ROWS_PER_TRANSACTION: i64 = 250;
/// Deleted organizations that one sweep purges.
pub const PURGES_PER_SWEEP: i64 = 100;
/// Transactions of purges in one sweep.
pub const PURGE_PARTS_PER_SWEEP: u32 = 1_000;
/// Old events that one transaction deletes with their deliveries.
pub const OLD_EVENTS_PER_TRANSACTION: i64 = 100;
/// The least days for which an organization keeps its audit log, so that nobody hides what was done lately.
pub const AUDIT_DAYS_LEAST: i64 = 30;
/// The most days that an organization can set, where the operator sets none.
pub const AUDIT_DAYS_MOST: i64 = 36_500;

/// Bytes of a changed field, as JSON, above which an audit entry keeps its length and hash instead.
pub const AUDIT_FIELD_BYTES: usize = 2_048;

/// Rows of an export that are in memory at once.
pub const EXPORT_PAGE_ROWS: i64 = 25;
/// Time of work after which an export rests: a shorter rest would take longer than it should, because timers have
/// milliseconds.
pub const EXPORT_WORKS_FOR: Duration = Duration::from_millis(4);
/// The longest rest of an export. A chunk that waited for a place is no reason for a longer one.
pub const EXPORT_RESTS_AT_MOST: Duration = Duration::from_millis(100);
/// Rows that one transaction of a customer's deletion writes. SQLite takes less than 50 ms for them.
pub const CUSTOMER_DELETION_ROWS_PER_TRANSACTION: i64 = 250;
/// Time for which the request waits for a deletion that takes several transactions.
pub const CUSTOMER_DELETION_WAIT: Duration = Duration::from_secs(5);
/// Customers that were deleted long ago and that one sweep anonymizes.
pub const CUSTOMERS_ANONYMIZED_PER_SWEEP: i64 = 1_000;
/// Unfinished deletions that one sweep continues.
pub const CUSTOMER_DELETIONS_PER_SWEEP: i64 = 1_000;

/// Imports of the organizations of one owner that run, and as many whose files arrive. The files are stored meanwhile.
pub const IMPORTS_PER_OWNER: u64 = 2;
/// Seconds without a chunk of its file after which an import is abandoned.
pub const IMPORT_SILENCE_S: i64 = 2 * 60;
/// Seconds for which a finished import and its failed rows are kept.
pub const IMPORT_RETENTION_S: i64 = 7 * 24 * 60 * 60;
/// Seconds for which a worker holds the lease of an import. Each part renews it.
pub const IMPORT_LEASE_S: i64 = 20;
/// Finished imports of the organizations of one owner that are kept. One more ends the retention of the oldest.
pub const IMPORTS_KEPT_PER_OWNER: i64 = 200;
/// Finished imports whose retention one transaction ends early.
pub const IMPORTS_ENDED_PER_TRANSACTION: i64 = 50;
/// Bytes that the imports of the organizations of one owner store, above which none begins and no file goes on to arrive:
/// the files of those that arrive and run, the faults of failed rows, and the keys of dry runs.
pub const IMPORT_BYTES_PER_OWNER: i64 = 600 << 20;
/// Bytes that a stored row of an import counts besides its content.
pub const IMPORT_ROW_OVERHEAD: i64 = 64;
/// Chunks of a file that one transaction deletes.
pub const IMPORT_CHUNKS_PER_TRANSACTION: i64 = 32;
/// Times that workers take an import whose next part fails. Then it stops. A lease lies between two of them.
pub const IMPORT_ATTEMPTS: i64 = 20;
/// Due imports that one transaction looks at to find one that it can lease.
pub const IMPORTS_LOOKED_AT: i64 = 8;
/// Rows of all tables that one transaction of an import writes. SQLite takes less than 50 ms for them.
pub const IMPORT_COST_PER_TRANSACTION: i64 = 1_000;
/// Rows of an import that are read at once. What is read and not carried out in the same turn is read again.
pub const IMPORT_ROWS_READ: usize = 500;
/// Failed rows of an import that are kept. Further ones are counted.
pub const IMPORT_FAILURES_KEPT: i64 = 100_000;
/// Faults of a failed row that are kept.
pub const IMPORT_FAULTS_PER_ROW: usize = 5;
/// Bytes of the events of one row of an import, over all endpoints, above which they count against the budget of the
/// organization's owner.
pub const IMPORT_EVENT_BYTES_UNCOUNTED: usize = 16 << 10;

/// Browsers by which a person is known, at most. One more forgets the one that was not used for the longest time.
pub const KNOWN_BROWSERS_PER_PERSON: usize = 20;
/// Tokens that the sweep looks at together to tell people that they expire; as many as one organization has at most.
pub const EXPIRING_TOKENS_PER_SWEEP: i64 = 1_000;
/// Tokens that a mail about their expiry names, at most.
pub const EXPIRING_TOKENS_PER_MAIL: usize = 10;
/// Recipients of one notice to the administrators, at most.
pub const NOTICE_RECIPIENTS: usize = 50;
/// Notices of one account, an organization with its sub-accounts, that wait, above which no further notice to
/// administrators is queued, so that they leave room for other notices.
pub const PENDING_NOTICES_PER_ACCOUNT: i64 = 100;
/// Mails of one queue and account that wait, above which a further mail is dropped. Concurrent changes can exceed it by a
/// few.
pub const PENDING_MAILS_PER_ACCOUNT: i64 = 1_000;
/// Mails leased in one transaction.
pub const MAIL_LEASES_PER_TRANSACTION: i64 = 8;
/// Seconds for which a worker holds the lease of a mail. Handing a mail to the relay takes less.
pub const MAIL_LEASE_S: i64 = 20;

/// Invitations that one request makes, at most.
pub const INVITATIONS_AT_ONCE: usize = 100;
/// Invitations that a person sees, the newest of those that wait for the person's address.
pub const INVITATIONS_WAITING: usize = 100;
/// Pending invitations for an address that are looked at, the newest, to find those that can be accepted. One owner has
/// fewer for an address: some ten a day, each for a month and kept for another.
pub const INVITATIONS_LOOKED_AT: i64 = 1_000;
/// Invitations that one transaction deletes.
pub const INVITATIONS_PER_TRANSACTION: i64 = 100;

/// People in the team of one organization, at most. Rules read the whole team, and no list of it has pages.
pub const TEAM_MEMBERS_PER_ORGANIZATION: u64 = 1_000;
/// Organizations whose team one person is in, at most, deleted ones included until they are purged. The authentication
/// of the person's token reads all of them.
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
/// Sessions of one person in the console. One more ends the oldest.
pub const CONSOLE_SESSIONS_PER_PERSON: usize = 50;
/// Last uses of tokens that one transaction stores.
pub const TOKEN_USES_PER_TRANSACTION: usize = 500;
/// Sub-accounts that the refusal of a deletion names.
pub const SUB_ACCOUNTS_NAMED: i64 = 10;
/// Sub-accounts of one parent that are not deleted, at most.
pub const SUB_ACCOUNTS_PER_PARENT: i64 = 1_000;
/// Expired rows of one table that one transaction deletes.
pub const EXPIRED_ROWS_PER_TRANSACTION: i64 = 500;

/// Rows that a backup, restore or copy reads or writes at once.
pub const ARCHIVE_BATCH_ROWS: i64 = 500;
/// Bytes of rows above which a restore or copy writes a batch early.
pub const ARCHIVE_BATCH_BYTES: usize = 4 << 20;
/// Rows that one transaction of an import of an organization writes. SQLite takes less than 50 ms for them.
pub const MOVE_BATCH_ROWS: usize = 250;
/// Bytes of rows above which an import of an organization writes a batch early.
pub const MOVE_BATCH_BYTES: usize = 1 << 20;
/// People whom one transaction of an import of an organization creates, with some rows for each.
pub const PEOPLE_PER_TRANSACTION: usize = 50;
/// Seconds for which the lease of an import of an organization lasts. After them another process may remove the rows.
pub const MOVE_LEASE_S: i64 = 60;
/// Time after which an import of an organization renews its lease.
pub const MOVE_LEASE_RENEWAL: Duration = Duration::from_secs(10);
/// Time from the suspension of an organization until no earlier request can change a row any more: requests wait for
/// the writer for 5 s, and are retried for 10 s.
pub const EXPORT_SETTLES_AFTER: Duration = Duration::from_secs(16);
/// Abandoned imports of organizations that one sweep removes.
pub const ABANDONED_MOVES_PER_SWEEP: i64 = 100;
/// Bytes of one line of a backup, at most.
pub const BACKUP_LINE_MAX_BYTES: u64 = 256 << 20;
/// Runs of a use case that changes credentials while its caller's own credential changes.
pub const RUNS_WITH_CHANGED_CREDENTIAL: usize = 3;
/// Due queues that the health page of the operator counts.
pub const BACKLOG_COUNTED: i64 = 1_000;
/// Seconds after which the doctor begins no further step in the server.
pub const DOCTOR_S: u64 = 300;
/// Seconds after which a run of the doctor in the server without an end counts as lost. A step takes a few seconds.
pub const DOCTOR_LOST_S: i64 = 400;
