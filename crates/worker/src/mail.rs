//! Sends the mail that waits.
//!
//! Invariants: a mail is tried until it is taken, refused for good, out of time or out of attempts; while one
//! worker tries it no other does, unless that one died; every attempt carries the same Message-ID, so that a
//! mail sent twice after a crash can be told to be one. Called by the server, for as long as it runs.

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

/// How long the worker sleeps at the most: mail that another process left is found by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// How long it sleeps when the database does not answer.
const AFTER_FAULT: Duration = Duration::from_secs(5);

/// Sends the mail that waits.
#[derive(Clone)]
pub struct MailWorker {
    app: Arc<App>,
    mailer: Mailer,
    from: Arc<str>,
    portal: Option<HttpUrl>,
}

impl MailWorker {
    /// A worker that hands mail to `mailer`, in the name of `from`. With the address of a portal, letters
    /// carry links to its pages; without one, the bare secret.
    #[must_use]
    pub fn new(app: Arc<App>, mailer: Mailer, from: &str, portal: Option<HttpUrl>) -> Self {
        Self { app, mailer, from: from.into(), portal }
    }

    /// Sends what is due whenever something is, until told to stop; what is being sent then comes to its end.
    pub async fn run(&self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let sleep = match self.send_some().await {
                Ok(true) => continue,
                Ok(false) => self.until_next().await,
                Err(error) => Err(error),
            };
            let sleep = sleep.unwrap_or_else(|error| {
                tracing::warn!(%error, "mail waits: the database does not answer");
                AFTER_FAULT
            });
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                () = self.app.store().mail_signal().notified() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Sends everything that is due now; answers how long nothing will be.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn send_due(&self) -> Result<Duration, StoreError> {
        while self.send_some().await? {}
        self.until_next().await
    }

    /// Sends a few of the mails that are due, at once; answers whether there were any.
    async fn send_some(&self) -> Result<bool, StoreError> {
        let taken = self.app.lease_mails().await?;
        let any = !taken.is_empty();
        let mut attempts = JoinSet::new();
        for mail in taken {
            let worker = self.clone();
            attempts.spawn(async move { worker.attempt(mail).await });
        }
        for outcome in attempts.join_all().await {
            outcome?;
        }
        Ok(any)
    }

    /// How long nothing will be due, as far as is known.
    async fn until_next(&self) -> Result<Duration, StoreError> {
        let next = self.app.next_mail_due().await?;
        let now = self.app.now();
        Ok(next.map_or(LONGEST_SLEEP, |due| Duration::from_secs(now.seconds_until(due)).min(LONGEST_SLEEP)))
    }

    async fn attempt(&self, mail: QueuedMail) -> Result<(), StoreError> {
        let (id, to) = (mail.id, mail.to.clone());
        if !self.app.lease_outlasts(mail.due_at, SMTP_TIMEOUT) {
            tracing::warn!(%id, "taking a mail lasted so long that another may send it");
            return Ok(());
        }
        if mail.expires_at.is_some_and(|expires_at| expires_at <= self.app.now()) {
            tracing::warn!(%id, %to, "a mail was not sent in time");
            return self.app.delete_mail(&mail).await;
        }
        let sent = match self.message(&mail) {
            Ok(message) => self.mailer.send(&id.to_string(), &message, &self.from).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => self.app.delete_mail(&mail).await,
            Err(error) if error.permanent => {
                tracing::error!(%id, %to, %error, "a mail cannot be sent");
                self.app.delete_mail(&mail).await
            }
            Err(error) => {
                let attempts = mail.attempts;
                match self.app.postpone_mail(mail).await? {
                    Some(due) => {
                        tracing::warn!(%id, %to, %error, attempts, %due, "a mail will be tried again")
                    }
                    None => tracing::error!(%id, %to, %error, attempts, "a mail is given up"),
                }
                Ok(())
            }
        }
    }

    fn message(&self, mail: &QueuedMail) -> Result<Message, MailError> {
        let to = mail.to.clone();
        match &mail.content {
            MailContent::EmailChangeRequest { organization, slug, minutes } => {
                let unreadable = || MailError {
                    permanent: true,
                    reason: "its secret was sealed with another key".to_owned(),
                };
                let secret = self.app.mail_secret(mail).ok_or_else(unreadable)?;
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
                templates::team_member_added(to, organization, role_words(*role), inviter.as_deref())
            }
        }
    }
}

const fn role_words(role: TeamRole) -> &'static str {
    match role {
        TeamRole::Owner => "Owner",
        TeamRole::Administrator => "Administrator",
        TeamRole::Developer => "Developer",
        TeamRole::Analyst => "Analyst",
        TeamRole::BillingManager => "Billing Manager",
    }
}
