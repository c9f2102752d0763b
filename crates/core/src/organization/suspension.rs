//! Suspension: who is suspended keeps everything and is let in nowhere but to its sub-accounts, until it ends.

use serde::{Deserialize, Serialize};

use super::Organization;
use crate::Timestamp;
use crate::values::SuspensionReason;

/// That an organization is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: SuspensionReason,
}

/// Suspends an organization. One that is suspended stays so, with its first reason.
#[must_use]
pub fn suspend(before: &Organization, reason: SuspensionReason, now: Timestamp) -> Organization {
    if before.suspended.is_some() {
        return before.clone();
    }
    Organization { suspended: Some(Suspension { at: now, reason }), modified_at: Some(now), ..before.clone() }
}

/// Ends an organization's suspension. What is not suspended stays as it is.
#[must_use]
pub fn unsuspend(before: &Organization, now: Timestamp) -> Organization {
    if before.suspended.is_none() {
        return before.clone();
    }
    Organization { suspended: None, modified_at: Some(now), ..before.clone() }
}
