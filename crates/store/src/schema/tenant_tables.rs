//! The tables with rows of tenants: how the rows of one organization are exported, imported and deleted.
//!
//! This is the one list that a new table of a tenant must be entered in. A test compares it with the migrations.

use std::sync::Arc;

use super::{Catalog, Table};

/// The treatment of a table in the export of an organization, and in the import of such a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// The rows move, in batches.
    Moved,
    /// The rows move, and an import writes them in its last transaction: background jobs search for such rows over all
    /// organizations, or other transactions change them by the id of a person.
    Late,
    /// The rows stay, for this reason.
    Left(&'static str),
}

/// The deletion of a table's rows in the purge of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// In parts. The second column of the primary key is an id.
    InParts,
    /// By the last part, because few rows are left then.
    WithTheRest,
    /// With the rows of other tables, or before all parts, for this reason.
    Apart(&'static str),
}

/// A table with rows of tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantTable {
    /// Its name.
    pub name: &'static str,
    /// Its treatment in exports and imports.
    pub export: Export,
    /// Its treatment in a purge.
    pub purge: Purge,
}

const fn table(name: &'static str, export: Export, purge: Purge) -> TenantTable {
    TenantTable { name, export, purge }
}

use Export::{Late, Left, Moved};
use Purge::{Apart, InParts, WithTheRest};

/// The tables, each after those that its rows refer to: an import fills them in this order, a purge deletes their rows in
/// the reverse order.
pub const TENANT_TABLES: &[TenantTable] = &[
    table("organizations", Moved, Apart("the last row")),
    table("webhook_endpoints", Moved, InParts),
    table("team_members", Moved, InParts),
    table("access_tokens", Moved, InParts),
    table("credentials", Moved, Apart("go with the tokens and sessions")),
    table("former_team_members", Late, Apart("go with the team and the entries about it")),
    table("customers", Moved, InParts),
    table("customer_metadata", Moved, InParts),
    table("members", Moved, InParts),
    table("customer_deletions", Late, InParts),
    table("row_counters", Moved, WithTheRest),
    table("idempotency_records", Moved, WithTheRest),
    table("audit_entries", Moved, InParts),
    table("webhook_queues", Moved, Apart("go before all parts, once no worker has leased them")),
    table("webhook_events", Moved, InParts),
    table("webhook_deliveries", Moved, InParts),
    table("user_organizations", Left("follows from team_members"), Apart("go with the team")),
    table("organization_slugs", Left("follows from organizations"), Apart("stay, without the organization")),
    table(
        "organization_imports",
        Left("is about an import into this database"),
        Apart("the import has ended"),
    ),
    table("invitations", Left("their links name the source: people are invited again"), InParts),
    table("invitation_addresses", Left("follows from invitations"), Apart("go with the invitations")),
    table("customer_sessions", Left("ends within an hour"), InParts),
    table("email_updates", Left("ends within half an hour"), InParts),
    table(
        "portal_sign_ins",
        Left("ends within half an hour"),
        Apart("end by themselves within half an hour"),
    ),
    table("customer_imports", Left("ends in the source"), Apart("go before all parts")),
    table("customer_import_chunks", Left("is about an import of customers"), Apart("go with the import")),
    table("customer_import_failures", Left("is about an import of customers"), Apart("go with the import")),
    table("customer_import_keys", Left("is about an import of customers"), Apart("go with the import")),
    table("mail_queues", Left("is about mails"), WithTheRest),
    table("mails", Left("the source sends them"), InParts),
    table(
        "mail_budgets",
        Left("counts the mails of this installation"),
        Apart("name no organization, and end by themselves"),
    ),
];

impl TenantTable {
    /// Whether an export contains the rows.
    #[must_use]
    pub const fn is_exported(&self) -> bool {
        matches!(self.export, Moved | Late)
    }
}

/// The declaration of a table.
pub(crate) fn declared(name: &str) -> Option<&'static TenantTable> {
    TENANT_TABLES.iter().find(|table| table.name == name)
}

impl Catalog {
    /// The tables of tenants that `wanted` selects, in the order of [`TENANT_TABLES`].
    pub fn tenant_tables(&self, wanted: impl Fn(&TenantTable) -> bool) -> Vec<Arc<Table>> {
        let found = TENANT_TABLES.iter().filter(|table| wanted(table));
        found.filter_map(|table| self.table(table.name).cloned()).collect()
    }
}

impl Table {
    /// Whether an import writes the rows in its last transaction.
    #[must_use]
    pub fn is_imported_late(&self) -> bool {
        declared(&self.name).is_some_and(|table| table.export == Late)
    }

    /// Whether rows are found without the organization. With sharding, such a table is on the coordinator.
    #[must_use]
    pub fn is_central(&self) -> bool {
        // The sweep looks for abandoned imports of all organizations.
        !self.is_keyed_by_tenant() || self.name == "organization_imports"
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ColumnKind;

    #[test]
    fn every_table_of_a_tenant_is_declared_once() {
        let catalog = Catalog::now().unwrap();
        let tenants = catalog.tables.iter().filter(|table| table.tenant_column().is_some());
        let tenants: BTreeSet<&str> = tenants.map(|table| table.name.as_str()).collect();
        let declared: BTreeSet<&str> = TENANT_TABLES.iter().map(|table| table.name).collect();
        assert_eq!(declared, tenants, "add the table to TENANT_TABLES");
        assert_eq!(declared.len(), TENANT_TABLES.len());
    }

    #[test]
    fn rows_that_are_purged_in_parts_have_an_id_after_their_organization() {
        for table in Catalog::now().unwrap().tenant_tables(|table| table.purge == InParts) {
            let key: Vec<(&str, ColumnKind)> =
                table.key_columns().map(|column| (column.name.as_str(), column.kind)).collect();
            assert_eq!(key[0].0, "organization_id", "{}", table.name);
            assert_eq!(key[1].1, ColumnKind::Id, "{}", table.name);
        }
    }
}
