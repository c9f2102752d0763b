//! The errors of a webhook delivery that got no response.

use std::error::Error;

/// Why a webhook request got no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The request is not allowed or not valid; a further attempt gives the same result.
    #[error("refused: {0}")]
    Refused(String),
    /// The connection failed, or ended before a status line.
    #[error("{0}")]
    Transport(String),
    /// The timeout of the policy passed before a status line.
    #[error("timed out")]
    TimedOut,
}

impl DeliveryError {
    /// Whether a further attempt is pointless.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// A transport error with its chain of causes.
    pub(super) fn transport(error: &dyn Error) -> Self {
        Self::Transport(with_causes(error))
    }
}

/// An error and its causes in one line; a cause that its parent already prints is left out.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.ends_with(&text)) {
            parts.push(text);
        }
        source = cause.source();
    }
    parts.join(": ")
}
