//! Work of the operator's commands: snapshots, whole rows to back up and restore, and the doctor.

pub mod doctor;
mod rows;
pub(crate) mod snapshot;

pub use rows::{ColumnValue, RowValues};
pub use snapshot::Snapshot;
