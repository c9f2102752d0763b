//! Imports of customers with their members, from a file of any number of rows.
//!
//! | step | transaction | after a crash |
//! |---|---|---|
//! | the file arrives | [`ImportBegin`], then an [`ImportReceive`] for each chunk | nothing was carried out; the sweep deletes the rest |
//! | it is complete | [`ImportStart`] | a worker takes the import |
//! | some rows are carried out | `ImportPart`: the customers, members, audit entries, events, counts and faults | the next part begins at the row after them |
//! | no row is left | the last part | none |
//! | a caller stops it | [`ImportStop`] | a worker deletes the rest of the file |
//! | it fails | the part that finds the reason | a worker deletes the rest of the file |
//!
//! A part locks the import and goes on only from the row that it expected. So two workers never carry out a row twice,
//! even if a lease has ended. It reads the secret of the request again: an import ends with the rights of its caller, and
//! one that a rotated secret began ends with that secret. A part takes at most some 50 ms, and runs in the turn of its
//! owner. An import whose part fails
//! [`limits::IMPORT_ATTEMPTS`] times has failed.
//!
//! Everything that imports store counts by owner, until it is deleted:
//! [`limits::IMPORT_BYTES_PER_OWNER`].

mod faults;
mod part;
mod receive;
mod row;
mod stop;
mod work;

pub use faults::Fault;
pub use receive::{ImportBegin, ImportReceive, ImportStart};
pub use stop::ImportStop;
pub use work::DueImports;

use std::ops::Range;

use tenantry_core::Timestamp;
use tenantry_core::customer::{CustomerChange, ImportFormat, ImportState, NewCustomer, OnMatch};
use tenantry_core::ids::{ImportId, OrganizationId};
use tenantry_core::member::NewMember;
use tenantry_core::values::{EmailAddress, ExternalId};
use tenantry_store::{CustomerImport, ListQuery, Page, Paged, RowKey, StoreError, Tx};
use uuid::Uuid;

use crate::{App, Error, Requester, TeamPermission, limits};

/// The choices of an import, and the form of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportSettings {
    /// The form of the file.
    pub format: ImportFormat,
    /// The first line of a table. Empty for another file.
    pub columns: String,
    /// The treatment of rows that match a customer.
    pub on_match: OnMatch,
    /// Whether nothing is changed.
    pub is_dry_run: bool,
}

/// A row of a file.
#[derive(Debug, Clone)]
pub struct ImportRow {
    /// The fields of the row, or what is wrong with them.
    pub content: Result<ImportFields, Vec<Fault>>,
}

/// The fields of a row.
#[derive(Debug, Clone)]
pub struct ImportFields {
    /// The row as a new customer.
    pub new: Result<NewCustomer, Vec<Fault>>,
    /// The row as a change, where [`OnMatch::Update`] asks for it.
    pub change: Option<CustomerChange>,
    /// The members besides the owner.
    pub members: Vec<NewMember>,
}

impl ImportFields {
    /// The external id and the address, by which the row matches a customer.
    fn keys(&self) -> (Option<&ExternalId>, Option<&EmailAddress>) {
        match (&self.new, &self.change) {
            (Ok(new), _) => (new.external_id.as_ref(), new.email.as_ref()),
            (Err(_), Some(change)) => (change.external_id.as_ref().value(), change.email.as_ref().value()),
            (Err(_), None) => (None, None),
        }
    }
}

/// Reads the rows of a chunk of a file that have these numbers, from 0. Answers also whether the chunk ends with them.
pub type ReadRows = fn(&ImportSettings, &[u8], Range<usize>) -> (Vec<ImportRow>, bool);

/// The reason that a stopped import shows.
const BY_REQUEST: &str = "a request stopped it";

/// The end of an import.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Every row is done.
    Completed,
    /// A caller stopped the import.
    Stopped,
    /// The remaining rows cannot be carried out, for this reason.
    Failed(&'static str),
}

/// Ends an import. It is deleted after its retention, and the rest of the file of one that ends early by a worker.
fn finish(import: &mut CustomerImport, end: End, now: Timestamp) {
    let (state, reason) = match end {
        End::Completed => (ImportState::Completed, None),
        End::Stopped => (ImportState::Stopped, Some(BY_REQUEST)),
        End::Failed(reason) => (ImportState::Failed, Some(reason)),
    };
    import.state = state;
    import.stop_reason = reason.map(str::to_owned);
    import.finished_at = Some(now);
    import.due_at = state.is_incomplete().then_some(now);
    import.attempts = 0;
    import.expires_at = Some(now.plus_seconds(limits::IMPORT_RETENTION_S));
}

/// A failed row of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRow {
    /// The number of the row, from 1.
    pub number: i64,
    /// The reasons.
    pub faults: Vec<Fault>,
}

/// A page of the failed rows of an import.
struct FailedRowList {
    import: (OrganizationId, ImportId),
    page: Page,
    limited_as: Option<Uuid>,
}

impl ListQuery for FailedRowList {
    type Output = Vec<(i64, String)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        tx.customer_import_failures(self.import.0, self.import.1, self.page).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// An import that the requester may see, and a page of its failed rows.
    ///
    /// # Errors
    /// [`Error::ImportNotFound`], or a store error.
    pub async fn customer_import(
        &self,
        by: &Requester,
        id: ImportId,
        page: Page,
    ) -> Result<(CustomerImport, Paged<FailedRow>), Error> {
        let import = self.find_import(by, id).await?.ok_or(Error::ImportNotFound)?;
        let items = self.failed_rows(by, &import, page).await?;
        let total = import.counts.failed.min(limits::IMPORT_FAILURES_KEPT);
        Ok((import, Paged { items, total: u64::try_from(total).unwrap_or(0) }))
    }

    async fn find_import(&self, by: &Requester, id: ImportId) -> Result<Option<CustomerImport>, Error> {
        let reader = &mut self.store.reader()?;
        let mut tx = reader.tx()?;
        let key = RowKey::CustomerImport(id.uuid());
        for organization in by.organizations_with_row(&mut tx, TeamPermission::ReadCustomers, key).await? {
            if let Some(import) = tx.customer_import(organization, id).await? {
                return Ok(Some(import));
            }
        }
        Ok(None)
    }

    /// A page of the failed rows of an import that are kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failed_rows(
        &self,
        by: &Requester,
        import: &CustomerImport,
        page: Page,
    ) -> Result<Vec<FailedRow>, Error> {
        let import = (import.organization, import.id);
        let query = FailedRowList { import, page, limited_as: by.limited_as() };
        let read = |(number, faults): (i64, String)| -> Result<FailedRow, Error> {
            Ok(FailedRow { number, faults: serde_json::from_str(&faults)? })
        };
        self.run_list(query, page, true).await?.into_iter().map(read).collect()
    }
}
