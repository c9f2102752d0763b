//! `tenantry organization export` and `organization import`: take an organization to another installation.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde_json::json;
use tenantry_app::App;
use tenantry_app::archive::{
    self, ArchiveError, ExportOptions, ExportSummary, OrganizationExport, OrganizationImport,
    OrganizationImportOptions, OrganizationImportSummary, Progress,
};
use tenantry_app::limits::{EXPORT_SETTLES_AFTER, MOVE_LEASE_RENEWAL};
use tenantry_core::ids::OrganizationId;
use tenantry_store::postgres::Migrate;
use tokio::task::JoinSet;

use crate::cli::DatabaseOptions;
use crate::data::{PROGRAM, hint, report};
use crate::draft::{self, Input, StopWatch};
use crate::error::CommandError;
use crate::first_start;
use crate::installation::{self, Database, Missing};
use crate::lookup::find;
use crate::output::{counted, print};
use crate::progress::ProgressPrinter;

/// Tokens and endpoints that a message lists, at most.
const LISTED: usize = 20;

pub(crate) async fn export(
    database: &DatabaseOptions,
    organization: &str,
    file: &Path,
    suspends: bool,
    options: ExportOptions,
) -> Result<(), CommandError> {
    // A snapshot changes nothing, so it may run beside servers of another version.
    let app = match suspends {
        true => installation::open(database, Migrate::No, Missing::Refuse).await?,
        false => installation::open_to_read(database).await?,
    };
    let suspended = Cell::new(None);
    let export = Export { app: &app, organization, suspends, options, suspended: &suspended };
    let written = if file == Path::new("-") {
        let watch = StopWatch::new()?;
        watch.until(export.write(watch.stopping(io::stdout().lock()))).await
    } else {
        draft::written(file, async |out| export.write(out).await).await
    };
    let ExportSummary { organizations, rows, sha256 } = match written {
        Ok(written) => written,
        Err(error) => {
            if let Some(root) = suspended.get()
                && let Err(error) = archive::end_suspension_by_export(&app, root).await
            {
                tracing::warn!(%error, organization, "the suspension by the export was not ended");
            }
            app.store().close().await;
            return Err(error);
        }
    };
    app.store().close().await;
    let (rows, organizations) = (counted(rows, "row"), counted(organizations, "organization"));
    let mut lines = vec![format!("{rows} of {organizations}, SHA-256 {sha256}")];
    if suspends {
        lines.push(format!(
            "{organization} stays suspended here: bring it in elsewhere, or end the suspension with `tenantry \
             organization unsuspend {organization}`"
        ));
    }
    report(&lines)
}

/// An export.
struct Export<'a> {
    app: &'a App,
    organization: &'a str,
    suspends: bool,
    options: ExportOptions,
    /// The organization, once the export has suspended it.
    suspended: &'a Cell<Option<OrganizationId>>,
}

impl Export<'_> {
    async fn write(self, out: impl Write) -> Result<ExportSummary, CommandError> {
        let Self { app, organization, suspends, options, suspended } = self;
        let root = find(app, organization).await?;
        let mut printer = ProgressPrinter::new();
        let mut export = OrganizationExport::begin(app, root, options, PROGRAM, BufWriter::new(out)).await?;
        let first = export.first_pass(suspends, &mut |progress| printer.show(progress)).await;
        printer.clear();
        first?;
        if suspends {
            suspended.set(Some(root));
            export.suspend().await?;
            let wait_s = EXPORT_SETTLES_AFTER.as_secs();
            report(&[format!(
                "{organization} is suspended; waiting {wait_s} s until earlier requests have ended"
            )])?;
            tokio::time::sleep(EXPORT_SETTLES_AFTER).await;
            let second = export.second_pass(&mut |progress| printer.show(progress)).await;
            printer.clear();
            second?;
        }
        Ok(export.finish()?)
    }
}

pub(crate) async fn import(
    database: &DatabaseOptions,
    file: &Path,
    options: OrganizationImportOptions,
    json: bool,
) -> Result<(), CommandError> {
    if file == Path::new("-") {
        // Standard input is loaded while it arrives. The organization becomes visible only after the last line.
        let app = installation::open(database, Migrate::No, Missing::Create).await?;
        let watch = StopWatch::new()?;
        let input = BufReader::new(watch.stopping(Input::standard()));
        let done = load(&app, input, options, (None, &watch)).await;
        return finish(&app, done, (Path::new("standard input"), &same_options(database)?), json).await;
    }
    let about = |error: ArchiveError| {
        CommandError::Message(format!("{}: {error}{}", file.display(), hint(file).unwrap_or_default()))
    };
    let mut printer = ProgressPrinter::new();
    let verified = archive::verify_organization(file, &mut |progress| printer.show(progress));
    printer.clear();
    let rows = verified.map_err(about)?;
    let input = BufReader::new(File::open(file)?);
    let app = installation::open(database, Migrate::No, Missing::Create).await?;
    let done = load(&app, input, options, (Some(rows), &StopWatch::new()?)).await;
    finish(&app, done, (file, &same_options(database)?), json).await
}

