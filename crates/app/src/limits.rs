//! The limits of the use cases. Those of the wire stand in the `http` crate's file of the same name.

/// Milliseconds for which a credential is believed without asking the database: the longest that another
/// node, or a command of this program, can leave a revoked token alive. On the node that revokes it a token
/// is dead at once.
pub const CREDENTIAL_TRUST_MS: u64 = 500;
/// Credentials remembered at the most.
pub const CREDENTIALS_REMEMBERED: usize = 20_000;
/// Seconds for which an answer is kept for its idempotency key.
pub const IDEMPOTENCY_KEPT_S: i64 = 24 * 60 * 60;
/// Seconds for which an answer that shows a secret is kept for it.
pub const SECRET_ANSWER_KEPT_S: i64 = 5 * 60;
/// Seconds after which a request whose key is in use may try again.
pub const IDEMPOTENCY_RETRY_S: u64 = 1;
/// Seconds for which whoever sends a webhook holds its queue: after that another takes over. Twice what a
/// request may take.
pub const WEBHOOK_LEASE_S: i64 = 20;
/// Webhook requests of one organization that are under way at once, as far as one node knows: its slow
/// endpoints delay no other's.
pub const WEBHOOK_SHARE: usize = 32;
/// Lanes taken in one transaction, which holds them all until its end.
pub const WEBHOOK_TAKEN: usize = 8;
/// Times that queues are looked for before whoever asks is told that there are none for now.
pub const WEBHOOK_LOOKS: usize = 16;
/// Seconds for which a queue, or a mail, is left alone that cannot be read: by a program that does not know yet
/// what a newer one wrote, or with another key.
pub const PUT_OFF_S: i64 = 60;
/// Events of an endpoint that is switched off which are given up in one transaction.
pub const WEBHOOK_SKIPPED: usize = 500;
/// Seconds for which what an event told is kept; the event itself and its deliveries stay.
pub const WEBHOOK_PAYLOAD_KEPT_S: i64 = 90 * 24 * 60 * 60;
/// Events whose payload is forgotten in one transaction.
pub const WEBHOOK_ARCHIVED: i64 = 500;
/// Rows of an export that are in memory at once.
pub const EXPORT_ROWS: i64 = 500;
/// Audit entries that are scrubbed at once.
pub const AUDIT_SCRUBBED: i64 = 500;
/// People who are written to about one change of an API key.
pub const TOLD_OF_KEYS: usize = 50;
/// Mails about one account that wait to be sent, past which nobody is told of another such change: the others'
/// mail waits behind them.
pub const MAILS_WAITING: i64 = 100;
/// Uses of tokens that are stored in one transaction.
pub const TOKEN_USES_STORED: usize = 500;
/// Live sub-accounts of one parent.
pub const SUB_ACCOUNTS: i64 = 1_000;
/// Expired rows of a kind deleted in one transaction.
pub const SWEPT: i64 = 500;
/// Mails taken at once.
pub const MAILS_TAKEN: i64 = 8;
/// Seconds for which a taken mail is left alone: longer than handing one over can last.
pub const MAIL_HELD_S: i64 = 20;
/// Rows of a table that are moved at once, when all data is.
pub const MOVED_ROWS: i64 = 500;
/// Bytes of rows that are stored in one transaction, when all data is moved.
pub const MOVED_BYTES: usize = 4 << 20;
/// Bytes of a line of a backup at the most.
pub const BACKUP_LINE: u64 = 256 << 20;
