//! Backups that the server makes by itself: `--backup-to`.
//!
//! A backup is due when the newest one in the directory is older than the interval. It is made by a thread of its own
//! with a low priority and its own connections, as by `tenantry backup`, and read back. Then the oldest backups beyond
//! the number to keep are deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tenantry_app::App;
use tenantry_app::archive::BackupSummary;
use tokio::sync::{oneshot, watch};

use crate::error::CommandError;
use crate::installation::{self, Database};
use crate::stop::until_stopped;
use crate::{data, draft};

/// The pause after a backup that failed.
const RETRY: Duration = Duration::from_secs(15 * 60);
/// The longest pause until the directory is read again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);
/// The time in which a backup that is being written ends when the server stops.
const END: Duration = Duration::from_secs(5);
/// The priority of the thread, from -20 (first) to 19 (last).
const NICENESS: i32 = 15;
/// The parts of a backup's name, around its time in UTC.
const PREFIX: &str = "tenantry-";
const TIME: &str = "%Y%m%dT%H%M%SZ";
const SUFFIX: &str = ".jsonl";

/// The settings of backups.
#[derive(Debug, Clone)]
pub(crate) struct BackupSchedule {
    pub(crate) directory: PathBuf,
    /// The time between two backups.
    pub(crate) every: Duration,
    /// The number of backups that are kept.
    pub(crate) keep: usize,
}

impl BackupSchedule {
    /// Checks that the directory exists and can be written to.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        let wrong = |why: String| {
            CommandError::Argument("--backup-to", format!("{}: {why}", self.directory.display()))
        };
        match fs::metadata(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(wrong("the directory does not exist: create it first".to_owned()));
            }
            Err(error) => return Err(wrong(error.to_string())),
            Ok(found) if !found.is_dir() => return Err(wrong("is not a directory".to_owned())),
            Ok(_) => {}
        }
        tempfile::tempfile_in(&self.directory).map_err(|error| wrong(error.to_string())).map(|_| ())
    }

    /// The time until the next backup is due.
    fn pause(&self, now: Timestamp) -> io::Result<Duration> {
        let newest = backups(&self.directory)?.into_iter().map(|(time, _)| time).max();
        let Some(newest) = newest else { return Ok(Duration::ZERO) };
        let every = SignedDuration::try_from(self.every).unwrap_or(SignedDuration::MAX);
        // A time in the future, of a clock that was wrong, does not postpone the next one for longer.
        let left = every.saturating_sub(now.duration_since(newest)).min(every);
        Ok(Duration::try_from(left).unwrap_or_default())
    }

    /// Deletes the oldest backups beyond the number to keep.
    fn prune(&self) -> io::Result<()> {
        let mut found = backups(&self.directory)?;
        found.sort();
        let excess = found.len().saturating_sub(self.keep);
        for (_, path) in found.into_iter().take(excess) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// The backups in a directory with their times. Other files are none.
fn backups(directory: &Path) -> io::Result<Vec<(Timestamp, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if let Some(time) = path.file_name().and_then(|name| time_in(name.to_str()?)) {
            found.push((time, path));
        }
    }
    Ok(found)
}

fn name_at(time: Timestamp) -> String {
    format!("{PREFIX}{}{SUFFIX}", time.strftime(TIME))
}

fn time_in(name: &str) -> Option<Timestamp> {
    let time = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let time = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    // Spellings that this program does not write are other files.
    (name_at(time) == name).then_some(time)
}

/// Makes a backup whenever one is due, until the server stops.
pub(crate) async fn run(
    backups: Option<(BackupSchedule, Arc<Database>)>,
    app: &App,
    stopped: watch::Receiver<bool>,
) {
    let Some((schedule, database)) = backups else { return };
    loop {
        let pause = schedule.pause(now()).unwrap_or_else(|error| {
            report(&schedule, &CommandError::file(&schedule.directory, &error));
            RETRY
        });
        if !pause.is_zero() {
            tokio::select! {
                () = until_stopped(stopped.clone()) => return,
                () = tokio::time::sleep(pause.min(LONGEST_PAUSE)) => continue,
            }
        }
        let mut made = make(schedule.clone(), Arc::clone(&database));
        let made = tokio::select! {
            made = &mut made => made,
            // It notices the signal too, and deletes what it has written.
            () = until_stopped(stopped.clone()) => {
                let _ = tokio::time::timeout(END, made).await;
                return;
            }
        };
        match made.unwrap_or_else(|_| Err(CommandError::Message("the backup panicked".to_owned()))) {
            Ok((path, summary)) => {
                data::note_backup(app.store()).await;
                tracing::info!(file = %path.display(), rows = summary.rows, "backup written and read back");
            }
            Err(error) => {
                report(&schedule, &error);
                tokio::select! {
                    () = until_stopped(stopped.clone()) => return,
                    () = tokio::time::sleep(RETRY.min(schedule.every)) => {}
                }
            }
        }
    }
}

