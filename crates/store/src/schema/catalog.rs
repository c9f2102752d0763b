//! The catalog: every table and column, parsed from the text of the migrations.
//!
//! Backup, restore and the doctor go through the catalog, so they cover a new table without a change. A migration
//! that the parser does not know is an error, which a test detects.

use std::sync::Arc;

use super::migrations;
use crate::StoreError;
use crate::error::unexpected;

/// The type of a column. Migrations write it as a placeholder, such as `{{id}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A UUID.
    Id,
    /// Bytes.
    Bytes,
    /// Microseconds since the Unix epoch.
    Time,
    /// An integer.
    Int,
    /// True or false.
    Bool,
    /// Text.
    Text,
}

impl ColumnKind {
    const ALL: [Self; 6] = [Self::Id, Self::Bytes, Self::Time, Self::Int, Self::Bool, Self::Text];

    /// The placeholder, without its braces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Bytes => "bytes",
            Self::Time => "time",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Text => "text",
        }
    }

    fn from_placeholder(text: &str) -> Option<Self> {
        let name = text.strip_prefix("{{")?.strip_suffix("}}")?;
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ColumnKind,
    /// Whether every row has a value in it (`NOT NULL`).
    pub is_required: bool,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in the order in which they were added.
    pub columns: Vec<Column>,
    /// The columns of the primary key in its order, as positions in `columns`.
    pub key: Vec<usize>,
}

impl Table {
    /// The position of a column in `columns`.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|one| one.name == column)
    }

    /// The column with the organization of a row, if the table has one.
    #[must_use]
    pub fn tenant_column(&self) -> Option<&Column> {
        let name = if self.name == "organizations" { "id" } else { "organization_id" };
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether the primary key begins with the organization, so that the rows of one are found without reading others.
    #[must_use]
    pub fn is_keyed_by_tenant(&self) -> bool {
        self.key_columns().next().is_some_and(|first| Some(first) == self.tenant_column())
    }

    /// The columns of the primary key, in its order.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|place| self.columns.get(*place))
    }
}

/// The tables of one schema version, in the order of their creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// The number of the newest migration.
    pub schema: i64,
    /// The tables.
    pub tables: Vec<Arc<Table>>,
    /// The newest migration that changes rows, not only the schema; 0 if none does. Rows of an older schema version
    /// cannot be restored into this one.
    pub rewritten: i64,
}

impl Catalog {
    /// The tables of this program's schema.
    ///
    /// # Errors
    /// When the parser does not know a statement of a migration, which is a defect.
    pub fn now() -> Result<Self, StoreError> {
        Self::at(i64::MAX)
    }

    /// The tables as they were after migration `schema`.
    ///
    /// # Errors
    /// When the parser does not know a statement of a migration, which is a defect.
    pub fn at(schema: i64) -> Result<Self, StoreError> {
        let (mut tables, mut number, mut rewritten) = (Vec::new(), 0, 0);
        for (step, text) in migrations::texts().filter(|(step, _)| *step <= schema) {
            number = step;
            if apply(&mut tables, text)? {
                rewritten = step;
            }
        }
        let keyless = tables.iter().find(|table: &&Table| table.key.is_empty());
        if let Some(Table { name, .. }) = keyless {
            return Err(unexpected(format!("table {name} has no primary key")));
        }
        Ok(Self { schema: number, tables: tables.into_iter().map(Arc::new).collect(), rewritten })
    }

    /// The table with that name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.iter().find(|table| table.name == name)
    }
}