/// The options that name the database to another command: nothing for the default one.
fn same_options(database: &DatabaseOptions) -> Result<String, CommandError> {
    if database.is_default() {
        return Ok(String::new());
    }
    let options = first_start::database_options(database, &Database::from_options(database)?)?;
    Ok(format!(" {options}"))
}

/// Loads a file. Nothing if the organization was imported from it before.
async fn load(
    app: &App,
    input: impl BufRead,
    options: OrganizationImportOptions,
    (total_rows, watch): (Option<u64>, &StopWatch),
) -> Result<Option<OrganizationImportSummary>, CommandError> {
    let Some(mut import) = OrganizationImport::begin(app, input, options).await? else { return Ok(None) };
    let lease = import.lease();
    let mut renewal = JoinSet::new();
    renewal.spawn(async move {
        loop {
            tokio::time::sleep(MOVE_LEASE_RENEWAL).await;
            if let Err(error) = lease.renew().await {
                tracing::debug!(%error, "the lease of an import was not renewed");
            }
        }
    });
    let mut printer = ProgressPrinter::new();
    let mut show = |progress: Progress<'_>| printer.show(Progress { total_rows, ..progress });
    let loading = async { Ok(import.load(&mut show).await?) };
    let loaded = watch.until(loading).await;
    printer.clear();
    match loaded {
        Ok(summary) => Ok(Some(summary)),
        Err(CommandError::Archive(error)) => Err(import.discard(error).await.into()),
        Err(CommandError::Io(error)) => Err(import.discard(error.into()).await.into()),
        Err(other) => Err(other),
    }
}

async fn finish(
    app: &App,
    done: Result<Option<OrganizationImportSummary>, CommandError>,
    (file, options): (&Path, &str),
    json: bool,
) -> Result<(), CommandError> {
    app.store().close().await;
    match done? {
        Some(summary) => print(json, &object(&summary), &lines(&summary, options)),
        None => print(
            json,
            &json!({"is_new": false}),
            &[format!("{}: imported before, nothing was changed", file.display())],
        ),
    }
}

fn object(summary: &OrganizationImportSummary) -> serde_json::Value {
    let organizations: Vec<_> =
        summary.organizations.iter().map(|(id, slug)| json!({"id": id, "slug": slug})).collect();
    json!({
        "is_new": true,
        "id": summary.organization,
        "organizations": organizations,
        "rows": summary.rows,
        "people_created": summary.people_created,
        "webhook_events_ended": summary.webhook_events_ended,
        "lost_tokens": summary.lost_tokens,
        "new_webhook_secrets": summary.new_webhook_secrets,
    })
}

/// The result for people. `options` name the database in the commands that follow.
fn lines(summary: &OrganizationImportSummary, options: &str) -> Vec<String> {
    let OrganizationImportSummary { organizations, rows, people_created, webhook_events_ended, .. } = summary;
    let slugs: Vec<&str> = organizations.values().map(String::as_str).collect();
    let mut lines = vec![
        format!("imported and verified {rows} rows of {}", slugs.join(", ")),
        format!("{people_created} people were unknown here and were created"),
        format!(
            "not sent: {webhook_events_ended} pending webhook events, which are marked failed and can be redelivered"
        ),
    ];
    let tokens = &summary.lost_tokens;
    if !tokens.is_empty() {
        lines.push(format!(
            "the key is not that of the source: the secrets of {} tokens do not work. Make new ones:",
            tokens.len()
        ));
        lines.extend(
            tokens.iter().take(LISTED).map(|id| format!("  tenantry token rotate {id} --overlap 0{options}")),
        );
        if tokens.len() > LISTED {
            lines.push("  ... (`tenantry token list` shows all)".to_owned());
        }
    }
    let endpoints = &summary.new_webhook_secrets;
    if !endpoints.is_empty() {
        lines.push(format!(
            "{} webhook endpoints have a new secret, which their receivers need:",
            endpoints.len()
        ));
        lines.extend(endpoints.iter().take(LISTED).map(|id| format!("  {id}")));
    }
    lines
}
