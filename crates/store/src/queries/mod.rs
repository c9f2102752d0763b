//! The queries, a file a noun, as methods of [`crate::Tx`]. Each is one round trip unless it says otherwise.

mod access_tokens;
mod audit;
mod credentials;
mod customer_deletions;
mod customer_sessions;
mod customers;
mod deleted_customers;
mod idempotency;
mod installation;
mod mails;
mod members;
mod organizations;
mod pending;
mod row_counters;
mod sub_accounts;
mod team;
mod users;
mod webhook_deliveries;
mod webhook_endpoints;
mod webhook_events;
mod webhook_queues;

pub use access_tokens::{AccessTokenKey, TokenUse};
pub use audit::{AuditImages, AuditRecord};
pub use credentials::CredentialOwner;
pub use customer_deletions::{CustomerDeletion, CustomerEvent, DeletionStep};
pub use customers::{CustomerFilter, CustomerKey};
pub(crate) use customers::{billing_name, search_text};
pub(crate) use idempotency::sealed_for;
pub use idempotency::{IdempotencyClaim, IdempotencyNamespace, IdempotencyState, StoredResponse};
pub use members::{MemberConflicts, MemberFilter};
pub use organizations::{OrganizationFilter, OrganizationKey};
pub use pending::PendingEvent;
pub use webhook_deliveries::{WebhookDelivery, WebhookDeliveryDetails, WebhookDeliveryFilter};
pub use webhook_events::WebhookEventRow;
pub use webhook_queues::{DeliveryQueue, DueQueue, LeasedDelivery};

use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

/// The condition for the rows of a list. A look-up says `deleted_at IS NULL` instead: the index of the list is partial
/// by this condition and the index of the look-up by the other, so neither query can use the other's index.
const LISTED: &str = "coalesce(deleted_at, 0) = 0";

/// A page of a list, by the number of rows before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows to skip.
    pub offset: u64,
    /// Rows at the most.
    pub limit: u64,
}

/// Rows that a list may skip among the requests that look at few.
const NEAR: u64 = 10_000;

impl Page {
    /// Whether it is near the beginning: all rows before it are looked at.
    #[must_use]
    pub const fn is_near_start(self) -> bool {
        self.offset <= NEAR
    }

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

/// Where a part of a list begins or ends. Lists of this kind are in the order of their ids, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// At the newest row.
    Newest,
    /// Behind this id: what is older.
    After(Uuid),
    /// In front of this id: what is newer, as far as it adjoins.
    Before(Uuid),
}

/// Which part of a list is wanted, by an id and not by a number of rows: what is made or deleted meanwhile
/// moves no row to another part. The id need not be there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyset {
    /// Where.
    pub edge: Edge,
    /// Rows at the most.
    pub limit: usize,
}

/// A part of a list, newest first, and where its neighbours are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysetPage<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The [`Edge::Before`] of the part in front of this one; nothing when there is none. The part that
    /// begins at [`Edge::Newest`] has none.
    pub newer: Option<Uuid>,
    /// The [`Edge::After`] of the part behind this one; nothing when there is none.
    pub older: Option<Uuid>,
}

impl Tx<'_> {
    /// A part of the list that `from` (`FROM .. WHERE ..`) describes, whose rows have their place by `id`.
    /// Two round trips, unless it begins at the newest row.
    async fn keyset_page<T>(
        &mut self,
        columns: &str,
        from: &Query<'_>,
        keyset: Keyset,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<KeysetPage<T>, StoreError> {
        let Keyset { edge, limit } = keyset;
        let mut query = from.selecting(columns);
        let bound = match edge {
            Edge::Newest => " ORDER BY id DESC".to_owned(),
            Edge::After(edge) => format!(" AND id < {} ORDER BY id DESC", query.param(edge)),
            Edge::Before(edge) => format!(" AND id > {} ORDER BY id", query.param(edge)),
        };
        query.push(&bound);
        // One more tells whether there are more.
        let asked = query.param(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX));
        query.push(&format!(" LIMIT {asked}"));
        let mut items = self.all(&query.sql, &query.params, read).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        if matches!(edge, Edge::Before(_)) {
            items.reverse();
        }
        let (first, last) = (items.first().map(&id), items.last().map(&id));
        // A part without rows has its neighbour at the other end of the list.
        let (newer, older) = match edge {
            Edge::Newest => (None, last.filter(|_| more)),
            Edge::After(edge) => {
                let (than, at) = first.map_or((">=", edge), |first| (">", first));
                let any = self.any_row(from, than, at).await?;
                (any.then(|| first.unwrap_or(Uuid::nil())), last.filter(|_| more))
            }
            Edge::Before(edge) => {
                let (than, at) = last.map_or(("<=", edge), |last| ("<", last));
                let any = self.any_row(from, than, at).await?;
                (first.filter(|_| more), any.then(|| last.unwrap_or(Uuid::max())))
            }
        };
        Ok(KeysetPage { items, newer, older })
    }

    /// Whether the list has a row whose id is `than` this one.
    async fn any_row(&mut self, from: &Query<'_>, than: &str, id: Uuid) -> Result<bool, StoreError> {
        let mut query = from.selecting("id");
        let id = query.param(id);
        query.push(&format!(" AND id {than} {id} LIMIT 1"));
        Ok(self.first(&query.sql, &query.params, |row| row.get::<Uuid>(0)).await?.is_some())
    }
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
#[derive(Clone)]
struct Query<'a> {
    sql: String,
    params: Vec<Param<'a>>,
    /// What the column of a tenant is compared with, for every further table that the query looks at: a
    /// sharding engine sends a query to one shard when each of its tables is held to the tenant.
    tenants: String,
}

impl<'a> Query<'a> {
    fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), params: Vec::new(), tenants: String::new() }
    }

    /// The rows that this one, which begins with `FROM`, describes.
    fn selecting(&self, columns: &str) -> Self {
        Self { sql: format!("SELECT {columns} {}", self.sql), ..self.clone() }
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
        self.tenants = match names.as_slice() {
            [] => "= NULL".to_owned(),
            [one] => format!("= {one}"),
            several => format!("IN ({})", several.join(", ")),
        };
        let held = if names.is_empty() { "1 = 0".to_owned() } else { format!("{column} {}", self.tenants) };
        self.push(&held);
    }

    fn page(&mut self, page: Page) {
        let [limit, offset] = page.params();
        let (limit, offset) = (self.param(limit), self.param(offset));
        self.push(&format!(" LIMIT {limit} OFFSET {offset}"));
    }
}

/// A pattern for what contains `text`. The engines fold case differently: both sides are of one case.
fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// Turns a count of the database into a count.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
