//! Writes the file of an organization.

use std::io::Write;
use std::sync::Arc;

use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::Organization;
use tenantry_core::values::SuspensionReason;
use tenantry_store::{Catalog, ColumnValue, RowValues, Snapshot, Table, Vault};
use uuid::Uuid;

use super::changes::{Difference, Index, Spool};
use super::file::{FORMAT, FileEnd, Header, Keys, KeysHead, PassHead, VERSION};
use super::source::Scope;
use super::tables;
use crate::archive::encoding::{Sum, TableEnd, TableHead, hex, row_line};
use crate::archive::lines::Writer;
use crate::archive::{ArchiveError, Progress, ReportProgress, complete_snapshot};
use crate::suspension::{OrganizationSuspend, OrganizationUnsuspend};
use crate::{App, Error, HashKey, KeyCheck, secrets};

/// The reason of a suspension by an export.
const REASON: &str = "is being moved to another installation";

/// The options of an export.
#[derive(Clone, Default)]
pub struct ExportOptions {
    /// Whether the sub-accounts are exported too.
    pub sub_accounts: bool,
    /// The key that seals secrets in the file, in place of the installation's.
    pub transfer_key: Option<HashKey>,
}

/// The size and checksum of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportSummary {
    /// Organizations in the last pass.
    pub organizations: usize,
    /// Rows of all passes.
    pub rows: u64,
    /// The SHA-256 of all lines but the last one, which contains it.
    pub sha256: String,
}

/// An export in progress.
pub struct OrganizationExport<'a, W> {
    app: &'a App,
    root: OrganizationId,
    options: ExportOptions,
    tables: Vec<Arc<Table>>,
    writer: Writer<W>,
    /// The rows of the first pass, where there is a second one.
    indexes: Vec<Index>,
    passes: u32,
    rows: u64,
    organizations: usize,
    is_suspended: bool,
}

