//! The queries, a file a noun, as methods of [`crate::Tx`]. Each is one round trip unless it says otherwise.

mod access_tokens;
mod audit;
mod credentials;
mod customers;
mod customers_gone;
mod idempotency;
mod installation;
mod mails;
mod members;
mod organizations;
mod sessions;
mod tallies;
mod team;
mod unsent;
mod users;
mod webhook_deliveries;
mod webhook_endpoints;
mod webhook_events;
mod webhook_lanes;

pub use access_tokens::{AccessTokenKey, TokenUse};
pub use audit::{AuditImages, AuditLine};
pub use credentials::CredentialOwner;
pub use customers::{CustomerFilter, CustomerKey};
pub use idempotency::{Claim, IdempotencyRecord, StoredAnswer};
pub use members::MemberFilter;
pub use organizations::{OrganizationFilter, OrganizationKey};
pub use unsent::WaitingEvent;
pub use webhook_deliveries::{WebhookDelivery, WebhookDeliveryFilter, WebhookDeliveryShown};
pub use webhook_events::WebhookEventRow;
pub use webhook_lanes::{WebhookClaim, WebhookLane, WebhookLaneDue};

use tenantry_core::ids::OrganizationId;

use crate::sql::Param;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows to skip.
    pub offset: u64,
    /// Rows at the most.
    pub limit: u64,
}

impl Page {
    fn params(self) -> [Param<'static>; 2] {
        let int = |value: u64| Param::Int(i64::try_from(value).unwrap_or(i64::MAX));
        [int(self.limit), int(self.offset)]
    }
}

/// A part of a list, and how long the whole is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The rows of this part.
    pub items: Vec<T>,
    /// The rows of the whole.
    pub total: u64,
}

/// One criterion of a list's order. Every list ends with its id, so that no two rows are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order<K> {
    /// What to order by.
    pub by: K,
    /// From the greatest to the least.
    pub descending: bool,
}

/// A query put together from parts that are known when it runs.
struct Query<'a> {
    sql: String,
    params: Vec<Param<'a>>,
}

impl<'a> Query<'a> {
    fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), params: Vec::new() }
    }

    /// The placeholder of a new parameter.
    fn param(&mut self, param: impl Into<Param<'a>>) -> String {
        self.params.push(param.into());
        format!("?{}", self.params.len())
    }

    fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// `column = ?` for one organization, `column IN (?, ..)` for several, nothing for none.
    fn organizations(&mut self, column: &str, organizations: &[OrganizationId]) {
        let names: Vec<String> = organizations.iter().map(|id| self.param(*id)).collect();
        match names.as_slice() {
            [] => self.push("1 = 0"),
            [one] => self.push(&format!("{column} = {one}")),
            several => self.push(&format!("{column} IN ({})", several.join(", "))),
        }
    }

    fn page(&mut self, page: Page) {
        let [limit, offset] = page.params();
        let (limit, offset) = (self.param(limit), self.param(offset));
        self.push(&format!(" LIMIT {limit} OFFSET {offset}"));
    }
}

/// Turns a count of the database into a count.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
