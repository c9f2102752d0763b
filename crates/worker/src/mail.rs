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

use std::sync::Arc;
use std::time::Duration;

use tenantry_app::App;
use tenantry_core::mail::{MailContent, QueuedMail};
use tenantry_core::team::TeamRole;
use tenantry_core::values::HttpUrl;
use tenantry_outbound::mail::templates::{self, Proof};
use tenantry_outbound::mail::{MailError, Mailer, Message, SMTP_TIMEOUT};
use tenantry_store::StoreError;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The longest pause between two queries for due mail; mail that another process queued is found by then.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The pause after a failed query.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);
/// The shortest pause between two looks for due mails that found none.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// Sends queued mail.
#[derive(Clone)]
pub struct MailWorker {
    app: Arc<App>,
    mailer: Mailer,
    from: Arc<str>,
    portal: Option<HttpUrl>,
}

impl MailWorker {
    /// A worker that sends with `mailer`, from the address `from`. With a portal URL, mails contain links to
    /// its pages; without one, they contain the bare token.
    #[must_use]
    pub fn new(app: Arc<App>, mailer: Mailer, from: &str, portal: Option<HttpUrl>) -> Self {
        Self { app, mailer, from: from.into(), portal }
    }

    /// Sends due mail until `stopped` is true. Attempts under way are completed first.
    pub async fn run(&self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let pause = match self.send_batch().await {
                Ok(true) => continue,
                Ok(false) => self.until_next().await,
                Err(error) => Err(error),
            };
            let pause = pause.unwrap_or_else(|error| {
                tracing::warn!(%error, retry_after_ms = PAUSE_AFTER_ERROR.as_millis(), "mail queue failed");
                PAUSE_AFTER_ERROR
            });
            // Due mails whose queue another node has locked are no reason to ask again at once.
            let pause = pause.max(MIN_PAUSE);
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                () = self.app.store().mail_signal().notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Sends all due mail and returns the time until the next mail is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn send_due(&self) -> Result<Duration, StoreError> {
        while self.send_batch().await? {}
        self.until_next().await
    }

    /// Leases a few due mails and sends them concurrently. Returns whether there were any.
    async fn send_batch(&self) -> Result<bool, StoreError> {
        let leased = self.app.lease_mails().await?;
        let any = !leased.is_empty();
        let mut attempts = JoinSet::new();
        for mail in leased {
            let worker = self.clone();
            attempts.spawn(async move { worker.attempt(mail).await });
        }
        for outcome in attempts.join_all().await {
            outcome?;
        }
        Ok(any)
    }

    /// The time until the next mail is due, at most [`POLL_INTERVAL`].
    async fn until_next(&self) -> Result<Duration, StoreError> {
        let next = self.app.next_mail_due().await?;
        let now = self.app.now();
        Ok(next.map_or(POLL_INTERVAL, |due| Duration::from_secs(now.seconds_until(due)).min(POLL_INTERVAL)))
    }

    async fn attempt(&self, mail: QueuedMail) -> Result<(), StoreError> {
        let (id, organization, to) = (mail.id, mail.organization, mail.to.clone());
        if !self.app.lease_outlasts(mail.due_at, SMTP_TIMEOUT) {
            tracing::warn!(mail_id = %id, organization_id = %organization, "mail lease too short");
            return Ok(());
        }
        if mail.expires_at.is_some_and(|expires_at| expires_at <= self.app.now()) {
            tracing::warn!(mail_id = %id, organization_id = %organization, %to, "mail expired");
            return self.app.delete_mail(&mail).await;
        }
        let sent = match self.message(&mail) {
            Ok(message) => self.mailer.send(&id.to_string(), &message, &self.from).await,
            Err(error) => Err(error),
        };
        let attempt = mail.attempts;
        match sent {
            Ok(()) => {
                tracing::info!(mail_id = %id, organization_id = %organization, %to, attempt, "mail sent");
                self.app.delete_mail(&mail).await
            }
            Err(error) if error.permanent => {
                tracing::error!(
                    mail_id = %id, organization_id = %organization, %to, attempt, %error, "mail given up"
                );
                self.app.delete_mail(&mail).await
            }
            Err(error) => {
                match self.app.postpone_mail(mail).await? {
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

    fn message(&self, mail: &QueuedMail) -> Result<Message, MailError> {
        let to = mail.to.clone();
        match &mail.content {
            MailContent::EmailChangeRequest { organization, slug, minutes } => {
                let sealed_with_another_key = || MailError {
                    permanent: true,
                    reason: "the token of the mail was sealed with another key".to_owned(),
                };
                let secret = self.app.mail_secret(mail).ok_or_else(sealed_with_another_key)?;
                let link = self.portal.as_ref().and_then(|portal| {
                    let base = portal.as_str().trim_end_matches('/');
                    HttpUrl::parse(&format!("{base}/{slug}/portal/email-update?token={secret}")).ok()
                });
                let proof = link.as_ref().map_or(Proof::Token(&secret), Proof::Link);
                templates::email_change_request(to, organization, proof, *minutes)
            }
            MailContent::EmailChanged { organization, new_address } => {
                templates::email_changed_notice(to, organization, new_address)
            }
            MailContent::ApiKeyAllowList { organization, label } => {
                templates::api_key_allow_list(to, organization, label)
            }
            MailContent::TeamMemberAdded { organization, role, inviter } => {
                templates::team_member_added(to, organization, role_name(*role), inviter.as_deref())
            }
        }
    }
}

const fn role_name(role: TeamRole) -> &'static str {
    match role {
        TeamRole::Owner => "Owner",
        TeamRole::Administrator => "Administrator",
        TeamRole::Developer => "Developer",
        TeamRole::Analyst => "Analyst",
        TeamRole::BillingManager => "Billing Manager",
    }
}
