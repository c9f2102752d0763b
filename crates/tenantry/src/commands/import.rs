//! The command that imports customers. It stores the file, and carries out its rows as a server's worker does. If a
//! server runs on the same database, the two take turns.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenantry_app::archive::Progress;
use tenantry_app::imports::{DueImports, FailedRow, ImportSettings, ImportStart};
use tenantry_app::{App, Requester};
use tenantry_core::customer::{ImportFormat, ImportState};
use tenantry_core::ids::{ImportId, OrganizationId};
use tenantry_http::{ImportStaging, StagingStep, read_import_rows};
use tenantry_store::{CustomerImport, Page};

use super::{find, print, with_app};
use crate::cli::{Import, ImportCustomers};
use crate::error::CommandError;
use crate::progress::ProgressPrinter;

/// The time for which the command carries out rows before a server may have a turn.
const TURN: Duration = Duration::from_secs(2);
/// The pause in which a server may have a turn, and before another look at an import that a server carries out.
const PAUSE: Duration = Duration::from_millis(200);
/// Failed rows that are read at once.
const PAGE: u64 = 1_000;

/// Runs a command to its end.
pub(super) async fn run(command: Import) -> Result<(), CommandError> {
    let Import::Customers(options) = command;
    let (import, failed) = with_app(&options.database, async |app| {
        let organization = find(app, &options.organization).await?;
        let id = match options.resume {
            Some(id) => ImportId::new(id),
            None => stage(app, organization, &options).await?,
        };
        let import = carry_out(app, (organization, id)).await?;
        let failed = failed_rows(app, &import, options.json).await?;
        Ok((import, failed))
    })
    .await?;
    report(options.json, &import, &failed)?;
    match import.counts.failed {
        _ if import.state.is_incomplete() => Err(CommandError::Message(format!(
            "the import {}: {}",
            if import.state == ImportState::Failed { "failed" } else { "was stopped" },
            import.stop_reason.unwrap_or_default()
        ))),
        0 => Ok(()),
        failed => Err(CommandError::FailedRows(failed)),
    }
}

fn format_of(options: &ImportCustomers, file: &Path) -> ImportFormat {
    let is_lines = file.extension().is_some_and(|ending| ending == "jsonl" || ending == "ndjson");
    options.format.map_or(if is_lines { ImportFormat::JsonLines } else { ImportFormat::Csv }, Into::into)
}

/// Stores the rows of the file, and makes the import due.
async fn stage(
    app: &App,
    organization: OrganizationId,
    options: &ImportCustomers,
) -> Result<ImportId, CommandError> {
    let path = options.file.as_deref().unwrap_or(Path::new("-"));
    let mut input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| CommandError::file(path, &error))?)
    };
    let settings = ImportSettings {
        format: format_of(options, path),
        columns: String::new(),
        on_match: options.on_match.into(),
        is_dry_run: options.dry_run,
    };
    let by = Requester::operator();
    let mut staging = ImportStaging::new(by.clone(), Some(organization), settings);
    let mut bytes = vec![0; 64 << 10];
    loop {
        let length = input.read(&mut bytes).map_err(|error| CommandError::file(path, &error))?;
        let read = bytes.get(..length).unwrap_or_default();
        let taken = if read.is_empty() { staging.finish() } else { staging.push(read) };
        if let Err(error) = taken {
            if let Some(import) = staging.import() {
                app.discard_import(import).await?;
            }
            return Err(CommandError::Message(format!("{}: {error}", path.display())));
        }
        while let Some(step) = staging.next_step() {
            match step {
                StagingStep::Begin(begin) => staging.begun(&app.write(begin).await?),
                StagingStep::Receive(receive) => app.write(receive).await?,
            }
        }
        if let Some(import) = staging.import().filter(|_| read.is_empty()) {
            app.write(ImportStart { by, import }).await?;
            let mut out = io::stderr().lock();
            writeln!(out, "import {}: if it is interrupted, go on with --resume {}", import.1, import.1)?;
            return Ok(import.1);
        }
    }
}

/// Carries out the rows, in turns with a server if one runs, and shows the progress.
async fn carry_out(app: &App, key: (OrganizationId, ImportId)) -> Result<CustomerImport, CommandError> {
    let mut printer = ProgressPrinter::new();
    loop {
        let import = app.store().reader()?.tx()?.customer_import(key.0, key.1).await?;
        let Some(mut import) = import else {
            return Err(CommandError::Message(format!("the organization has no import {}", key.1)));
        };
        if import.state == ImportState::Receiving {
            let why =
                "its file did not arrive completely, and nothing of it was carried out: import it again";
            return Err(CommandError::Message(format!("import {}: {why}", key.1)));
        }
        if !import.state.is_final()
            && let Some(leased) = app.lease_import(DueImports::One(key.0, key.1)).await?
        {
            let until = Instant::now() + TURN;
            let show = |import: &CustomerImport| printer.show(progress(import));
            import = app.continue_import(leased, read_import_rows, until, show).await?;
        }
        printer.show(progress(&import));
        if import.state.is_final() {
            printer.clear();
            return Ok(import);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn progress(import: &CustomerImport) -> Progress<'static> {
    let number = |rows: i64| u64::try_from(rows).unwrap_or(0);
    let phase = if import.is_dry_run { "checking" } else { "importing" };
    Progress {
        phase,
        table: "customers",
        rows: number(import.counts.done()),
        total_rows: Some(number(import.rows)),
    }
}

/// The failed rows that are kept: as a list, or printed line by line.
async fn failed_rows(app: &App, import: &CustomerImport, json: bool) -> Result<Vec<Value>, CommandError> {
    let (mut found, mut offset) = (Vec::new(), 0);
    loop {
        let page = Page { offset, limit: PAGE };
        let rows = app.failed_rows(&Requester::operator(), import, page).await?;
        for FailedRow { number, faults } in &rows {
            if json {
                found.push(json!({"row": number, "errors": faults}));
                continue;
            }
            let mut out = io::stdout().lock();
            for fault in faults {
                let separator = if fault.field.is_empty() { "" } else { ": " };
                writeln!(out, "row {number}: {}{separator}{}", fault.field, fault.message)?;
            }
        }
        if u64::try_from(rows.len()).unwrap_or(0) < PAGE {
            return Ok(found);
        }
        offset += PAGE;
    }
}

fn report(json: bool, import: &CustomerImport, failed: &[Value]) -> Result<(), CommandError> {
    let counts = import.counts;
    let object = json!({
        "id": import.id,
        "state": import.state.as_str(),
        "stop_reason": import.stop_reason,
        "dry_run": import.is_dry_run,
        "rows": import.rows,
        "created": counts.created,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "failed_rows": failed,
    });
    let line = format!(
        "{}{} of {} rows: {} created, {} updated, {} unchanged, {} skipped, {} failed",
        if import.is_dry_run { "dry run: " } else { "" },
        counts.done(),
        import.rows,
        counts.created,
        counts.updated,
        counts.unchanged,
        counts.skipped,
        counts.failed
    );
    print(json, &object, &[line])
}
