//! `tenantry backup`, `restore`, `copy` and `doctor`: move all data, and check the invariants.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::Path;

use serde_json::{Map, Value, json};
use tenantry_app::archive::{self, ArchiveError, BackupSummary, ReportProgress};
use tenantry_app::operator::BackupNote;
use tenantry_store::Store;
use tenantry_store::doctor::{self, Finding};
use tenantry_store::postgres::Migrate;

use crate::cli::{Backup, Copy, Doctor, Restore};
use crate::error::CommandError;
use crate::installation::{self, Database};
use crate::output::counted;
use crate::progress::ProgressPrinter;
use crate::{draft, key};

pub(crate) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

pub(crate) async fn backup(command: &Backup) -> Result<(), CommandError> {
    let store = Database::from_options(&command.database)?.open_existing("--database").await?;
    let written = if command.file == Path::new("-") {
        write_backup(&store, io::stdout().lock()).await
    } else {
        let write = async |out| write_backup(&store, out).await;
        draft::written(&command.file, write).await
    };
    if written.is_ok() {
        note_backup(&store).await;
    }
    store.close().await;
    let BackupSummary { rows, sha256 } = written?;
    report(&[
        format!("{}, SHA-256 {sha256}", counted(rows, "row")),
        "the backup does not contain the key file: back it up too, apart from the backup".to_owned(),
    ])
}

/// Notes the time of a backup, for the operator's page of the console. A database that takes no writes, such as a standby,
/// can be backed up without the note.
pub(crate) async fn note_backup(store: &Store) {
    if let Err(error) = store.write(BackupNote(installation::clock()())).await {
        tracing::debug!(%error, "time of the backup not stored");
    }
}

/// Prints lines on standard error, because standard output can be the backup.
pub(crate) fn report(lines: &[String]) -> Result<(), CommandError> {
    let mut out = io::stderr().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(())
}

async fn write_backup(store: &Store, out: impl Write) -> Result<BackupSummary, CommandError> {
    let mut printer = ProgressPrinter::new();
    let written = write_archive(store, out, &mut |progress| printer.show(progress)).await;
    printer.clear();
    written
}

/// Writes a backup of the whole database.
pub(crate) async fn write_archive(
    store: &Store,
    out: impl Write,
    show: ReportProgress<'_>,
) -> Result<BackupSummary, CommandError> {
    Ok(archive::backup(store, BufWriter::new(out), installation::clock()(), PROGRAM, show).await?)
}

pub(crate) async fn restore(command: &Restore) -> Result<(), CommandError> {
    if command.file != Path::new("-") {
        return restore_file(command, &command.file, &command.file).await;
    }
    // A backup is read twice: to check it, and to load it.
    let mut copied = tempfile::NamedTempFile::new()?;
    io::copy(&mut io::stdin().lock(), &mut copied)?;
    restore_file(command, copied.path(), Path::new("standard input")).await
}

/// Restores the backup in `file`, which error messages call `name`.
async fn restore_file(command: &Restore, file: &Path, name: &Path) -> Result<(), CommandError> {
    let about = |error: ArchiveError| {
        CommandError::Message(format!("{}: {error}{}", name.display(), hint(file).unwrap_or_default()))
    };
    let database = Database::from_options(&command.database)?;
    let mut printer = ProgressPrinter::new();
    let checked = archive::verify(file, &mut |progress| printer.show(progress));
    printer.clear();
    let checked = checked.map_err(about)?;
    if checked.needs_key() {
        let path = installation::key_path(&command.database, &database)?;
        let key = key::read(&path).map_err(|error| {
            CommandError::Message(format!(
                "{}: {error}; restore needs the key file of the backed-up installation, which is not in the backup",
                path.display()
            ))
        })?;
        if !checked.has_key(&key) {
            let what = "does not contain the key of the backed-up installation";
            return Err(CommandError::Message(format!("{} {what}", path.display())));
        }
    }
    let store = database.open(Migrate::Yes).await?;
    let restored =
        archive::restore(&store, &checked, command.keep_pending, &mut |progress| printer.show(progress))
            .await;
    store.close().await;
    printer.clear();
    let restored = restored?;
    let mut lines = vec![format!("restored and verified {}", counted(restored.rows, "row"))];
    if !command.keep_pending {
        lines.push(format!(
            "not sent: {} pending webhook events, which are marked failed and can be redelivered, and {} pending \
             mails",
            restored.webhook_events_ended, restored.mails_dropped
        ));
    }
    report(&lines)
}

