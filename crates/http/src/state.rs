//! State that every request shares.

use std::sync::Arc;

use tenantry_app::App;

use crate::health::Health;
use crate::limits::Limits;
use crate::meters::Meters;
use crate::pipeline::memory::MemoryBudget;
use crate::pipeline::rate_limit::RateLimiters;
use crate::pipeline::slots::Slots;

/// State that every request shares.
pub(crate) struct AppState {
    pub(crate) app: Arc<App>,
    pub(crate) limits: Limits,
    pub(crate) meters: Meters,
    /// Absent when callers are not limited.
    pub(crate) rate_limiters: Option<RateLimiters>,
    /// Memory for the bodies of requests.
    pub(crate) bodies: Arc<MemoryBudget>,
    /// Memory for the bodies of responses.
    pub(crate) responses: Arc<MemoryBudget>,
    pub(crate) slots: Slots,
    pub(crate) health: Arc<Health>,
    /// The base URL of the portal's pages.
    pub(crate) portal_url: Arc<str>,
    /// The address at which people reach the server.
    pub(crate) public_url: Arc<str>,
}
