//! Sends queued mail.
//!
//! A mail is a row of the table `mails`. A worker leases a few due rows at a time.
//!
//! | state | means | next |
//! |---|---|---|
//! | queued | `due_at` is the time of the first attempt | leased; over a limit of mails, it waits or its row is deleted |
//! | leased | `due_at` is the end of the lease, `MAIL_LEASE_S` after it began | sent, retried or given up |
//! | lease expired | the worker stopped or crashed before it recorded an outcome | leased by any worker |
//! | retried | a transient error; the pauses grow from 30 s to an hour, with jitter | leased |
//! | given up | a permanent error, `ATTEMPTS` transient errors, or `expires_at` passed | the row is deleted |
//! | sent | the mail server accepted the mail | the row is deleted |
//!
//! - While a lease lasts, no other worker sends the mail. A worker whose lease is too short for another
//!   attempt leaves the mail to the next lease.
//! - Every attempt has the same Message-ID, so that a mail server can recognise a mail that was sent twice
//!   because the worker crashed between sending and recording.
//!
//! Caller: the server, for as long as it runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tenantry_app::App;
use tenantry_core::ids::OrganizationId;
use tenantry_core::mail::QueuedMail;
use tenantry_core::values::SenderName;
use tenantry_outbound::mail::letters::{self, Draft, Stationery};
use tenantry_outbound::mail::{MailError, Mailer, Message, SMTP_TIMEOUT};
use tenantry_store::{StoreError, Woken};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::WorkerMeters;
use crate::agenda::Agenda;

/// The pause between two looks at the due mail of all accounts; mail that another process queued is found by then.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The shortest pause between two looks for due mails that found none.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// Sends queued mail.
#[derive(Clone)]
pub struct MailWorker {
    app: Arc<App>,
    mailer: Mailer,
    from: Arc<str>,
    stationery: Arc<Stationery>,
    meters: Arc<WorkerMeters>,
}

impl MailWorker {
    /// A worker that sends with `mailer`, from the address `from`.
    #[must_use]
    pub fn new(app: Arc<App>, mailer: Mailer, from: &str, stationery: Stationery) -> Self {
        let meters = Arc::default();
        Self { app, mailer, from: from.into(), stationery: Arc::new(stationery), meters }
    }

    /// Counts the outcomes in `meters`.
    #[must_use]
    pub fn with_meters(self, meters: Arc<WorkerMeters>) -> Self {
        Self { meters, ..self }
    }

