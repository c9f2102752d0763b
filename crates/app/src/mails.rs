//! Outgoing mail: queued in the transaction of the change, sent by a worker after the commit.
//!
//! | state of a row in `mails` | condition | next |
//! |---|---|---|
//! | pending | `due_at` is reached | a worker leases it |
//! | leased | `due_at` = end of the lease, [`limits::MAIL_LEASE_S`] after it was taken | sent, postponed or given up |
//! | postponed | `due_at` = the next attempt | pending |
//! | unreadable | `due_at` = [`limits::UNREADABLE_RETRY_S`] later | pending |
//! | sent, expired or given up | the row is deleted | |
//!
//! `due_at` is the lease: a worker reschedules a mail only if `due_at` is still the end of its own lease. A worker
//! that crashes leaves the mail leased; after the lease another one takes it. A mail can therefore be sent twice.
//! The secret of a mail is sealed in its row, bound to the id, and deleted with the row.

use tenantry_core::ExecutionContext;
use tenantry_core::Timestamp;
use tenantry_core::ids::{MailId, OrganizationId};
use tenantry_core::mail::{self, MailContent, QueuedMail};
use tenantry_core::token::Secret;
use tenantry_core::values::EmailAddress;
use tenantry_store::{StoreError, Tx, UseCase};

use crate::{App, Error, HashKey, limits};

/// A mail to be queued.
pub(crate) struct NewMail<'a> {
    pub(crate) organization: OrganizationId,
    pub(crate) to: EmailAddress,
    pub(crate) content: MailContent,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) secret: Option<(&'a Secret, &'a HashKey)>,
}

/// Queues a mail, due now.
pub(crate) async fn queue(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    new: NewMail<'_>,
) -> Result<(), Error> {
    let NewMail { organization, to, content, expires_at, secret } = new;
    let id = MailId::new(context.uuid());
    let sealed =
        match secret {
            Some((secret, key)) => {
                let sealed = key.seal(id.uuid().as_bytes(), secret.expose().as_bytes(), context);
                Some(sealed.ok_or_else(|| {
                    StoreError::Unexpected("the secret of a mail could not be sealed".into())
                })?)
            }
            None => None,
        };
    let created_at = context.now();
    let due_at = created_at;
    let mail =
        QueuedMail { id, organization, created_at, expires_at, to, content, sealed, due_at, attempts: 0 };
    Ok(tx.mail_insert(&mail).await?)
}

/// Leases mails that are due.
struct LeaseMails;

impl UseCase for LeaseMails {
    type Output = Vec<QueuedMail>;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Vec<QueuedMail>, StoreError> {
        let now = context.now();
        let until =
            [limits::MAIL_LEASE_S, limits::UNREADABLE_RETRY_S].map(|seconds| now.plus_seconds(seconds));
        tx.mails_lease(now, until, limits::MAIL_LEASES_PER_TRANSACTION).await
    }
}

/// Reschedules a mail after a failed attempt, or gives it up. Returns the time of the next attempt.
struct PostponeMail(QueuedMail);

impl UseCase for PostponeMail {
    type Output = Option<Timestamp>;
    type Error = StoreError;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Self(mail) = self;
        let [chance] = context.random_bytes();
        let next = mail::next_attempt(mail, context.now(), chance);
        match next {
            Some(due) => tx.mail_postpone(mail, due).await?,
            None => tx.mail_delete_leased(mail).await?,
        }
        Ok(next)
    }
}

/// Deletes a mail.
struct DeleteMail {
    organization: OrganizationId,
    id: MailId,
}

impl UseCase for DeleteMail {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), StoreError> {
        tx.mail_delete(self.organization, self.id).await
    }
}

impl App {
    /// Leases mails that are due, up to [`limits::MAIL_LEASES_PER_TRANSACTION`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_mails(&self) -> Result<Vec<QueuedMail>, StoreError> {
        self.store.write(LeaseMails).await
    }

    /// Reschedules a mail that could not be sent. Returns the time of the next attempt, or `None` if it is given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn postpone_mail(&self, mail: QueuedMail) -> Result<Option<Timestamp>, StoreError> {
        self.store.write(PostponeMail(mail)).await
    }

    /// Deletes a mail that was sent or has expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_mail(&self, mail: &QueuedMail) -> Result<(), StoreError> {
        self.store.write(DeleteMail { organization: mail.organization, id: mail.id }).await
    }

    /// The time when the next mail is due. `None` without pending mail.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_mail_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.reader()?.tx()?.mail_next_due().await
    }

    /// The secret of a mail. `None` if it has none, or if another key sealed it.
    #[must_use]
    pub fn mail_secret(&self, mail: &QueuedMail) -> Option<String> {
        let opened = self.hash_key.open(mail.id.uuid().as_bytes(), mail.sealed.as_deref()?)?;
        String::from_utf8(opened).ok()
    }
}
