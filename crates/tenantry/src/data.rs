//! `tenantry backup`, `restore`, `copy` and `doctor`: moving all data, and looking whether they are sound.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
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

use crate::commands::CommandError;
use crate::config::Settings;
use crate::data_cli::{Backup, Copy, Doctor, Restore};
use crate::installation::{self, Database};
use crate::progress::Shown;
use crate::stop::{Signals, told};

const PROGRAM: &str = env!("CARGO_PKG_VERSION");

pub(crate) async fn backup(settings: &Settings, command: Backup) -> Result<(), CommandError> {
    let store = Database::parse(&settings.database)?.open_existing().await?;
    let written = if command.file == Path::new("-") {
        write_backup(&store, io::stdout().lock()).await
    } else {
        backup_file(&store, &command.file).await
    };
    store.close().await;
    let BackupSummary { rows, sha256 } = written?;
    // Standard output may be the backup.
    say(&[
        format!("{rows} rows, SHA-256 {sha256}"),
        "the key file is not in it: keep that as well, apart from it".to_owned(),
    ])
}

fn say(lines: &[String]) -> Result<(), CommandError> {
    let mut out = io::stderr().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(())
}

async fn write_backup(store: &Store, out: impl Write) -> Result<BackupSummary, CommandError> {
    let mut shown = Shown::new();
    let now = installation::clock()();
    let written =
        archive::backup(store, BufWriter::new(out), now, PROGRAM, &mut |progress| shown.show(progress)).await;
    shown.clear();
    Ok(written?)
}

/// Writes under another name first: under the file's name there is never half a backup.
async fn backup_file(store: &Store, path: &Path) -> Result<BackupSummary, CommandError> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => {
            let what = "is there, and no file that a backup could take the place of; - is standard output";
            return Err(CommandError::Config(format!("{} {what}", path.display())));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(CommandError::Config(format!("{}: {error}", path.display())));
        }
        _ => {}
    }
    let name =
        path.file_name().ok_or_else(|| CommandError::Config(format!("{}: no file", path.display())))?;
    let mut signals = Signals::new()?;
    // A name that nobody has: what a killed backup left is in nobody's way.
    let unique = moments(installation::clock())().uuid().simple();
    let draft = path.with_file_name(format!(".{}.{unique}", name.to_string_lossy()));
    let about = |error: io::Error| CommandError::Config(format!("{}: {error}", draft.display()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(about)?;
    let (stop, stopped) = watch::channel(false);
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        signals.next().await;
        stop.send_replace(true);
    });
    let written = tokio::select! {
        () = told(stopped.clone()) => Err(told_to_stop().into()),
        written = write_backup(store, Stoppable { out: &file, stopped: stopped.clone() }) => written,
    };
    let kept = written.and_then(|written| {
        file.sync_all()?;
        fs::rename(&draft, path)?;
        installation::sync_folder_of(path)?;
        Ok(written)
    });
    if kept.is_err() {
        // It may be there no longer.
        drop(fs::remove_file(&draft));
    }
    kept
}

fn told_to_stop() -> io::Error {
    io::Error::other("told to stop")
}

/// Fails once the program is told to stop. A file's rows are read without ever waiting, so nobody else would
/// notice.
struct Stoppable<W> {
    out: W,
    stopped: watch::Receiver<bool>,
}

impl<W: Write> Write for Stoppable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if *self.stopped.borrow() { Err(told_to_stop()) } else { self.out.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

pub(crate) async fn restore(settings: &Settings, command: Restore) -> Result<(), CommandError> {
    let Restore { file, keep_pending } = command;
    let about = |error: ArchiveError| CommandError::Config(format!("{}: {error}", file.display()));
    let database = Database::parse(&settings.database)?;
    let mut shown = Shown::new();
    let checked = archive::verify(&file, &mut |progress| shown.show(progress)).map_err(about)?;
    shown.clear();
    if checked.needs_key() {
        let path = installation::key_path(settings, &database)?;
        let key = installation::read_key(&path).map_err(|error| {
            let what =
                "the key file of the installation that was backed up is needed, and is not in a backup";
            CommandError::Config(format!("{}: {error}; {what}", path.display()))
        })?;
        if !checked.has_key(&key) {
            let what = "does not hold the key of the installation that was backed up";
            return Err(CommandError::Config(format!("{} {what}", path.display())));
        }
    }
    let store = database.open(Migrate::Yes).await?;
    let restored =
        archive::restore(&store, &checked, keep_pending, &mut |progress| shown.show(progress)).await;
    store.close().await;
    shown.clear();
    let restored = restored?;
    let mut lines = vec![format!("{} rows restored and read back", restored.rows)];
    if !keep_pending {
        lines.push(format!(
            "not sent: {} webhook events, which are shown as failed and can be redelivered, and {} mails",
            restored.webhook_events_ended, restored.mails_dropped
        ));
    }
    say(&lines)
}

pub(crate) async fn copy(command: Copy) -> Result<(), CommandError> {
    let Copy { from, to } = command;
    let (from, to) = (Database::of("from", &from)?, Database::of("to", &to)?);
    let source = from.open_existing().await?;
    let copied = copy_into(&source, &to).await;
    source.close().await;
    let rows = copied?;
    say(&[
        format!("{rows} rows copied and read back"),
        "start the server on the copy with the same key file (--secret-key-file), and never again on the source"
            .to_owned(),
    ])
}

async fn copy_into(source: &Store, to: &Database) -> Result<u64, CommandError> {
    let target = to.open(Migrate::Yes).await?;
    let mut shown = Shown::new();
    let copied = archive::copy(source, &target, &mut |progress| shown.show(progress)).await;
    target.close().await;
    shown.clear();
    Ok(copied?)
}

pub(crate) async fn doctor(settings: &Settings, command: Doctor) -> Result<(), CommandError> {
    let app = installation::open_to_read(settings).await?;
    let found = look(app.store(), command.json).await;
    app.store().close().await;
    match found? {
        0 if command.json => Ok(()),
        0 => {
            let names: BTreeSet<&str> = doctor::rules().map(|rule| rule.check).collect();
            let names: Vec<&str> = names.into_iter().collect();
            writeln!(io::stdout(), "nothing found; looked at: {}", names.join(", "))?;
            Ok(())
        }
        findings => Err(CommandError::Findings(findings)),
    }
}

/// Prints each finding; answers how many.
async fn look(store: &Store, as_json: bool) -> Result<u64, CommandError> {
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
    printed?;
    Ok(findings)
}

fn object(finding: &Finding) -> Value {
    let key = finding.key.iter().map(|(column, value)| (column.clone(), Value::from(value.to_string())));
    json!({
        "check": finding.check,
        "table": finding.table,
        "key": key.collect::<Map<_, _>>(),
        "finding": finding.says,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_once_the_program_is_to_stop() {
        let (stop, stopped) = watch::channel(false);
        let mut out = Stoppable { out: Vec::new(), stopped };
        out.write_all(b"before").unwrap();
        stop.send_replace(true);
        out.write_all(b"after").unwrap_err();
        assert_eq!(out.out, b"before");
    }
}
