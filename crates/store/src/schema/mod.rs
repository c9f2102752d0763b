//! The schema: its migrations, and the catalog of the tables that they create.

mod catalog;
pub(crate) mod migrations;

pub use catalog::{Catalog, Column, ColumnKind, Table};

/// The rows of one counter. Each writing connection of PostgreSQL adds to one of them: see `queries::row_counters`.
pub(crate) const BUCKETS: usize = 16;
