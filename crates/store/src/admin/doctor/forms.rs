//! The forms of values that hold for every column of a kind. A row that the program writes has them; a file may not.

use tenantry_core::Timestamp;
use uuid::Variant;

use crate::admin::rows::ColumnValue;
use crate::schema::{Column, ColumnKind, Table};

/// The largest text or byte string of a row, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// The largest number, without its sign. It is exact in JSON.
const MOST: i64 = 1 << 53;

/// The fault of a value in a column, if it has one.
pub(super) fn fault(
    table: &Table,
    place: usize,
    column: &Column,
    value: &ColumnValue,
) -> Option<&'static str> {
    match (column.kind, value) {
        (_, ColumnValue::Null) if column.is_required => Some("it has no value"),
        (_, ColumnValue::Null) => None,
        (ColumnKind::Id, ColumnValue::Id(id)) => {
            // Callers name rows by these ids, and clients validate them.
            let is_plain = id.get_version_num() == 4 && id.get_variant() == Variant::RFC4122;
            (table.key.contains(&place) && column.name != "subject_id" && !is_plain)
                .then_some("it is not an id that this program makes")
        }
        (ColumnKind::Time, ColumnValue::Int(micros)) => (!(0..=Timestamp::LAST.as_micros()).contains(micros))
            .then_some("it is not a time until the year 9999"),
        (ColumnKind::Int, ColumnValue::Int(number)) => {
            (!(-MOST..=MOST).contains(number)).then_some("the number is too large")
        }
        (ColumnKind::Text, ColumnValue::Text(text)) => {
            (text.len() > MOST_BYTES).then_some("the text is too long")
        }
        (ColumnKind::Bytes, ColumnValue::Bytes(bytes)) => {
            (bytes.len() > MOST_BYTES).then_some("the bytes are too long")
        }
        (ColumnKind::Bool, ColumnValue::Bool(_)) => None,
        _ => Some("it is of another type"),
    }
}
