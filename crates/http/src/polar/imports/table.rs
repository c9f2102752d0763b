//! The columns and cells of an imported table. It may be an export of customers: columns that only an export has are
//! ignored, and the apostrophe before a formula is removed.

use serde_json::{Map, Value};
use tenantry_app::imports::Fault;

use crate::polar::export::csv::is_like_a_formula;

/// The separators of fields.
pub(super) const SEPARATORS: &[u8] = b",;\t";

/// The reason why the first line of a table is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// A column is not known.
    #[error("unknown column {0:?}: the columns are {names}", names = names())]
    Unknown(String),
    /// Two columns have the same meaning.
    #[error("the column {0:?} occurs twice")]
    Repeated(String),
    /// No column identifies the customer of a row.
    #[error("the table needs a column email, external_id or owner.email")]
    NoKey,
}

/// The content of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// The column of this name is in exports alone.
    Ignored(&'static str),
    /// A text, at this place of the object.
    Text(&'static str, Option<&'static str>),
    /// JSON.
    Json(&'static str),
}

/// The columns by their names. A name is written in any case, with spaces, dots or underscores.
const COLUMNS: [(&str, Column); 21] = [
    ("email", Column::Text("email", None)),
    ("external_id", Column::Text("external_id", None)),
    ("name", Column::Text("name", None)),
    ("type", Column::Text("type", None)),
    ("tax_id", Column::Text("tax_id", None)),
    ("locale", Column::Text("locale", None)),
    ("billing_address.line1", Column::Text("billing_address", Some("line1"))),
    ("billing_address.line2", Column::Text("billing_address", Some("line2"))),
    ("billing_address.city", Column::Text("billing_address", Some("city"))),
    ("billing_address.state", Column::Text("billing_address", Some("state"))),
    ("billing_address.postal_code", Column::Text("billing_address", Some("postal_code"))),
    ("billing_address.country", Column::Text("billing_address", Some("country"))),
    ("metadata", Column::Json("metadata")),
    ("owner.email", Column::Text("owner", Some("email"))),
    ("owner.name", Column::Text("owner", Some("name"))),
    ("owner.external_id", Column::Text("owner", Some("external_id"))),
    ("members", Column::Json("members")),
    // The names of the export, where they differ.
    ("billing_address_line_1", Column::Text("billing_address", Some("line1"))),
    ("billing_address_line_2", Column::Text("billing_address", Some("line2"))),
    ("billing_address_zip", Column::Text("billing_address", Some("postal_code"))),
    ("id", Column::Ignored("id")),
];
/// A column that only an export has.
const CREATED_AT: &str = "created_at";

/// The names of the columns, for people.
fn names() -> String {
    let names: Vec<&str> = COLUMNS.iter().take(17).map(|(name, _)| *name).collect();
    names.join(", ")
}

fn column(name: &str) -> Option<Column> {
    let normal = |name: &str| name.trim().to_lowercase().replace([' ', '.', '-'], "_");
    let wanted = normal(name);
    if wanted == CREATED_AT {
        return Some(Column::Ignored(CREATED_AT));
    }
    COLUMNS.iter().find(|(name, _)| normal(name) == wanted).map(|(_, column)| *column)
}

/// Checks the columns that a first line names. Returns the separator.
pub(super) fn check(line: &str) -> Result<&'static [u8], ColumnError> {
    let separator = separator(line);
    let mut seen: Vec<Column> = Vec::new();
    for name in cells(line, separator) {
        let found = column(&name).ok_or_else(|| ColumnError::Unknown(name.clone()))?;
        // So a line has no more columns than there are names, and each row little work.
        if seen.contains(&found) {
            return Err(ColumnError::Repeated(name));
        }
        seen.push(found);
    }
    let is_key = |column: &Column| {
        let keys = [
            Column::Text("email", None),
            Column::Text("external_id", None),
            Column::Text("owner", Some("email")),
        ];
        keys.contains(column)
    };
    if seen.iter().any(is_key) { Ok(separator) } else { Err(ColumnError::NoKey) }
}

