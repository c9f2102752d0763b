//! The export of one organization to a file, and its import into another installation, on either engine.
//!
//! The file has one or two passes. The first pass is a snapshot of all rows. If the export then suspends the
//! organization, a second pass has the rows that differ in a snapshot after the suspension. So the organization is
//! suspended while rows are compared, and not for the whole export.
//!
//! | state of an imported organization | row in `organization_imports` | `organizations.deleted_at` | other rows |
//! |---|---|---|---|
//! | absent | no | no row | none |
//! | loading | yes | set: no query finds the organization | some, in batches that are committed one by one |
//! | done | no | null | all |
//! | failed or abandoned | yes, deleted last | set | deleted in batches |
//!
//! The people are created in parts once all rows are stored. The last transaction of an import writes no rows of the
//! file: it makes the organizations visible. Until then deletions of customers wait, and the import renews a lease. If the process ends early, the lease expires, and the sweep of a server or a repeated import removes the rows.

mod apply;
mod changes;
mod check;
mod discard;
mod export;
mod file;
mod import;
mod load;
mod people;
mod run;
mod source;
mod stage;
mod tables;
mod transform;

pub use export::{ExportOptions, ExportSummary, OrganizationExport, end_suspension_by_export};
pub use file::verify as verify_organization;
pub use import::{
    OrganizationImport, OrganizationImportLease, OrganizationImportOptions, OrganizationImportSummary,
};
