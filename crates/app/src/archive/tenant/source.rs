//! Reads the rows of an organization and its sub-accounts from a snapshot.

use std::collections::BTreeSet;

use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::token::SecretKind;
use tenantry_core::values::email_key;
use tenantry_store::{Catalog, ColumnValue, RowValues, Snapshot, Table};

use super::tables::{self, PEOPLE};
use crate::archive::ArchiveError;
use crate::limits;

/// The rows that an export contains.
pub(super) struct Scope {
    root: OrganizationId,
    /// The organizations, by id.
    organizations: Vec<OrganizationId>,
    /// The people that their rows name: id and address, by id.
    people: Vec<RowValues>,
    /// Whether `people` is complete.
    has_people: bool,
    has_sub_accounts: bool,
}

impl Scope {
    /// Reads the ids of the organizations and of their people from a snapshot.
    pub(super) async fn read(
        snapshot: &mut Snapshot<'_>,
        root: OrganizationId,
        has_sub_accounts: bool,
    ) -> Result<Self, ArchiveError> {
        let mut organizations = vec![root];
        if has_sub_accounts {
            let children = snapshot.tx()?.sub_account_names(root).await?;
            organizations.extend(children.into_iter().map(|(id, _)| id));
        }
        organizations.sort_unstable();
        let mut scope = Self { root, organizations, people: Vec::new(), has_people: false, has_sub_accounts };
        let mut people = BTreeSet::new();
        let catalog = Catalog::now()?;
        for table in
            ["team_members", "former_team_members"].into_iter().filter_map(|name| catalog.table(name))
        {
            scope
                .for_each_row(snapshot, table, |row| {
                    people.extend(tables::id(table, &row, "user_id"));
                    Ok(())
                })
                .await?;
        }
        for id in people {
            let Some(user) = snapshot.tx()?.user(UserId::new(id)).await? else {
                // The audit log still names the person, and nothing would remove the name elsewhere.
                let what = "the deletion of a person of the team is not finished: export again in a minute";
                return Err(ArchiveError::Conflict(what.to_owned()));
            };
            scope.people.push(vec![ColumnValue::Id(id), ColumnValue::Text(user.email.to_string())]);
        }
        scope.has_people = true;
        Ok(scope)
    }

    /// The address of a person of the organizations. `None` after the deletion of the person.
    fn address(&self, table: &Table, row: &[ColumnValue]) -> Option<&str> {
        let id = ColumnValue::Id(tables::id(table, row, "user_id")?);
        let at = self.people.binary_search_by(|person| person.first().cmp(&Some(&id))).ok()?;
        match self.people.get(at)?.get(1) {
            Some(ColumnValue::Text(email)) => Some(email),
            _ => None,
        }
    }

    /// The number of organizations.
    pub(super) const fn organizations(&self) -> usize {
        self.organizations.len()
    }

    /// The approximate number of rows: tables that are not keyed by organization are left out.
    pub(super) async fn count(
        &self,
        snapshot: &mut Snapshot<'_>,
        tables: &[std::sync::Arc<Table>],
    ) -> Result<u64, ArchiveError> {
        let mut rows = self.people.len() as u64;
        for table in tables.iter().filter(|table| table.is_keyed_by_tenant()) {
            for organization in &self.organizations {
                let counted = snapshot.tx()?.tenant_rows_count(table, *organization).await?;
                rows = rows.saturating_add(u64::try_from(counted).unwrap_or(0));
            }
        }
        Ok(rows)
    }

    /// Passes each row of a table to `take`, ordered by the primary key.
    pub(super) async fn for_each_row(
        &self,
        snapshot: &mut Snapshot<'_>,
        table: &Table,
        mut take: impl FnMut(RowValues) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        if table.name == PEOPLE {
            return self.people.iter().cloned().try_for_each(take);
        }
        // Tables that are not keyed by organization are read once, for all organizations.
        let size = if table.is_keyed_by_tenant() { 1 } else { self.organizations.len() };
        for organizations in self.organizations.chunks(size) {
            let mut after: Option<RowValues> = None;
            loop {
                let rows = snapshot
                    .tx()?
                    .tenant_rows_after(table, organizations, after.as_deref(), limits::ARCHIVE_BATCH_ROWS)
                    .await?;
                let Some(last) = rows.last() else { break };
                let is_last = i64::try_from(rows.len()).is_ok_and(|count| count < limits::ARCHIVE_BATCH_ROWS);
                after = Some(table.key_of(last));
                for mut row in rows {
                    if self.adapt(table, &mut row) {
                        take(row)?;
                    }
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Changes a row into its form in the export. Returns whether the export contains it.
    fn adapt(&self, table: &Table, row: &mut RowValues) -> bool {
        match table.name.as_str() {
            "credentials" => tables::text(table, row, "kind").is_some_and(is_of_token),
            "organizations" => {
                if !self.has_sub_accounts && tables::id(table, row, "id") == Some(self.root.uuid()) {
                    tables::set(table, row, "sub_account_count", ColumnValue::Int(0));
                }
                true
            }
            // A membership may wait for the deletion of its person, or for the person's new address.
            "team_members" if self.has_people => {
                let Some(email) = self.address(table, row) else { return false };
                let key = email_key(email);
                if tables::text(table, row, "email_key") != Some(&key) {
                    tables::set(table, row, "email", ColumnValue::Text(email.to_owned()));
                    tables::set(table, row, "email_key", ColumnValue::Text(key));
                }
                true
            }
            "former_team_members" if self.has_people => self.address(table, row).is_some(),
            _ => true,
        }
    }
}

/// Whether a credential of this kind belongs to an access token. Credentials of other kinds end within an hour.
pub(super) fn is_of_token(kind: &str) -> bool {
    matches!(SecretKind::from_name(kind), Some(SecretKind::OrganizationToken | SecretKind::ApiKey))
}
