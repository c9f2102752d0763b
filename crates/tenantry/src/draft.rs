//! Files that commands write and read, with the stop signal. A file is written under a temporary name and renamed, so
//! that no file is ever incomplete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use tenantry_app::archive::{self, ArchiveError};
use tenantry_app::moments;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::CommandError;
use crate::stop::{StopSignals, until_stopped};
use crate::{installation, key};

/// Bytes of standard input that are read at once, and how many such parts wait.
const PART_BYTES: usize = 64 << 10;
const PARTS: usize = 4;
/// The pause between two looks for the stop signal while standard input has nothing.
const INPUT_PAUSE: Duration = Duration::from_millis(100);

/// Writes the file `path` by `write`. A signal stops the writing, and leaves nothing.
pub(crate) async fn written<T>(
    path: &Path,
    write: impl AsyncFnOnce(Stoppable<File>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    check_replaceable(path)?;
    let name = path
        .file_name()
        .ok_or_else(|| CommandError::Message(format!("{}: not the name of a file", path.display())))?;
    // The name is unique, so that the unfinished file of a killed command does not prevent the next one.
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
    let watch = StopWatch::new()?;
    let written = watch.until(write(watch.stopping(file.try_clone()?))).await;
    let kept = written.and_then(|written| {
        file.sync_all()?;
        fs::rename(&draft, path)?;
        key::sync_directory_of(path)?;
        Ok(written)
    });
    let kept = kept.map_err(|error| about_file(path, error));
    if kept.is_err() {
        // After the rename the draft no longer exists.
        drop(fs::remove_file(&draft));
    }
    kept
}

/// Adds the file to an error of the operating system, such as a full disk.
fn about_file(path: &Path, error: CommandError) -> CommandError {
    match error {
        CommandError::Io(error) | CommandError::Archive(ArchiveError::Io(error))
            if error.raw_os_error().is_some() =>
        {
            CommandError::file(path, &error)
        }
        other => other,
    }
}

/// Checks that replacing the file loses nothing: it does not exist, is empty, or is an older backup or export. So a
/// mistake of the operator does not replace the database or its key.
fn check_replaceable(path: &Path) -> Result<(), CommandError> {
    let refused = |what: &str| Err(CommandError::Message(format!("{} {what}", path.display())));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CommandError::file(path, &error)),
        Ok(found) if !found.is_file() => {
            return refused(
                "exists and is not a regular file, so that it is not replaced; use - for standard output",
            );
        }
        Ok(_) => {}
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
    read.map_err(|error| CommandError::file(path, &error))?;
    if head.is_empty() || archive::is_archive(&head) {
        return Ok(());
    }
    refused("exists and is not a backup or an export, so that it is not replaced: name another file")
}

/// Stops work at a signal.
pub(crate) struct StopWatch {
    stopped: watch::Receiver<bool>,
    /// The task that waits for the signal ends with this value.
    _listening: JoinSet<()>,
}

impl StopWatch {
    pub(crate) fn new() -> io::Result<Self> {
        let mut signals = StopSignals::new()?;
        let (stop, stopped) = watch::channel(false);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            signals.next().await;
            stop.send_replace(true);
        });
        Ok(Self { stopped, _listening: listening })
    }

    /// `inner` that fails after the signal.
    pub(crate) fn stopping<W>(&self, inner: W) -> Stoppable<W> {
        Stoppable { inner, stopped: self.stopped.clone() }
    }

    /// Runs `work` until it ends or a signal stops it.
    pub(crate) async fn until<T>(
        &self,
        work: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        tokio::select! {
            () = until_stopped(self.stopped.clone()) => Err(stopped_by_signal().into()),
            done = work => done,
        }
    }
}

fn stopped_by_signal() -> io::Error {
    io::Error::other("stopped by a signal")
}

/// A writer or a queue of input that fails after the stop signal. Reading rows from a file never yields to the task
/// that waits for the signal, so each write checks for it.
pub(crate) struct Stoppable<W> {
    inner: W,
    stopped: watch::Receiver<bool>,
}

impl<W: Write> Write for Stoppable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if *self.stopped.borrow() { Err(stopped_by_signal()) } else { self.inner.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Standard input. A thread of its own reads it, so that waiting for it ends at the signal.
pub(crate) struct Input {
    parts: mpsc::Receiver<io::Result<Vec<u8>>>,
    current: Cursor<Vec<u8>>,
}

impl Input {
    pub(crate) fn standard() -> Self {
        let (send, parts) = mpsc::sync_channel(PARTS);
        std::thread::spawn(move || {
            let mut input = io::stdin();
            loop {
                let mut part = vec![0; PART_BYTES];
                let read = input.read(&mut part);
                match &read {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Ok(0) => break,
                    Ok(length) => part.truncate(*length),
                    Err(_) => {}
                }
                let is_error = read.is_err();
                if send.send(read.map(|_| part)).is_err() || is_error {
                    break;
                }
            }
        });
        Self { parts, current: Cursor::default() }
    }
}

impl Read for Stoppable<Input> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.inner.current.read(bytes)?;
            if read > 0 || bytes.is_empty() {
                return Ok(read);
            }
            if *self.stopped.borrow() {
                return Err(stopped_by_signal());
            }
            match self.inner.parts.recv_timeout(INPUT_PAUSE) {
                Ok(part) => self.inner.current = Cursor::new(part?),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_after_the_stop_signal() {
        let (stop, stopped) = watch::channel(false);
        let mut out = Stoppable { inner: Vec::new(), stopped };
        out.write_all(b"before").unwrap();
        stop.send_replace(true);
        out.write_all(b"after").unwrap_err();
        assert_eq!(out.inner, b"before");
    }

    #[test]
    fn an_error_of_the_operating_system_names_the_file() {
        let (file, full) = (Path::new("b.jsonl"), || io::Error::from_raw_os_error(28));
        for error in [CommandError::Io(full()), CommandError::Archive(ArchiveError::Io(full()))] {
            let message = about_file(file, error).to_string();
            assert!(message.starts_with("b.jsonl: No space left on device"), "{message}");
        }
        assert_eq!(about_file(file, stopped_by_signal().into()).to_string(), "stopped by a signal");
    }
}