impl<'a, W: Write> OrganizationExport<'a, W> {
    /// Begins an export with the header of the file.
    ///
    /// # Errors
    /// When the organization is a sub-account, or the database or the output fails.
    pub async fn begin(
        app: &'a App,
        root: OrganizationId,
        options: ExportOptions,
        program: &str,
        out: W,
    ) -> Result<Self, ArchiveError> {
        let found = app.store().reader()?.tx()?.organization(root).await?;
        let Organization { parent, .. } = found.ok_or(Error::OrganizationNotFound)?;
        if let Some(parent) = parent {
            let what = format!(
                "a sub-account moves with its parent: export organization {parent} with --sub-accounts"
            );
            return Err(ArchiveError::Conflict(what));
        }
        let catalog = Catalog::now()?;
        let mut writer = Writer::new(out);
        writer.json(&Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            schema: catalog.schema,
            created_at: app.now().as_micros(),
            program: program.to_owned(),
            export_id: secrets::random_uuid(),
            organization_id: root.uuid(),
            key: check_of(app.hash_key()),
            transfer_key: options.transfer_key.as_ref().map(check_of),
        })?;
        let tables = tables::exported(&catalog);
        Ok(Self {
            app,
            root,
            options,
            tables,
            writer,
            indexes: Vec::new(),
            passes: 0,
            rows: 0,
            organizations: 0,
            is_suspended: false,
        })
    }

    /// Writes a snapshot of all rows. `has_second` says that a second pass follows.
    ///
    /// # Errors
    /// When the database or the output fails.
    pub async fn first_pass(
        &mut self,
        has_second: bool,
        report: ReportProgress<'_>,
    ) -> Result<(), ArchiveError> {
        let (mut snapshot, scope) = self.begin_pass().await?;
        let of = scope.count(&mut snapshot, &self.tables).await?;
        for table in self.tables.clone() {
            self.writer.json(&TableHead::of(&table))?;
            let (mut sum, mut index) = (Sum::default(), has_second.then(|| Index::new(&table)));
            scope
                .for_each_row(&mut snapshot, &table, |row| {
                    let line = row_line(&row);
                    if let Some(index) = &mut index {
                        index.add(&table.key_of(&row), &line)?;
                    }
                    let line = self.outgoing(&table, row, line)?;
                    self.writer.line(&line)?;
                    sum.add(&line);
                    self.rows += 1;
                    let (rows, total_rows) = (self.rows, Some(of.max(self.rows)));
                    report(Progress { phase: "writing", table: &table.name, rows, total_rows });
                    Ok(())
                })
                .await?;
            self.end_table(&table, &sum)?;
            self.indexes.extend(index);
        }
        Ok(())
    }

    /// Suspends the organization, unless it is suspended. Requests that began before the suspension end within
    /// [`limits::EXPORT_SETTLES_AFTER`](crate::limits::EXPORT_SETTLES_AFTER). Returns whether the export suspended it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn suspend(&mut self) -> Result<bool, ArchiveError> {
        let reason = SuspensionReason::parse(REASON)
            .map_err(|_| ArchiveError::Conflict("the reason of the suspension is invalid".to_owned()))?;
        let suspended = self.app.write(OrganizationSuspend { id: self.root, reason }).await?;
        // An export that was killed leaves the organization suspended.
        let reason = suspended.suspended.map(|suspension| suspension.reason);
        self.is_suspended = reason.is_some_and(|reason| reason.as_str() == REASON);
        Ok(self.is_suspended)
    }

    /// Writes the rows that differ from the first pass.
    ///
    /// # Errors
    /// When the database or the output fails.
    pub async fn second_pass(&mut self, report: ReportProgress<'_>) -> Result<(), ArchiveError> {
        let (mut snapshot, scope) = self.begin_pass().await?;
        let (mut compared, mut changes) = (0, Vec::new());
        for (table, index) in self.tables.clone().into_iter().zip(std::mem::take(&mut self.indexes)) {
            let (mut comparison, mut change) = (index.compare()?, Changes::default());
            scope
                .for_each_row(&mut snapshot, &table, |row| {
                    let line = row_line(&row);
                    let difference = comparison.row(&table.key_of(&row), &line, &mut change.removed)?;
                    if matches!(difference, Difference::Replaced) {
                        change.replaced.add(&row_line(&table.key_of(&row)))?;
                    }
                    if !matches!(difference, Difference::None) {
                        change.rows.add(&self.outgoing(&table, row, line)?)?;
                    }
                    compared += 1;
                    report(Progress {
                        phase: "comparing",
                        table: &table.name,
                        rows: compared,
                        total_rows: Some(self.rows.max(compared)),
                    });
                    Ok(())
                })
                .await?;
            comparison.finish(&mut change.removed)?;
            changes.push((table, change));
        }
        self.write_changes(changes)
    }

    fn write_changes(&mut self, changes: Vec<(Arc<Table>, Changes)>) -> Result<(), ArchiveError> {
        let mut rows = Vec::new();
        for (table, change) in changes.into_iter().rev() {
            for (keys, spool) in [(Keys::Removed, change.removed), (Keys::Replaced, change.replaced)] {
                self.writer.json(&KeysHead { table: table.name.clone(), keys })?;
                self.write_spool(&table, spool)?;
            }
            rows.push((table, change.rows));
        }
        for (table, spool) in rows.into_iter().rev() {
            self.writer.json(&TableHead::of(&table))?;
            self.rows += spool.sum.rows;
            self.write_spool(&table, spool)?;
        }
        Ok(())
    }

    fn write_spool(&mut self, table: &Table, spool: Spool) -> Result<(), ArchiveError> {
        let sum = spool.sum;
        spool.copy_to(&mut self.writer)?;
        self.end_table(table, &sum)
    }

    fn end_table(&mut self, table: &Table, sum: &Sum) -> Result<(), ArchiveError> {
        self.writer.json(&TableEnd { end: table.name.clone(), rows: sum.rows, sha256: sum.hex() })
    }

    async fn begin_pass(&mut self) -> Result<(Snapshot<'a>, Scope), ArchiveError> {
        let mut snapshot = complete_snapshot(self.app.store()).await?;
        if snapshot.tx()?.organization(self.root).await?.is_none() {
            return Err(Error::OrganizationNotFound.into());
        }
        let scope = Scope::read(&mut snapshot, self.root, self.options.sub_accounts).await?;
        self.passes += 1;
        self.organizations = scope.organizations();
        self.writer.json(&PassHead { pass: self.passes, is_suspended_by_export: self.is_suspended })?;
        Ok((snapshot, scope))
    }

    /// The line of a row, with its secrets sealed by the transfer key. `line` is the line of the stored row.
    fn outgoing(&self, table: &Table, mut row: RowValues, line: String) -> Result<String, ArchiveError> {
        let Some(key) = &self.options.transfer_key else { return Ok(line) };
        let mut is_changed = false;
        for sealed in tables::sealed_columns(table) {
            let (Some(id), Some(ColumnValue::Bytes(secret))) =
                (tables::id(table, &row, "id"), tables::value(table, &row, sealed.column))
            else {
                continue;
            };
            let context = (sealed.context)(id);
            let text = Vault::open(self.app.hash_key(), &context, secret);
            let resealed = text.and_then(|text| Vault::seal(key, &context, &text)).ok_or_else(|| {
                let what = format!("the installation's key does not open the secret of {} {id}", table.name);
                ArchiveError::Conflict(what)
            })?;
            tables::set(table, &mut row, sealed.column, ColumnValue::Bytes(resealed));
            is_changed = true;
        }
        Ok(if is_changed { row_line(&row) } else { line })
    }

    /// Writes the last line.
    ///
    /// # Errors
    /// When the output fails.
    pub fn finish(mut self) -> Result<ExportSummary, ArchiveError> {
        let sha256 = self.writer.digest();
        self.writer.json(&FileEnd { passes: self.passes, rows: self.rows, sha256: sha256.clone() })?;
        self.writer.flush()?;
        Ok(ExportSummary { organizations: self.organizations, rows: self.rows, sha256 })
    }
}

/// Ends the suspension of an organization, if an export that failed has suspended it.
///
/// # Errors
/// When the database fails.
pub async fn end_suspension_by_export(app: &App, id: OrganizationId) -> Result<(), ArchiveError> {
    let found = app.store().reader()?.tx()?.organization(id).await?;
    let suspension = found.and_then(|organization| organization.suspended);
    if suspension.is_some_and(|suspension| suspension.reason.as_str() == REASON) {
        app.write(OrganizationUnsuspend { id }).await?;
    }
    Ok(())
}

/// The differences of one table.
#[derive(Default)]
struct Changes {
    removed: Spool,
    replaced: Spool,
    rows: Spool,
}

/// The check value of a key, in hexadecimal.
pub(super) fn check_of(key: &HashKey) -> String {
    hex(&KeyCheck { hash_key: key.clone() }.value())
}

/// The id of an import.
pub(super) fn new_id() -> Uuid {
    secrets::random_uuid()
}