/// Applies a migration to `tables`. Returns whether the migration changes rows.
fn apply(tables: &mut Vec<Table>, text: &str) -> Result<bool, StoreError> {
    let mut rewrites = false;
    for statement in &migrations::statements(text) {
        let words: Vec<&str> = statement.split_whitespace().collect();
        match words.as_slice() {
            ["CREATE", "TABLE", name, ..] => tables.push(created(name, statement)?),
            ["ALTER", "TABLE", name, "ADD", "COLUMN", column, kind, more @ ..] => {
                let table = tables.iter_mut().find(|table| table.name == *name);
                let table = table.ok_or_else(|| unexpected(format!("no table {name} to alter")))?;
                table.columns.push(new_column(column, kind, more)?);
            }
            ["CREATE", "INDEX", ..] | ["CREATE", "UNIQUE", "INDEX", ..] | ["DROP", "INDEX", ..] => {}
            ["UPDATE" | "INSERT" | "DELETE", ..] => rewrites = true,
            _ => return Err(unexpected(format!("the catalog does not know what this does: {statement}"))),
        }
    }
    Ok(rewrites)
}

fn created(name: &str, statement: &str) -> Result<Table, StoreError> {
    let wrong = || unexpected(format!("the catalog cannot read {statement}"));
    let body = statement.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).ok_or_else(wrong)?.0;
    let mut table = Table { name: name.to_owned(), columns: Vec::new(), key: Vec::new() };
    for item in items(body) {
        let words: Vec<&str> = item.split_whitespace().collect();
        match words.as_slice() {
            ["CONSTRAINT", _, "PRIMARY", "KEY", ..] => {
                let list = item.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'));
                for column in list.ok_or_else(wrong)?.0.split(',') {
                    table.key.push(table.position(column.trim()).ok_or_else(wrong)?);
                }
            }
            ["CONSTRAINT", ..] => {}
            [column, kind, more @ ..] => table.columns.push(new_column(column, kind, more)?),
            _ => return Err(wrong()),
        }
    }
    Ok(table)
}

fn new_column(name: &str, placeholder: &str, more: &[&str]) -> Result<Column, StoreError> {
    let kind = ColumnKind::from_placeholder(placeholder);
    let kind = kind.ok_or_else(|| unexpected(format!("column {name} is of no known kind")))?;
    Ok(Column { name: name.to_owned(), kind, is_required: more.starts_with(&["NOT", "NULL"]) })
}

/// Splits `body` at the commas outside parentheses.
fn items(body: &str) -> Vec<&str> {
    let mut depth = 0;
    body.split(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_with_its_key_and_what_was_added() {
        let mut tables = Vec::new();
        let made = "-- a note; with a semicolon\nCREATE TABLE a (\n x {{id}} NOT NULL,\n y {{text}},
            CONSTRAINT a_pkey PRIMARY KEY (x, y),\n CONSTRAINT a_y CHECK (y IN ('1', '2'))\n) {{table}};
            CREATE INDEX a_by_y ON a (y, x) WHERE y IS NOT NULL;";
        assert!(!apply(&mut tables, made).unwrap());
        assert!(!apply(&mut tables, "ALTER TABLE a ADD COLUMN z {{int}} NOT NULL DEFAULT 0;").unwrap());
        assert!(apply(&mut tables, "UPDATE a SET z = 1;").unwrap());
        let columns: Vec<_> = tables[0].columns.iter().map(|one| (one.name.as_str(), one.kind)).collect();
        assert_eq!(columns, [("x", ColumnKind::Id), ("y", ColumnKind::Text), ("z", ColumnKind::Int)]);
        assert_eq!(tables[0].key, [0, 1]);
        let required: Vec<bool> = tables[0].columns.iter().map(|one| one.is_required).collect();
        assert_eq!(required, [true, false, true]);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in ["ALTER TABLE a RENAME TO b", "CREATE TABLE a (x TEXT)", "DROP TABLE a"] {
            assert!(apply(&mut Vec::new(), text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_tables_of_the_program_are_read() {
        let catalog = Catalog::now().unwrap();
        assert_eq!(catalog.table("customers").unwrap().key.len(), 2);
        assert!(catalog.table("customers").unwrap().position("anonymized_at").is_some());
        assert!(Catalog::at(0).unwrap().tables.is_empty());
    }
}
