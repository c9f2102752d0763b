//! Wire types of imports.

use schemars::JsonSchema;
use serde::Serialize;
use tenantry_app::imports::{FailedRow, Fault};
use tenantry_core::Timestamp;
use tenantry_core::customer::OnMatch;
use tenantry_core::ids::{ImportId, OrganizationId};
use tenantry_store::{CustomerImport, Page, Paged};

use crate::polar::page::{self, ListResource};
use crate::wire::{Uuid4, name_list};

name_list! {
    /// The treatment of a row that matches a customer.
    OnMatchName(OnMatch) as "enum" of &["skip", "update", "fail"], by OnMatch::from_name
}

/// An import of customers.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerImport", transform = crate::api::openapi::all_fields_required)]
pub(super) struct ImportView<'a> {
    /// The import's id.
    #[schemars(with = "Uuid4")]
    id: ImportId,
    /// The time at which the import began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// The time at which the last row was done, or the import ended early.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    finished_at: Option<Timestamp>,
    /// The organization.
    #[schemars(with = "Uuid4")]
    organization_id: OrganizationId,
    /// `receiving` while the file arrives, then `running`. At the end `completed`, `stopped` by a request, or `failed`: the
    /// remaining rows cannot be carried out.
    state: &'static str,
    /// The reason why the import was stopped or failed.
    stop_reason: Option<&'a str>,
    /// `csv` or `jsonl`.
    format: &'static str,
    /// The treatment of a row that matches a customer.
    #[schemars(with = "OnMatchName")]
    on_match: &'static str,
    /// Whether nothing is changed.
    dry_run: bool,
    /// Rows of the file.
    rows: i64,
    /// Rows that are done.
    done: i64,
    /// Rows that created a customer.
    created: i64,
    /// Rows that changed a customer.
    updated: i64,
    /// Rows that agree with their customer.
    unchanged: i64,
    /// Rows that match a customer and were skipped.
    skipped: i64,
    /// Rows that failed.
    failed: i64,
    /// The failed rows, in the order of the file. The first 100,000 are kept.
    failed_rows: ListResource<FailedRowView<'a>>,
}

/// A row that failed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FailedRow", transform = crate::api::openapi::all_fields_required)]
pub(super) struct FailedRowView<'a> {
    /// The number of the row, from 1. The line with the columns and blank lines have none.
    row: i64,
    /// The reasons.
    errors: Vec<FaultView<'a>>,
}

/// A reason why a row failed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RowError", transform = crate::api::openapi::all_fields_required)]
pub(super) struct FaultView<'a> {
    /// The field, empty for the row as a whole.
    field: &'a str,
    /// The reason.
    message: &'a str,
}

impl<'a> ImportView<'a> {
    /// An import with a page of its failed rows.
    pub(super) fn new(import: &'a CustomerImport, failed: &'a Paged<FailedRow>, page: Page) -> Self {
        let counts = import.counts;
        Self {
            id: import.id,
            created_at: import.created_at,
            finished_at: import.finished_at,
            organization_id: import.organization,
            state: import.state.as_str(),
            stop_reason: import.stop_reason.as_deref(),
            format: import.format.as_str(),
            on_match: import.on_match.as_str(),
            dry_run: import.is_dry_run,
            rows: import.rows,
            done: counts.done(),
            created: counts.created,
            updated: counts.updated,
            unchanged: counts.unchanged,
            skipped: counts.skipped,
            failed: counts.failed,
            failed_rows: page::resource(failed, page, |row| FailedRowView {
                row: row.number,
                errors: row
                    .faults
                    .iter()
                    .map(|Fault { field, message }| FaultView { field, message })
                    .collect(),
            }),
        }
    }
}