    /// Sends due mail until `stopped` is true. Attempts under way are completed first.
    pub async fn run(&self, mut stopped: watch::Receiver<bool>) {
        let mut agenda = Agenda::default();
        let mut every = tokio::time::interval(POLL_INTERVAL);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Due mails whose queue another node has locked are no reason to ask again at once.
            let pause = agenda.pause(self.app.now(), POLL_INTERVAL).max(MIN_PAUSE);
            let accounts = tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                _ = every.tick() => Woken::All,
                woken = self.app.store().mail_signal().wait() => woken,
                () = tokio::time::sleep(pause) => Woken::Some(agenda.take_due(self.app.now())),
            };
            if let Err(error) = self.send_of(accounts, &mut agenda, &stopped).await {
                tracing::warn!(%error, retry_after_ms = POLL_INTERVAL.as_millis(), "mail queue failed");
            }
        }
    }

    /// Sends the due mail of these accounts, and puts the times of their next mails on the agenda.
    async fn send_of(
        &self,
        accounts: Woken,
        agenda: &mut Agenda,
        stopped: &watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        let accounts = match accounts {
            Woken::Some(accounts) => accounts,
            Woken::All => self.send_due(stopped).await?,
        };
        for account in accounts {
            while !self.send_batch(Some(account)).await?.is_empty() {
                if *stopped.borrow() {
                    return Ok(());
                }
            }
            if let Some(due) = self.app.next_mail_due_of(account).await? {
                agenda.add(due, account);
            }
        }
        Ok(())
    }

    /// Sends the due mail of all accounts, until `stopped` is true. Returns the accounts that had some.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn send_due(
        &self,
        stopped: &watch::Receiver<bool>,
    ) -> Result<BTreeSet<OrganizationId>, StoreError> {
        let mut accounts = BTreeSet::new();
        while !*stopped.borrow() {
            let sent = self.send_batch(None).await?;
            if sent.is_empty() {
                break;
            }
            accounts.extend(sent);
        }
        Ok(accounts)
    }

    /// Leases a few due mails of one account, or of all, and sends them concurrently. Returns their accounts.
    async fn send_batch(
        &self,
        account: Option<OrganizationId>,
    ) -> Result<BTreeSet<OrganizationId>, StoreError> {
        let leased = self.app.lease_mails(account).await?;
        let accounts = leased.iter().map(|mail| mail.organization).collect();
        let mut attempts = JoinSet::new();
        for mail in leased {
            let worker = self.clone();
            attempts.spawn(async move { worker.attempt(mail).await });
        }
        for outcome in attempts.join_all().await {
            outcome?;
        }
        Ok(accounts)
    }

    async fn attempt(&self, mail: QueuedMail) -> Result<(), StoreError> {
        let (id, organization, to) = (mail.id, mail.organization, mail.to.clone());
        if !self.app.lease_outlasts(mail.due_at, SMTP_TIMEOUT) {
            tracing::warn!(mail_id = %id, organization_id = %organization, "mail lease too short");
            return Ok(());
        }
        if mail.content.is_blank() {
            tracing::debug!(mail_id = %id, organization_id = %organization, "blank mail dropped");
            return self.app.delete_mail(&mail).await;
        }
        if mail.expires_at.is_some_and(|expires_at| expires_at <= self.app.now()) {
            tracing::warn!(mail_id = %id, organization_id = %organization, %to, "mail expired");
            self.meters.mails_expired.increment();
            return self.app.delete_mail(&mail).await;
        }
        let sender = self.app.mail_sender(&mail).await?;
        let sent = match self.message(&mail, sender.as_ref().map(SenderName::as_str)) {
            Ok(message) => self.mailer.send(&id.to_string(), &message, &self.from).await,
            Err(error) => Err(error),
        };
        let attempt = mail.attempts;
        match sent {
            Ok(()) => {
                tracing::info!(mail_id = %id, organization_id = %organization, %to, attempt, "mail sent");
                self.meters.mails_sent.increment();
                self.app.delete_mail(&mail).await
            }
            Err(error) if error.permanent => {
                self.meters.mails_given_up.increment();
                tracing::error!(
                    mail_id = %id, organization_id = %organization, %to, attempt, %error, "mail given up"
                );
                self.app.delete_mail(&mail).await
            }
            Err(error) => {
                let due = self.app.postpone_mail(mail).await?;
                let counter =
                    if due.is_some() { &self.meters.mails_postponed } else { &self.meters.mails_given_up };
                counter.increment();
                match due {
                    Some(due) => tracing::warn!(
                        mail_id = %id, organization_id = %organization, %to, attempt, %error,
                        retry_at = %due, "mail attempt failed"
                    ),
                    None => tracing::error!(
                        mail_id = %id, organization_id = %organization, %to, attempt, %error, "mail given up"
                    ),
                }
                Ok(())
            }
        }
    }

    fn message(&self, mail: &QueuedMail, sender: Option<&str>) -> Result<Message, MailError> {
        let secret = match mail.sealed {
            Some(_) => self.secret(mail)?,
            None => String::new(),
        };
        let draft = Draft {
            to: mail.to.clone(),
            content: &mail.content,
            secret: &secret,
            language: mail.language,
            organization: mail.about,
            sender,
        };
        letters::write(&draft, &self.stationery)
    }

    fn secret(&self, mail: &QueuedMail) -> Result<String, MailError> {
        let reason = "the token of the mail was sealed with another key";
        self.app.mail_secret(mail).ok_or_else(|| MailError { permanent: true, reason: reason.to_owned() })
    }
}
