//! The outcomes of the workers' attempts, for the metrics of the server.

use tenantry_meter::Counter;

/// Counts the outcomes of webhook requests and of mails.
#[derive(Debug, Default)]
pub struct WorkerMeters {
    pub(crate) webhooks_delivered: Counter,
    pub(crate) webhooks_failed: Counter,
    pub(crate) endpoints_disabled: Counter,
    pub(crate) mails_sent: Counter,
    pub(crate) mails_postponed: Counter,
    pub(crate) mails_given_up: Counter,
    pub(crate) mails_expired: Counter,
}

/// The outcomes so far.
#[derive(Debug, Clone)]
pub struct WorkerReading {
    /// Webhook requests, by outcome.
    pub webhooks: [(&'static str, u64); 2],
    /// Webhook endpoints that were disabled.
    pub endpoints_disabled: u64,
    /// Attempts to send a mail, by outcome.
    pub mails: [(&'static str, u64); 4],
}

impl WorkerMeters {
    /// The outcomes so far.
    #[must_use]
    pub fn reading(&self) -> WorkerReading {
        WorkerReading {
            webhooks: [
                ("delivered", self.webhooks_delivered.value()),
                ("failed", self.webhooks_failed.value()),
            ],
            endpoints_disabled: self.endpoints_disabled.value(),
            mails: [
                ("sent", self.mails_sent.value()),
                ("postponed", self.mails_postponed.value()),
                ("given_up", self.mails_given_up.value()),
                ("expired", self.mails_expired.value()),
            ],
        }
    }
}
