//! The lines of a table in a backup or an exported organization, and their checksum.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tenantry_store::{ColumnKind, ColumnValue, RowValues, Table};
use uuid::Uuid;

/// The line before a table's rows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TableHead {
    pub(super) table: String,
    pub(super) columns: Vec<(String, String)>,
}

/// The line after a table's rows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TableEnd {
    pub(super) end: String,
    pub(super) rows: u64,
    pub(super) sha256: String,
}

/// The checksum of a table: the number of rows, and the sum of the SHA-256 of their lines as 256-bit numbers. It does
/// not depend on the order of the rows, because engines sort text differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    sum: [u8; 32],
}

impl Sum {
    /// Adds the line of a row, without its line break.
    pub(super) fn add(&mut self, line: &str) {
        let hash: [u8; 32] = Sha256::digest(line.as_bytes()).into();
        let mut carry = 0;
        for (to, from) in self.sum.iter_mut().zip(hash).rev() {
            let total = u16::from(*to) + u16::from(from) + carry;
            let [high, low] = total.to_be_bytes();
            (*to, carry) = (low, u16::from(high));
        }
        self.rows += 1;
    }

    pub(super) fn hex(&self) -> String {
        hex(&self.sum)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl TableHead {
    pub(super) fn of(table: &Table) -> Self {
        let columns = table.columns.iter().map(|one| (one.name.clone(), one.kind.as_str().to_owned()));
        Self { table: table.name.clone(), columns: columns.collect() }
    }
}

/// A row as a line, without its line break.
pub(super) fn row_line(row: &[ColumnValue]) -> String {
    let values = row.iter().map(|field| match field {
        ColumnValue::Null => Value::Null,
        ColumnValue::Id(id) => Value::String(id.to_string()),
        ColumnValue::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        ColumnValue::Int(value) => Value::from(*value),
        ColumnValue::Bool(value) => Value::Bool(*value),
        ColumnValue::Text(text) => Value::String(text.clone()),
    });
    Value::Array(values.collect()).to_string()
}

/// Parses a line as a row of this table. `None` if it is not exactly the line that this program writes for the row.
pub(super) fn row(line: &str, table: &Table) -> Option<RowValues> {
    let values: Vec<Value> = serde_json::from_str(line).ok()?;
    if values.len() != table.columns.len() {
        return None;
    }
    let fields = values.into_iter().zip(&table.columns).map(|(value, column)| match (value, column.kind) {
        (Value::Null, _) => Some(ColumnValue::Null),
        (Value::String(text), ColumnKind::Id) => Uuid::parse_str(&text).ok().map(ColumnValue::Id),
        (Value::String(text), ColumnKind::Bytes) => STANDARD.decode(text).ok().map(ColumnValue::Bytes),
        (Value::String(text), ColumnKind::Text) => Some(ColumnValue::Text(text)),
        (Value::Number(value), ColumnKind::Int | ColumnKind::Time) => value.as_i64().map(ColumnValue::Int),
        (Value::Bool(value), ColumnKind::Bool) => Some(ColumnValue::Bool(value)),
        _ => None,
    });
    let fields: RowValues = fields.collect::<Option<_>>()?;
    // The stored rows are compared with these lines later, so the spelling must be exact. No text contains U+0000.
    let has_nul = fields.iter().any(|field| matches!(field, ColumnValue::Text(text) if text.contains('\0')));
    (!has_nul && row_line(&fields) == line).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_ignores_the_order_and_counts_duplicates() {
        let sum = |lines: &[&str]| {
            let mut sum = Sum::default();
            lines.iter().for_each(|line| sum.add(line));
            sum
        };
        assert_eq!(sum(&["a", "b", "c"]), sum(&["c", "a", "b"]));
        assert_ne!(sum(&["a", "b"]).hex(), sum(&["a", "c"]).hex());
        assert_ne!(sum(&["a", "a", "b", "b"]).hex(), sum(&["c", "c", "d", "d"]).hex());
        assert_eq!(sum(&["a"]).hex(), hex(&Sha256::digest(b"a")));
    }

    #[test]
    fn a_row_survives_writing_and_reading() {
        let kinds = [
            ("i", ColumnKind::Id),
            ("b", ColumnKind::Bytes),
            ("t", ColumnKind::Time),
            ("n", ColumnKind::Int),
            ("o", ColumnKind::Bool),
            ("x", ColumnKind::Text),
            ("z", ColumnKind::Text),
        ];
        let columns = kinds.map(|(name, kind)| tenantry_store::Column {
            name: name.to_owned(),
            kind,
            is_required: false,
        });
        let table = Table { name: "a".to_owned(), columns: columns.to_vec(), key: vec![0] };
        let fields = vec![
            ColumnValue::Id(Uuid::from_u128(7)),
            ColumnValue::Bytes(vec![0, 255, 10]),
            ColumnValue::Int(i64::MAX),
            ColumnValue::Int(i64::MIN),
            ColumnValue::Bool(true),
            ColumnValue::Text("a \"line\"\nof \u{1f600} \u{1}".to_owned()),
            ColumnValue::Null,
        ];
        let line = row_line(&fields);
        assert!(!line.contains('\n'));
        assert_eq!(row(&line, &table), Some(fields));
        assert_eq!(row("[1, 2]", &table), None);
        let id = Uuid::from_u128(7);
        let damaged = [
            ("true", "\"true\""),
            ("true", "1"),
            ("true", "true "),
            ("\\u0001", "\\u0000"),
            ("AP8K", "AP8K!"),
            ("9223372036854775807", "9223372036854775808"),
            ("9223372036854775807", "1.5"),
            (&id.to_string(), "x"),
            (&id.to_string(), &id.simple().to_string()),
        ];
        for (from, to) in damaged {
            assert!(line.contains(from), "{from}");
            assert_eq!(row(&line.replace(from, to), &table), None, "{to}");
        }
    }
}