/// A known cause for which a file is no backup, by its first bytes.
pub(crate) fn hint(file: &Path) -> Option<&'static str> {
    let mut first = [0; 4];
    fs::File::open(file).ok()?.read_exact(&mut first).ok()?;
    match first {
        [0x1f, 0x8b, ..] => Some("; the file is compressed by gzip: decompress it first"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("; the file is compressed by zstd: decompress it first"),
        [0xef, 0xbb, 0xbf, _] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Some("; the file begins with a byte order mark: an editor changed it, use the original")
        }
        _ => None,
    }
}

pub(crate) async fn copy(command: &Copy) -> Result<(), CommandError> {
    let roots = installation::roots(command.ca_file.as_deref())?;
    let from = Database::parse("--from", &command.from, &roots)?;
    let to = Database::parse("--to", &command.to, &roots)?;
    let source = from.open_existing("--from").await?;
    let copied = copy_into(&source, &to).await;
    source.close().await;
    let rows = copied?;
    report(&[
        format!("copied and verified {}", counted(rows, "row")),
        "start servers on the copy with the same key file (--secret-key-file), and never again on the source"
            .to_owned(),
    ])
}

async fn copy_into(source: &Store, to: &Database) -> Result<u64, CommandError> {
    let target = to.open(Migrate::Yes).await?;
    let mut printer = ProgressPrinter::new();
    let copied = archive::copy(source, &target, &mut |progress| printer.show(progress)).await;
    target.close().await;
    printer.clear();
    Ok(copied?)
}

pub(crate) async fn doctor(command: &Doctor) -> Result<(), CommandError> {
    let app = installation::open_to_read(&command.database).await?;
    let found = check_all(app.store(), command.json).await;
    app.store().close().await;
    match found? {
        0 if command.json => Ok(()),
        0 => Ok(unless_closed(print_invariants())?),
        findings => Err(CommandError::Findings(findings)),
    }
}

/// Prints each invariant with the number of its checks.
fn print_invariants() -> io::Result<()> {
    let mut invariants: BTreeMap<&str, usize> = BTreeMap::new();
    for rule in doctor::rules() {
        *invariants.entry(rule.invariant).or_default() += 1;
    }
    let mut out = io::stdout().lock();
    for (name, checks) in &invariants {
        writeln!(out, "ok  {name} ({checks} {})", if *checks == 1 { "check" } else { "checks" })?;
    }
    writeln!(
        out,
        "no findings: {} checks of {} invariants",
        invariants.values().sum::<usize>(),
        invariants.len()
    )
}

/// The outcome without the error of a closed output: what was found does not depend on who reads it.
fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints the findings of all checks and returns their number.
async fn check_all(store: &Store, as_json: bool) -> Result<u64, CommandError> {
    let (mut findings, mut printed) = (0, Ok(()));
    let mut snapshot = store.snapshot().await?;
    let mut tx = snapshot.tx()?;
    doctor::inspect(&mut tx, |finding| {
        findings += 1;
        let line = if as_json { object(&finding).to_string() } else { finding.to_string() };
        if printed.is_ok() {
            printed = writeln!(io::stdout(), "{line}");
        }
    })
    .await?;
    unless_closed(printed)?;
    Ok(findings)
}

pub(crate) fn object(finding: &Finding) -> Value {
    let key = finding.key.iter().map(|(column, value)| (column.clone(), Value::from(value.to_string())));
    json!({
        "invariant": finding.invariant,
        "table": finding.table,
        "key": key.collect::<Map<_, _>>(),
        "finding": finding.description,
    })
}
