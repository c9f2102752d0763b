//! Mail that waits to be sent: written in the transaction of the change that it tells of, taken by a worker.
//!
//! A secret that a letter carries stands in its row sealed, for as long as the row is there.

use tenantry_core::ExecutionContext;
use tenantry_core::Timestamp;
use tenantry_core::ids::{MailId, OrganizationId};
use tenantry_core::mail::{self, MailContent, QueuedMail};
use tenantry_core::token::Secret;
use tenantry_core::values::EmailAddress;
use tenantry_store::{StoreError, Tx, UseCase};

use crate::{App, Error, HashKey, limits};

/// A mail to be written.
pub(crate) struct NewMail<'a> {
    pub(crate) organization: OrganizationId,
    pub(crate) to: EmailAddress,
    pub(crate) content: MailContent,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) secret: Option<(&'a Secret, &'a HashKey)>,
}

pub(crate) async fn queue(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    new: NewMail<'_>,
) -> Result<(), Error> {
    let NewMail { organization, to, content, expires_at, secret } = new;
    let id = MailId::new(context.uuid());
    let sealed = match secret {
        Some((secret, key)) => {
            let sealed = key.seal(id.uuid().as_bytes(), secret.expose().as_bytes(), context);
            Some(sealed.ok_or_else(|| StoreError::Unexpected("a secret could not be sealed".into()))?)
        }
        None => None,
    };
    let created_at = context.now();
    let due_at = created_at;
    let mail =
        QueuedMail { id, organization, created_at, expires_at, to, content, sealed, due_at, attempts: 0 };
    Ok(tx.mail_insert(&mail).await?)
}

/// Takes what is due, for [`limits::MAIL_HELD_S`] seconds.
struct Take;

impl UseCase for Take {
    type Output = Vec<QueuedMail>;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Vec<QueuedMail>, StoreError> {
        let now = context.now();
        let until = [limits::MAIL_HELD_S, limits::PUT_OFF_S].map(|seconds| now.plus_seconds(seconds));
        tx.mails_lease(now, until, limits::MAILS_TAKEN).await
    }
}

/// Lets a mail wait for its next attempt, or gives it up; answers when it is tried again.
struct Postpone(QueuedMail);

impl UseCase for Postpone {
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

/// Forgets a mail.
struct Forget {
    organization: OrganizationId,
    id: MailId,
}

impl UseCase for Forget {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), StoreError> {
        tx.mail_delete(self.organization, self.id).await
    }
}

impl App {
    /// Takes mails that are due, a few, to send them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_lease(&self) -> Result<Vec<QueuedMail>, StoreError> {
        self.store.write(Take).await
    }

    /// Lets a mail that could not be sent wait; answers until when, or nothing when it is given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_postpone(&self, mail: QueuedMail) -> Result<Option<Timestamp>, StoreError> {
        self.store.write(Postpone(mail)).await
    }

    /// Forgets a mail that was sent, or never will be.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_forget(&self, mail: &QueuedMail) -> Result<(), StoreError> {
        self.store.write(Forget { organization: mail.organization, id: mail.id }).await
    }

    /// When the next mail is due, if any waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.reader()?.tx()?.mail_next_due().await
    }

    /// The secret that a mail carries; nothing when it carries none, or was sealed with another key.
    #[must_use]
    pub fn mail_secret(&self, mail: &QueuedMail) -> Option<String> {
        let opened = self.hash_key.open(mail.id.uuid().as_bytes(), mail.sealed.as_deref()?)?;
        String::from_utf8(opened).ok()
    }
}
