//! Stores the file of an import, whether a request or a command brings it.

use tenantry_app::Requester;
use tenantry_app::imports::{ImportBegin, ImportReceive, ImportSettings};
use tenantry_core::ids::{ImportId, OrganizationId};
use tenantry_store::CustomerImport;

use super::file::{CustomerFile, FileChunk, FileError};

/// A file that is cut into the use cases that store it.
///
/// The caller pushes the bytes that arrive, and carries out the steps that [`Self::next_step`] returns, in their order.
#[derive(Debug)]
pub struct ImportStaging {
    by: Requester,
    organization: Option<OrganizationId>,
    settings: ImportSettings,
    file: CustomerFile,
    is_complete: bool,
    /// Whole rows that wait until the import has begun.
    ready: Option<FileChunk>,
    import: Option<(OrganizationId, ImportId)>,
}

/// A use case that stores a part of a file.
#[derive(Debug)]
pub enum StagingStep {
    /// Begins the import. [`ImportStaging::begun`] takes its outcome.
    Begin(ImportBegin),
    /// Stores a chunk.
    Receive(ImportReceive),
}

impl ImportStaging {
    /// A file that is still empty, in the form that `settings` names. The file itself names its columns.
    #[must_use]
    pub fn new(by: Requester, organization: Option<OrganizationId>, settings: ImportSettings) -> Self {
        let file = CustomerFile::new(settings.format);
        Self { by, organization, settings, file, is_complete: false, ready: None, import: None }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the file is refused.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.push(bytes)
    }

    /// Takes the end of the file.
    ///
    /// # Errors
    /// When the file is refused.
    pub fn finish(&mut self) -> Result<(), FileError> {
        self.file.finish()?;
        self.is_complete = true;
        Ok(())
    }

    /// The next step, once enough rows have arrived. None until more bytes arrive, or after the last step.
    pub fn next_step(&mut self) -> Option<StagingStep> {
        if self.ready.is_none() {
            self.ready = self.file.take(self.is_complete);
        }
        let Some(import) = self.import else {
            if self.ready.is_none() && !self.is_complete {
                return None;
            }
            self.file.columns().unwrap_or_default().clone_into(&mut self.settings.columns);
            let (by, organization, settings) = (self.by.clone(), self.organization, self.settings.clone());
            return Some(StagingStep::Begin(ImportBegin { by, organization, settings }));
        };
        let FileChunk { rows, content } = self.ready.take()?;
        let by = self.by.clone();
        Some(StagingStep::Receive(ImportReceive { by, import, rows, content: content.into() }))
    }

    /// Takes the import that has begun.
    pub const fn begun(&mut self, import: &CustomerImport) {
        self.import = Some((import.organization, import.id));
    }

    /// The import, once it has begun.
    #[must_use]
    pub const fn import(&self) -> Option<(OrganizationId, ImportId)> {
        self.import
    }
}