/// The separator that occurs most often in the first line.
pub(super) fn separator(line: &str) -> &'static [u8] {
    let count = |separator: u8| line.bytes().filter(|byte| *byte == separator).count();
    match (count(b','), count(b';'), count(b'\t')) {
        (commas, semicolons, tabs) if semicolons > commas && semicolons >= tabs => b";",
        (commas, _, tabs) if tabs > commas => b"\t",
        _ => b",",
    }
}

/// The cells of a row.
fn cells(row: &str, separator: &[u8]) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut is_start = true;
    let mut letters = row.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(letter) = letters.next() {
        let is_separator = u8::try_from(letter).is_ok_and(|byte| separator.contains(&byte));
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' if quoted => quoted = false,
            '"' if is_start => quoted = true,
            _ if is_separator && !quoted => {
                cells.push(std::mem::take(&mut cell));
                is_start = true;
                continue;
            }
            other => cell.push(other),
        }
        is_start = false;
    }
    cells.push(cell);
    cells
}

/// The cells of a row of a table with this first line, as the object that JSON Lines would have. A cell without text is
/// no field.
pub(super) fn object(columns: &str, row: &str) -> Result<Value, Vec<Fault>> {
    let separator = separator(columns);
    let columns: Vec<Option<Column>> = cells(columns, separator).iter().map(|name| column(name)).collect();
    let cells = cells(row, separator);
    if cells.iter().skip(columns.len()).any(|cell| !cell.trim().is_empty()) {
        let message = format!("the row has {} cells, the table {} columns", cells.len(), columns.len());
        return Err(vec![Fault::new("", message)]);
    }
    let mut object = Map::new();
    for (column, cell) in columns.into_iter().zip(&cells) {
        let cell = cell.strip_prefix('\'').filter(|cell| is_like_a_formula(cell)).unwrap_or(cell);
        if cell.trim().is_empty() {
            continue;
        }
        match column {
            None | Some(Column::Ignored(_)) => {}
            Some(Column::Text(field, None)) => drop(object.insert(field.to_owned(), Value::from(cell))),
            Some(Column::Text(field, Some(part))) => {
                let whole = object.entry(field).or_insert_with(|| Value::Object(Map::new()));
                if let Some(whole) = whole.as_object_mut() {
                    whole.insert(part.to_owned(), Value::from(cell));
                }
            }
            Some(Column::Json(field)) => {
                let value = serde_json::from_str(cell);
                let value = value.map_err(|_| vec![Fault::new(field, "the cell is not JSON")])?;
                object.insert(field.to_owned(), value);
            }
        }
    }
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_of_an_export_is_read_as_it_was() {
        let columns = "ID,External ID,Created At,Email,Name,Tax ID,Billing Address Line 1,Billing Address Line 2,\
            Billing Address City,Billing Address State,Billing Address Zip,Billing Address Country,Metadata";
        let row = "x,'=1+1,2026-01-01,a@b.example,\"Ada, \"\"C\"\"\",FR1,1 Rue,,Paris,,75001,FR,\"{\"\"plan\"\":\"\"pro\"\"}\"\r\n";
        assert!(check(columns).is_ok());
        let expected = json!({
            "external_id": "=1+1", "email": "a@b.example", "name": "Ada, \"C\"", "tax_id": "FR1",
            "billing_address": {"line1": "1 Rue", "city": "Paris", "postal_code": "75001", "country": "FR"},
            "metadata": {"plan": "pro"},
        });
        assert_eq!(object(columns, row).unwrap(), expected);
    }

    #[test]
    fn cells_are_separated_as_the_first_line_is() {
        assert_eq!(object("email;name", "a@b.example;\"A; B, C\"").unwrap()["name"], "A; B, C");
        assert_eq!(object("email\tname", "a@b.example\tA, B").unwrap()["name"], "A, B");
        assert_eq!(object("email,name", "a@b.example").unwrap(), json!({"email": "a@b.example"}));
        assert_eq!(object("email", "a@b.example,,").unwrap(), json!({"email": "a@b.example"}));
        assert_eq!(object("email", "a@b.example,x").unwrap_err()[0].field, "");
        assert_eq!(object("email,metadata", "a@b.example,{").unwrap_err()[0].field, "metadata");
        assert_eq!(object("email,name", "a@b.example,'tis").unwrap()["name"], "'tis");
    }
}
