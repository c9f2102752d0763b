//! The operator's view of the installation: people with the operator's rights, all organizations, and the work that
//! waits.

use std::collections::HashMap;

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::organization::DeletedOrganization;
use tenantry_core::values::{EmailAddress, Slug, search_term};

use super::deleted_organizations::deleted;
use super::organizations::COLUMNS;
use super::{Keyset, KeysetPage, LISTED, Query, contains, count, repeated};
use crate::row::Row;
use crate::{StoreError, Tx};

/// The longest search term, in characters.
const SEARCHED: usize = 200;

/// The state of the organizations of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrganizationStateFilter {
    /// Not deleted.
    #[default]
    Live,
    /// Suspended by the operator or the parent, and not deleted.
    Suspended,
    /// Deleted, and not purged yet.
    Deleted,
}

impl OrganizationStateFilter {
    /// The condition, in the words of an index that has `id` and `search_text`.
    fn condition(self) -> String {
        match self {
            Self::Live => format!("search_text > '' AND {LISTED}"),
            Self::Suspended => format!("coalesce(suspended_at, 0) > 0 AND {LISTED}"),
            Self::Deleted => "coalesce(deleted_at, 0) > 0".to_owned(),
        }
    }
}

/// The filters of the operator's list of organizations.
#[derive(Debug, Clone, Default)]
pub struct OperatorFilter {
    /// A part of the name or slug.
    pub text: Option<String>,
    /// Only these organizations.
    pub among: Option<Vec<OrganizationId>>,
    /// The state.
    pub state: OrganizationStateFilter,
}

/// Work that is due: how much there is, up to a limit, and since when the oldest of it has been due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// The number of due rows.
    pub due: u64,
    /// The time at which the oldest row became due.
    pub since: Option<Timestamp>,
}

