//! Suspension of an organization (docs/contracts/ahasend.md, 1.7).
//!
//! A suspended organization keeps its data. Its tokens, users and sessions are refused until the suspension ends, except
//! that a suspended parent can still administer its sub-accounts.

use serde::{Deserialize, Serialize};

use super::Organization;
use crate::Timestamp;
use crate::values::SuspensionReason;

/// The suspension of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Time at which it began.
    pub at: Timestamp,
    /// Reason.
    pub reason: SuspensionReason,
}

/// Suspends an organization. One that is already suspended keeps its first time and reason.
#[must_use]
pub fn suspend(before: &Organization, reason: SuspensionReason, now: Timestamp) -> Organization {
    if before.suspended.is_some() {
        return before.clone();
    }
    Organization { suspended: Some(Suspension { at: now, reason }), modified_at: Some(now), ..before.clone() }
}

/// Ends the suspension of an organization. One that is not suspended stays unchanged.
#[must_use]
pub fn unsuspend(before: &Organization, now: Timestamp) -> Organization {
    if before.suspended.is_none() {
        return before.clone();
    }
    Organization { suspended: None, modified_at: Some(now), ..before.clone() }
}
