//! Reading the audit log. An entry about a new account is not shown: it would tell the organization that adds a person
//! whether others know the person.
//!
//! An entry's id begins with its time, so a range of times is a range of ids. Each list names one index, whatever the
//! statistics say: that of the subject, else of the actor, else of the action, else the primary key. A further filter is
//! written so that no index serves it.

use tenantry_core::Timestamp;
use tenantry_core::ids::{AuditId, OrganizationId};
use tenantry_core::values::time_ordered_uuid;
use uuid::Uuid;

use super::{Keyset, KeysetPage, Query, repeated};
use crate::row::Row;
use crate::{StoreError, Tx};

/// An entry of the audit log as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// The entry.
    pub id: AuditId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The time of the action.
    pub at: Timestamp,
    /// The kind of actor.
    pub actor_kind: String,
    /// The actor, where it has an id.
    pub actor: Option<Uuid>,
    /// The action.
    pub action: String,
    /// The row that changed.
    pub subject: Uuid,
    /// The row, or its changed fields, before the action, as JSON.
    pub before: Option<String>,
    /// The row, or its changed fields, after the action, as JSON.
    pub after: Option<String>,
    /// The id of the request that made the change.
    pub request_id: Option<String>,
    /// The token or session of the request.
    pub credential: Option<Uuid>,
    /// The address of the client.
    pub client_address: Option<String>,
    /// The program that sent the request.
    pub user_agent: Option<String>,
}

impl AuditRecord {
    /// The columns of the table of an export.
    pub const COLUMNS: &'static [&'static str] = &[
        "ID",
        "Created At",
        "Organization ID",
        "Action",
        "Actor Type",
        "Actor ID",
        "Subject ID",
        "Before",
        "After",
        "Request ID",
        "Credential ID",
        "Client Address",
        "User Agent",
    ];

    /// The line of the entry in such a table.
    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            self.id.to_string(),
            self.at.to_string().replace('Z', "+00:00"),
            self.organization.to_string(),
            self.action.clone(),
            self.actor_kind.clone(),
            id(self.actor),
            self.subject.to_string(),
            text(&self.before),
            text(&self.after),
            text(&self.request_id),
            id(self.credential),
            text(&self.client_address),
            text(&self.user_agent),
        ]
    }
}

/// The filters of a list of entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Entries about this row.
    pub subject: Option<Uuid>,
    /// Entries by this actor.
    pub actor: Option<Uuid>,
    /// Entries of this action.
    pub action: Option<String>,
    /// Entries at this time and later.
    pub from: Option<Timestamp>,
    /// Entries before this time.
    pub before: Option<Timestamp>,
}

impl AuditFilter {
    /// Whether one index finds the entries without reading others.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        let filters = [self.subject.is_some(), self.actor.is_some(), self.action.is_some()];
        filters.into_iter().filter(|is_set| *is_set).count() <= 1
    }
}

/// The condition of the entries that an organization reads. No index serves it.
const SHOWN: &str = "nullif(action, '') <> 'user.created'";

const COLUMNS: &str =
    "id, organization_id, created_at, actor_kind, actor_id, action, subject_id, before, after, request_id,
    credential_id, client_address, user_agent";

fn record(row: &Row<'_>) -> Result<AuditRecord, StoreError> {
    Ok(AuditRecord {
        id: row.get(0)?,
        organization: row.get(1)?,
        at: row.get(2)?,
        actor_kind: row.get(3)?,
        actor: row.get(4)?,
        action: row.get(5)?,
        subject: row.get(6)?,
        before: row.get(7)?,
        after: row.get(8)?,
        request_id: row.get(9)?,
        credential: row.get(10)?,
        client_address: row.get(11)?,
        user_agent: row.get(12)?,
    })
}

/// The least id of an entry at this time.
pub(super) fn first_id(at: Timestamp) -> Uuid {
    time_ordered_uuid(at.as_micros(), [0; 8])
}