impl Tx<'_> {
    /// The time since which a person has the rights of the operator.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_operator_since(&mut self, user: UserId) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT operator_since FROM users WHERE id = ?1";
        Ok(self.first(sql, &[user.into()], |row| row.get::<Option<Timestamp>>(0)).await?.flatten())
    }

    /// Gives a person the rights of the operator, or takes them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_set_operator(
        &mut self,
        user: UserId,
        since: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE users SET operator_since = ?2 WHERE id = ?1";
        self.execute_unawaited(sql, &[user.into(), since.into()]).await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// A page of the list of all organizations, newest first. Up to four round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn operator_organizations(
        &mut self,
        filter: &OperatorFilter,
        keyset: Keyset,
    ) -> Result<KeysetPage<DeletedOrganization>, StoreError> {
        let KeysetPage { items, newer, older } = match &filter.among {
            Some(among) => self.operator_page_among(filter, among, keyset).await?,
            None => self.operator_page(filter, keyset).await?,
        };
        let mut items = self.operator_rows(&items).await?;
        items.sort_unstable_by_key(|one| std::cmp::Reverse(one.organization.id));
        Ok(KeysetPage { items, newer, older })
    }

    async fn operator_page(
        &mut self,
        filter: &OperatorFilter,
        keyset: Keyset,
    ) -> Result<KeysetPage<OrganizationId>, StoreError> {
        let mut query = Query::new("FROM organizations WHERE ");
        query.push(&filter.state.condition());
        narrow(&mut query, filter);
        self.keyset_page("id", &query, keyset, |row| row.get::<OrganizationId>(0), |id| id.uuid()).await
    }

    async fn operator_page_among(
        &mut self,
        filter: &OperatorFilter,
        among: &[OrganizationId],
        keyset: Keyset,
    ) -> Result<KeysetPage<OrganizationId>, StoreError> {
        let mut query = Query::new("FROM organizations WHERE ");
        query.organizations("id", &repeated(among.iter().copied()));
        query.push(match filter.state {
            OrganizationStateFilter::Live => " AND deleted_at IS NULL",
            OrganizationStateFilter::Suspended => " AND deleted_at IS NULL AND suspended_at IS NOT NULL",
            OrganizationStateFilter::Deleted => " AND coalesce(deleted_at, 0) > 0",
        });
        narrow(&mut query, filter);
        self.keyset_page("id", &query, keyset, |row| row.get::<OrganizationId>(0), |id| id.uuid()).await
    }

    /// The organizations of these ids in any state but hidden.
    async fn operator_rows(
        &mut self,
        ids: &[OrganizationId],
    ) -> Result<Vec<DeletedOrganization>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query =
            Query::new(format!("SELECT {COLUMNS}, deleted_at, purge_began_at FROM organizations WHERE "));
        query.organizations("id", &repeated(ids.iter().copied()));
        query.push(" AND coalesce(deleted_at, 0) >= 0");
        self.all(&query.sql, &query.params, deleted).await
    }

    /// The organization of this id in any state but hidden, not locked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn operator_organization(
        &mut self,
        id: OrganizationId,
    ) -> Result<Option<DeletedOrganization>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, deleted_at, purge_began_at FROM organizations
             WHERE id = ?1 AND coalesce(deleted_at, 0) >= 0"
        );
        self.first(&sql, &[id.into()], deleted).await
    }

    /// The slugs of these organizations, in any state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_slugs(
        &mut self,
        ids: &[OrganizationId],
    ) -> Result<HashMap<OrganizationId, Slug>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut query = Query::new("SELECT id, slug FROM organizations WHERE ");
        query.organizations("id", &repeated(ids.iter().copied()));
        let read = |row: &Row<'_>| Ok((row.get(0)?, Slug::from_stored(row.get(1)?)));
        Ok(self.all(&query.sql, &query.params, read).await?.into_iter().collect())
    }

    /// The addresses of these people.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_emails(&mut self, ids: &[UserId]) -> Result<HashMap<UserId, EmailAddress>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut query = Query::new("SELECT id, email, email_key FROM users WHERE id IN (");
        let names: Vec<String> =
            repeated(ids.iter().copied()).into_iter().map(|id| query.param(id)).collect();
        query.push(&format!("{})", names.join(", ")));
        let found = self.all(&query.sql, &query.params, |row| Ok((row.get(0)?, row.email(1, 2)?))).await?;
        Ok(found.into_iter().filter_map(|(id, email)| Some((id, email?))).collect())
    }

    /// The delivery queues that are due, up to `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_backlog(&mut self, now: Timestamp, limit: i64) -> Result<Backlog, StoreError> {
        let sql = "SELECT count(*), min(due_at) FROM (SELECT due_at FROM webhook_queues WHERE due_at <= ?1
             ORDER BY due_at LIMIT ?2) AS waiting";
        self.backlog(sql, now, limit).await
    }

    /// The mail queues that are due, up to `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_backlog(&mut self, now: Timestamp, limit: i64) -> Result<Backlog, StoreError> {
        let sql = "SELECT count(*), min(due_at) FROM (SELECT due_at FROM mail_queues WHERE due_at <= ?1
             ORDER BY due_at LIMIT ?2) AS waiting";
        self.backlog(sql, now, limit).await
    }

    /// The imports of customers that are due, up to `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn import_backlog(&mut self, now: Timestamp, limit: i64) -> Result<Backlog, StoreError> {
        let sql = "SELECT count(*), min(due_at) FROM (SELECT due_at FROM customer_imports WHERE due_at <= ?1
             ORDER BY due_at LIMIT ?2) AS waiting";
        self.backlog(sql, now, limit).await
    }

    async fn backlog(&mut self, sql: &str, now: Timestamp, limit: i64) -> Result<Backlog, StoreError> {
        let read = |row: &Row<'_>| Ok(Backlog { due: count(row.get(0)?), since: row.get(1)? });
        Ok(self.first(sql, &[now.into(), limit.into()], read).await?.unwrap_or_default())
    }
}

/// Adds the text of the filter.
fn narrow(query: &mut Query<'_>, filter: &OperatorFilter) {
    let Some(term) = filter.text.as_deref().map(search_term).filter(|term| !term.is_empty()) else { return };
    if term.chars().nth(SEARCHED).is_some() {
        query.push(" AND 1 = 0");
        return;
    }
    let part = query.param(contains(&term));
    query.push(&format!(" AND search_text LIKE {part} ESCAPE '\\'"));
}
