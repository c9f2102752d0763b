//! Database access for the operator's commands: snapshots, raw rows for backup and restore, and the doctor.

pub mod doctor;
mod rows;
pub(crate) mod snapshot;
mod tenant_rows;

pub use rows::{ColumnValue, RowValues};
pub use snapshot::Snapshot;
