//! The schema: its migrations, and the catalog of the tables that they create.

mod catalog;
pub(crate) mod migrations;

pub use catalog::{Catalog, Column, ColumnKind, Table};
