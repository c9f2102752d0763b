//! The tables and columns of an export that are more than rows to copy. [`TENANT_TABLES`](tenantry_store::TENANT_TABLES)
//! lists the tables.

use std::sync::Arc;

use tenantry_store::{Catalog, Column, ColumnValue, RowValues, Table, TenantTable, sealed_url_context};

/// The people that the rows of the organizations name: id and address alone.
pub(super) const PEOPLE: &str = "users";
const PEOPLE_COLUMNS: [&str; 2] = ["id", "email"];

/// A column with the id of a person.
pub(super) struct PersonColumn {
    pub(super) table: &'static str,
    pub(super) column: &'static str,
    /// Whether the file must name the person. Otherwise it may be one who was deleted.
    pub(super) is_declared: bool,
}

const fn person(table: &'static str, column: &'static str, is_declared: bool) -> PersonColumn {
    PersonColumn { table, column, is_declared }
}

/// The columns with the id of a person.
const PERSON_COLUMNS: &[PersonColumn] = &[
    person("organizations", "owner_user_id", true),
    person("team_members", "user_id", true),
    person("access_tokens", "created_by_user_id", false),
    person("former_team_members", "user_id", true),
    person("webhook_queues", "owner_user_id", true),
];

/// The columns of a table with the id of a person.
pub(super) fn person_columns(table: &Table) -> impl Iterator<Item = &'static PersonColumn> {
    PERSON_COLUMNS.iter().filter(|person| person.table == table.name)
}

/// A column with a text that the installation's key seals.
pub(super) struct SealedColumn {
    pub(super) table: &'static str,
    pub(super) column: &'static str,
    /// The context of the seal, by the id of the row.
    pub(super) context: fn(uuid::Uuid) -> Vec<u8>,
    /// Whether a new text can replace one that this installation cannot open. Otherwise the text is left out.
    pub(super) is_renewable: bool,
    /// A column that is left out with it.
    pub(super) companion: Option<&'static str>,
}

fn row_id(id: uuid::Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

const fn sealed(column: &'static str, context: fn(uuid::Uuid) -> Vec<u8>) -> SealedColumn {
    SealedColumn { table: "webhook_endpoints", column, context, is_renewable: false, companion: None }
}

const SEALED_COLUMNS: &[SealedColumn] = &[
    SealedColumn { is_renewable: true, ..sealed("secret", row_id) },
    SealedColumn { companion: Some("previous_secret_expires_at"), ..sealed("previous_secret", row_id) },
    sealed("url_credentials", sealed_url_context),
];

/// The sealed columns of a table.
pub(super) fn sealed_columns(table: &Table) -> impl Iterator<Item = &'static SealedColumn> {
    SEALED_COLUMNS.iter().filter(|sealed| sealed.table == table.name)
}

/// The column that takes a row out of the unique indexes of its table, and the value that does so.
pub(super) fn parked(table: &str) -> Option<(&'static str, ColumnValue)> {
    match table {
        "customers" | "members" => Some(("deleted_at", ColumnValue::Int(0))),
        "team_members" => Some(("role", ColumnValue::Text("developer".to_owned()))),
        _ => None,
    }
}

/// The tables of an export, people first, then in the order in which an import fills them.
pub(super) fn exported(catalog: &Catalog) -> Vec<Arc<Table>> {
    let people = catalog.table(PEOPLE).map(|table| Arc::new(only(table, &PEOPLE_COLUMNS)));
    people.into_iter().chain(catalog.tenant_tables(TenantTable::is_exported)).collect()
}

/// The tables whose rows are deleted with an organization: those that can have rows before the organization has.
pub(super) fn owned(catalog: &Catalog) -> Vec<Arc<Table>> {
    let tables = catalog.tables.iter().filter(|table| table.tenant_column().is_some());
    tables.filter(|table| table.name != "organizations" && !table.is_central()).cloned().collect()
}

fn only(table: &Table, names: &[&str]) -> Table {
    let columns: Vec<Column> =
        names.iter().filter_map(|name| table.columns.iter().find(|one| one.name == *name).cloned()).collect();
    Table { name: table.name.clone(), columns, key: vec![0] }
}

/// The columns of a table's primary key, as a table.
pub(super) fn keys_of(table: &Table) -> Table {
    let columns: Vec<Column> = table.key_columns().cloned().collect();
    let key = (0..columns.len()).collect();
    Table { name: table.name.clone(), columns, key }
}

/// The value of a column.
pub(super) fn value<'a>(table: &Table, row: &'a [ColumnValue], column: &str) -> Option<&'a ColumnValue> {
    row.get(table.position(column)?)
}

/// The id in a column.
pub(super) fn id(table: &Table, row: &[ColumnValue], column: &str) -> Option<uuid::Uuid> {
    match value(table, row, column) {
        Some(ColumnValue::Id(id)) => Some(*id),
        _ => None,
    }
}

/// The text in a column.
pub(super) fn text<'a>(table: &Table, row: &'a [ColumnValue], column: &str) -> Option<&'a str> {
    match value(table, row, column) {
        Some(ColumnValue::Text(text)) => Some(text),
        _ => None,
    }
}

/// Sets a column.
pub(super) fn set(table: &Table, row: &mut RowValues, column: &str, value: ColumnValue) {
    if let Some(place) = table.position(column).and_then(|place| row.get_mut(place)) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tenantry_store::doctor;

    use super::*;

    #[test]
    fn every_column_with_a_person_or_a_seal_is_known() {
        let catalog = Catalog::now().unwrap();
        let columns = exported(&catalog).into_iter().flat_map(|table| {
            table.columns.iter().map(|one| (table.name.clone(), one.name.clone())).collect::<Vec<_>>()
        });
        let people: BTreeSet<(String, String)> =
            columns.filter(|(_, column)| column.ends_with("user_id")).collect();
        let known: BTreeSet<(String, String)> =
            PERSON_COLUMNS.iter().map(|person| (person.table.to_owned(), person.column.to_owned())).collect();
        assert_eq!(people, known, "add the column to PERSON_COLUMNS");
        // Responses for idempotency keys have a seal of their own, which `transform` knows.
        let sealed = doctor::rules().filter(|rule| rule.description.contains("opened with the key"));
        let mut sealed: Vec<&str> = sealed.map(|rule| rule.table).collect();
        let moved = exported(&catalog);
        sealed.retain(|name| moved.iter().any(|table| table.name == *name) && *name != "idempotency_records");
        let known: Vec<&str> = SEALED_COLUMNS.iter().map(|sealed| sealed.table).collect();
        assert_eq!(sealed, known, "add the column to SEALED_COLUMNS");
    }
}