fn filtered(organization: OrganizationId, filter: &AuditFilter) -> Query<'_> {
    let AuditFilter { subject, actor, action, from, before } = filter;
    let mut query = Query::new("FROM audit_entries WHERE ");
    query.organizations("organization_id", &[organization]);
    query.push(&format!(" AND {SHOWN}"));
    let mut is_index_named = false;
    if let Some(subject) = subject {
        let subject = query.param(*subject);
        query.push(&format!(" AND subject_id = {subject}"));
        is_index_named = true;
    }
    if let Some(actor) = actor {
        let actor = query.param(*actor);
        // An organization is never an actor.
        let column = if is_index_named { "nullif(actor_id, organization_id)" } else { "actor_id" };
        query.push(&format!(" AND {column} = {actor}"));
        is_index_named = true;
    }
    if let Some(action) = action {
        let action = query.param(action.as_str());
        let column = if is_index_named { "nullif(action, '')" } else { "action" };
        query.push(&format!(" AND {column} = {action}"));
    }
    if let Some(from) = from {
        let from = query.param(first_id(*from));
        query.push(&format!(" AND id >= {from}"));
    }
    if let Some(before) = before {
        let before = query.param(first_id(*before));
        query.push(&format!(" AND id < {before}"));
    }
    query
}

impl Tx<'_> {
    /// One entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_entry(
        &mut self,
        organization: OrganizationId,
        id: AuditId,
    ) -> Result<Option<AuditRecord>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM audit_entries WHERE organization_id = ?1 AND id = ?2 AND {SHOWN}");
        self.first(&sql, &[organization.into(), id.into()], record).await
    }

    /// A page of the entries, newest first. Two round trips, unless the page begins at the newest entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_entries(
        &mut self,
        organization: OrganizationId,
        filter: &AuditFilter,
        keyset: Keyset,
    ) -> Result<KeysetPage<AuditRecord>, StoreError> {
        let from = filtered(organization, filter);
        self.keyset_page(COLUMNS, &from, keyset, record, |entry| entry.id.uuid()).await
    }

    /// The next entries after the entry `after`, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_entries_after(
        &mut self,
        organization: OrganizationId,
        filter: &AuditFilter,
        after: Option<AuditId>,
        limit: i64,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let mut query = filtered(organization, filter).selecting(COLUMNS);
        let after = query.param(after.map_or(Uuid::nil(), AuditId::uuid));
        let limit = query.param(limit);
        query.push(&format!(" AND id > {after} ORDER BY id LIMIT {limit}"));
        self.all(&query.sql, &query.params, record).await
    }

    /// The names of these actors, as far as they are people of the team or access tokens. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_actor_names(
        &mut self,
        organization: OrganizationId,
        actors: &[Uuid],
    ) -> Result<Vec<(Uuid, String)>, StoreError> {
        if actors.is_empty() {
            return Ok(Vec::new());
        }
        // A list of ids would let PostgreSQL read all rows of the organization.
        let points: [fn(&str, &str) -> String; 2] = [
            |tenants, actor| {
                format!(
                    "SELECT user_id, coalesce(name, email) FROM team_members
                     WHERE organization_id {tenants} AND user_id = {actor}"
                )
            },
            |tenants, actor| {
                format!(
                    "SELECT id, label FROM access_tokens WHERE organization_id {tenants} AND id = {actor}"
                )
            },
        ];
        let mut found = Vec::new();
        for point in points {
            let mut query = Query::new("");
            let tenants = format!("= {}", query.param(organization));
            let all = repeated(actors.iter()).into_iter();
            let all: Vec<String> = all.map(|actor| point(&tenants, &query.param(*actor))).collect();
            query.push(&all.join(" UNION ALL "));
            let names = self.all(&query.sql, &query.params, |row| Ok((row.get(0)?, row.get(1)?))).await?;
            found.extend(names);
        }
        Ok(found)
    }

    /// The whole audit log of an organization, oldest entry first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_log(&mut self, organization: OrganizationId) -> Result<Vec<AuditRecord>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM audit_entries WHERE organization_id = ?1 ORDER BY id");
        self.all(&sql, &[organization.into()], record).await
    }
}
