//! The queries, one file for each kind of row, as methods of [`crate::Tx`]. Each is one round trip unless its
//! comment says otherwise. A query that "locks" rows holds the locks until the transaction ends.

mod access_tokens;
mod audit;
mod audit_log;
mod audit_retention;
mod console;
mod credentials;
mod customer_deletions;
mod customer_import_queue;
mod customer_import_rows;
mod customer_imports;
mod customer_sessions;
mod customers;
mod deleted_customers;
mod deleted_invitations;
mod deleted_organizations;
mod expiry_notices;
mod idempotency;
mod installation;
mod invitations;
mod known_browsers;
mod mail_budgets;
mod mails;
mod members;
mod operator;
mod organization_imports;
mod organization_purge;
mod organizations;
mod passkeys;
mod pending;
mod portal_sign_ins;
mod row_counters;
mod row_organizations;
mod sub_accounts;
mod team;
mod token_secrets;
mod user_deletions;
mod user_email_changes;
mod user_tokens;
mod users;
mod webhook_deliveries;
mod webhook_endpoints;
mod webhook_events;
mod webhook_queues;

pub use access_tokens::AccessTokenKey;
pub use audit::{AuditImages, OldAuditEntry, PersonalAuditEntries, PersonalAuditEntry};
pub use audit_log::{AuditFilter, AuditRecord};
pub use audit_retention::AuditRetention;
pub use credentials::{CredentialOwner, SessionFacts};
pub use customer_deletions::{CustomerDeletion, CustomerEvent, DeletionStep};
pub use customer_imports::CustomerImport;
pub use customers::{CustomerFilter, CustomerKey};
pub(crate) use customers::{billing_name, search_text};
pub(crate) use idempotency::sealed_for;
pub use idempotency::{IdempotencyClaim, IdempotencyNamespace, IdempotencyState, StoredResponse};
pub use invitations::{InvitationFilter, InvitationSortKey};
pub use members::{MemberConflicts, MemberFilter};
pub use operator::{Backlog, OperatorFilter, OrganizationStateFilter};
pub use organization_imports::{HIDDEN_AT, OrganizationImportMark};
pub use organization_purge::PurgedRows;
pub(crate) use organizations::organization_search_text;
pub use organizations::{OrganizationFilter, OrganizationKey};
pub use pending::PendingEvent;
pub use row_organizations::RowKey;
pub use token_secrets::{SecretSubject, TokenRef, TokenSecrets, TokenUse};
pub use user_deletions::UserDeletion;
pub use user_email_changes::UserEmailChange;
pub use users::OwnedOrganizations;
pub use webhook_deliveries::{WebhookDelivery, WebhookDeliveryDetails, WebhookDeliveryFilter};
pub use webhook_endpoints::sealed_url_context;
pub use webhook_events::WebhookEventRow;
pub use webhook_queues::{DeliveryQueue, DueQueue, LeasedDelivery, OrganizationQueues};

use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

/// The condition for the rows of a list. A look-up has `deleted_at IS NULL` instead. The index of the list is
/// partial by this condition and the index of the look-up by the other, so neither query can use the other's
/// index.
const LISTED: &str = "coalesce(deleted_at, 0) = 0";

/// A request for one page by number: the page begins after `offset` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows to skip.
    pub offset: u64,
    /// The greatest number of rows.
    pub limit: u64,
}

/// The greatest offset, in rows, of a list that runs outside the limits of a [`crate::ListQuery`].
const NEAR: u64 = 10_000;

impl Page {
    /// Whether the page is near the beginning of the list. The database reads all rows before a page.
    #[must_use]
    pub const fn is_near_start(self) -> bool {
        self.offset <= NEAR
    }

    fn params(self) -> [Param<'static>; 2] {
        let int = |value: u64| Param::Int(i64::try_from(value).unwrap_or(i64::MAX));
        [int(self.limit), int(self.offset)]
    }
}

/// A page of a list and the length of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// The number of rows of the whole list.
    pub total: u64,
}

/// The bound of a page by keyset. These lists are ordered by id, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The page begins at the newest row.
    Newest,
    /// The page holds the next rows that are older than this id.
    After(Uuid),
    /// The page holds the next rows that are newer than this id.
    Before(Uuid),
}

/// A request for one page by keyset. An id bounds the page, not a number of rows, so an inserted or deleted
/// row moves no other row to another page. The row with that id may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyset {
    /// The bound of the page.
    pub edge: Edge,
    /// The greatest number of rows.
    pub limit: usize,
}

/// A page by keyset, newest row first, with the bounds of its neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysetPage<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The id for [`Edge::Before`] that gives the page of newer rows; nothing when there is none. A page that
    /// begins at [`Edge::Newest`] has none.
    pub newer: Option<Uuid>,
    /// The id for [`Edge::After`] that gives the page of older rows; nothing when there is none.
    pub older: Option<Uuid>,
}

impl Tx<'_> {
    /// A page of the list that `from` (`FROM .. WHERE ..`) describes, ordered by `id`. Two round trips,
    /// unless the page begins at the newest row.
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
        // One row more than the limit shows whether there is a further page.
        let asked = query.param(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX));
        query.push(&format!(" LIMIT {asked}"));
        let mut items = self.all(&query.sql, &query.params, read).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        if matches!(edge, Edge::Before(_)) {
            items.reverse();
        }
        let (first, last) = (items.first().map(&id), items.last().map(&id));
        // An empty page lies beyond one end of the list: its only neighbour is the page at that end.
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

    /// Whether the list has a row whose id compares to `id` by the operator `than`.
    async fn any_row(&mut self, from: &Query<'_>, than: &str, id: Uuid) -> Result<bool, StoreError> {
        let mut query = from.selecting("id");
        let id = query.param(id);
        query.push(&format!(" AND id {than} {id} LIMIT 1"));
        Ok(self.first(&query.sql, &query.params, |row| row.get::<Uuid>(0)).await?.is_some())
    }
}

/// One criterion of a list's order. Each list uses the id as its last criterion, so that the order is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order<K> {
    /// The column.
    pub by: K,
    /// Whether the greatest value comes first.
    pub descending: bool,
}

/// A query that is built at run time.
#[derive(Clone)]
struct Query<'a> {
    sql: String,
    params: Vec<Param<'a>>,
    /// The comparison with the tenants (`= ?1` or `IN (..)`), for every further table of the query. A
    /// sharding engine sends a query to one shard only when it restricts each of its tables to the tenant.
    tenants: String,
}

impl<'a> Query<'a> {
    fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), params: Vec::new(), tenants: String::new() }
    }

    /// A query for `columns` of the rows that this one, which begins with `FROM`, describes.
    fn selecting(&self, columns: &str) -> Self {
        Self { sql: format!("SELECT {columns} {}", self.sql), ..self.clone() }
    }

    /// Adds a parameter; returns its placeholder.
    fn param(&mut self, param: impl Into<Param<'a>>) -> String {
        self.params.push(param.into());
        format!("?{}", self.params.len())
    }

    fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// Adds `column = ?` for one organization, `column IN (?, ..)` for several, and a condition that no row
    /// meets for none.
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

/// Repeats some values until their number is a power of two. Each number of parameters is another statement to prepare,
/// so this keeps the number of statements small.
fn repeated<T>(values: impl ExactSizeIterator<Item = T> + Clone) -> Vec<T> {
    let length = if values.len() == 0 { 0 } else { values.len().next_power_of_two() };
    values.cycle().take(length).collect()
}

/// A `LIKE` pattern for values that contain `text`. The engines fold case differently, so the caller passes
/// text in the case of the column.
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

/// A count that the database returned; 0 when it is negative.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
