//! `tenantry backup`, `restore`, `copy` and `doctor`: move all data, and check the invariants.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::{Map, Value, json};
use tenantry_app::archive::{self, ArchiveError, BackupSummary};
use tenantry_app::moments;
use tenantry_store::Store;
use tenantry_store::doctor::{self, Finding};
use tenantry_store::postgres::Migrate;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::{Backup, Copy, Doctor, Restore};
use crate::error::CommandError;
use crate::installation::{self, Database};
use crate::key;
use crate::progress::ProgressPrinter;
use crate::stop::{StopSignals, until_stopped};

const PROGRAM: &str = env!("CARGO_PKG_VERSION");

pub(crate) async fn backup(command: &Backup) -> Result<(), CommandError> {
    let store = Database::from_options(&command.database)?.open_existing().await?;
    let written = if command.file == Path::new("-") {
        write_backup(&store, io::stdout().lock()).await
    } else {
        backup_file(&store, &command.file).await
    };
    store.close().await;
    let BackupSummary { rows, sha256 } = written?;
    report(&[
        format!("{rows} rows, SHA-256 {sha256}"),
        "the backup does not contain the key file: back it up too, apart from the backup".to_owned(),
    ])
}

/// Prints lines on standard error, because standard output can be the backup.
fn report(lines: &[String]) -> Result<(), CommandError> {
    let mut out = io::stderr().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(())
}

async fn write_backup(store: &Store, out: impl Write) -> Result<BackupSummary, CommandError> {
    let mut printer = ProgressPrinter::new();
    let now = installation::clock()();
    let written =
        archive::backup(store, BufWriter::new(out), now, PROGRAM, &mut |progress| printer.show(progress))
            .await;
    printer.clear();
    Ok(written?)
}

/// Writes the backup under a temporary name and renames it, so that a file is never an incomplete backup.
async fn backup_file(store: &Store, path: &Path) -> Result<BackupSummary, CommandError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => {
            let what = "exists and is not a regular file, so that a backup does not replace it; use - for \
                standard output";
            return Err(CommandError::Message(format!("{} {what}", path.display())));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(CommandError::file(path, &error)),
        _ => {}
    }
    let name = path
        .file_name()
        .ok_or_else(|| CommandError::Message(format!("{}: not the name of a file", path.display())))?;
    let mut signals = StopSignals::new()?;
    // A unique name: the unfinished file of a killed backup is not in the way.
    let unique = moments(installation::clock())().uuid().simple();
    let draft = path.with_file_name(format!(".{}.{unique}", name.to_string_lossy()));
    let about = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => CommandError::Message(format!(
            "{}: the directory does not exist: create it first",
            path.display()
        )),
        _ => CommandError::file(&draft, &error),
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(about)?;
    let (stop, stopped) = watch::channel(false);
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        signals.next().await;
        stop.send_replace(true);
    });
    let written = tokio::select! {
        () = until_stopped(stopped.clone()) => Err(stopped_by_signal().into()),
        written = write_backup(store, Stoppable { out: &file, stopped: stopped.clone() }) => written,
    };
    let kept = written.and_then(|written| {
        file.sync_all()?;
        fs::rename(&draft, path)?;
        key::sync_directory_of(path)?;
        Ok(written)
    });
    if kept.is_err() {
        // After the rename the draft no longer exists.
        drop(fs::remove_file(&draft));
    }
    kept
}

fn stopped_by_signal() -> io::Error {
    io::Error::other("stopped by a signal")
}

/// A writer that fails after the stop signal. Reading rows from a file never yields to the task that waits for
/// the signal, so that writing has to check it.
struct Stoppable<W> {
    out: W,
    stopped: watch::Receiver<bool>,
}

impl<W: Write> Write for Stoppable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if *self.stopped.borrow() { Err(stopped_by_signal()) } else { self.out.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
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
    let mut lines = vec![format!("restored and verified {} rows", restored.rows)];
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
fn hint(file: &Path) -> Option<&'static str> {
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
    let source = from.open_existing().await?;
    let copied = copy_into(&source, &to).await;
    source.close().await;
    let rows = copied?;
    report(&[
        format!("copied and verified {rows} rows"),
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

fn object(finding: &Finding) -> Value {
    let key = finding.key.iter().map(|(column, value)| (column.clone(), Value::from(value.to_string())));
    json!({
        "invariant": finding.invariant,
        "table": finding.table,
        "key": key.collect::<Map<_, _>>(),
        "finding": finding.description,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_after_the_stop_signal() {
        let (stop, stopped) = watch::channel(false);
        let mut out = Stoppable { out: Vec::new(), stopped };
        out.write_all(b"before").unwrap();
        stop.send_replace(true);
        out.write_all(b"after").unwrap_err();
        assert_eq!(out.out, b"before");
    }
}
