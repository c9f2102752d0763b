//! The schema: its migrations, and the catalog of the tables that they create.

mod catalog;
pub(crate) mod migrations;
mod tenant_tables;

pub use catalog::{Catalog, Column, ColumnKind, Table};
pub use tenant_tables::{Export, Purge, TENANT_TABLES, TenantTable};

/// The rows of one counter. Each writing connection of PostgreSQL adds to one of them: see `queries::row_counters`.
pub(crate) const BUCKETS: usize = 16;