fn report(schedule: &BackupSchedule, error: &CommandError) {
    tracing::error!(directory = %schedule.directory.display(), %error, "backup failed");
}

fn now() -> Timestamp {
    Timestamp::from_microsecond(installation::now().as_micros()).unwrap_or_default()
}

type Made = Result<(PathBuf, BackupSummary), CommandError>;

/// Makes a backup in a thread of its own.
fn make(schedule: BackupSchedule, database: Arc<Database>) -> oneshot::Receiver<Made> {
    let (send, made) = oneshot::channel();
    let working = move || {
        // Of this thread alone. Without the right to do so, the backup competes with requests.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome =
            runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(written(&schedule, &database)));
        // Nobody waits any more when the server stops.
        drop(send.send(outcome));
    };
    if let Err(error) = std::thread::Builder::new().name("tenantry-backup".to_owned()).spawn(working) {
        tracing::warn!(%error, "thread of the backup not started");
    }
    made
}

async fn written(schedule: &BackupSchedule, database: &Database) -> Made {
    let path = schedule.directory.join(name_at(now()));
    let store = database.open_existing("--database").await?;
    let summary =
        draft::written(&path, async |out| data::write_archive(&store, out, &mut |_| {}).await).await;
    store.close().await;
    let summary = summary?;
    if let Err(error) = tenantry_app::archive::verify(&path, &mut |_| {}) {
        // A damaged backup must not count as the newest one, nor push out a good one.
        fs::remove_file(&path).map_err(|error| CommandError::file(&path, &error))?;
        return Err(CommandError::Message(format!("{}: {error}; it was deleted", path.display())));
    }
    schedule.prune().map_err(|error| CommandError::file(&schedule.directory, &error))?;
    Ok((path, summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(directory: &Path, keep: usize) -> BackupSchedule {
        BackupSchedule { directory: directory.to_owned(), every: Duration::from_secs(3_600), keep }
    }

    #[test]
    fn a_backup_is_due_when_the_newest_is_older_than_the_interval() {
        let folder = tempfile::tempdir().unwrap();
        let schedule = schedule(folder.path(), 2);
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        assert_eq!(schedule.pause(at(0)).unwrap(), Duration::ZERO);
        fs::write(folder.path().join(name_at(at(0))), "").unwrap();
        fs::write(folder.path().join(name_at(at(-9_000))), "").unwrap();
        assert_eq!(schedule.pause(at(600)).unwrap(), Duration::from_secs(3_000));
        assert_eq!(schedule.pause(at(3_600)).unwrap(), Duration::ZERO);
        assert_eq!(schedule.pause(at(-86_400)).unwrap(), Duration::from_secs(3_600));
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(schedule.pause(at(0)).is_err() && schedule.check().is_err());
    }

    #[test]
    fn the_oldest_backups_are_deleted_and_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let others =
            ["tenantry-20270115T080000Z.jsonl.old", "tenantry-2027.jsonl", "tenantry-20270115T080000z.jsonl"];
        let ours = [
            "tenantry-20270115T080000Z.jsonl",
            "tenantry-20270116T080000Z.jsonl",
            "tenantry-20270117T080000Z.jsonl",
        ];
        for name in others.iter().chain(&ours) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        schedule(folder.path(), 2).prune().unwrap();
        let is_there = |name: &&str| folder.path().join(name).exists();
        assert_eq!(ours.map(|name| is_there(&name)), [false, true, true]);
        assert!(others.iter().all(is_there));
    }
}
