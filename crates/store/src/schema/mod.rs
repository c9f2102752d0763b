//! The schema: its migrations, and the tables that they make.

mod catalog;
pub(crate) mod migrations;

pub use catalog::{Catalog, Column, ColumnKind, Table};
