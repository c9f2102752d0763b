//! The write-ahead log: its size, its limits, and the gates by which its users are held off.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::gate::Gate;

/// The time that the writer waits for room in the log.
const WAIT_FOR_ROOM: Duration = Duration::from_secs(10);

/// Sizes of the log, in bytes, from which something is done. The module [`checkpoint`](super::checkpoint) says what.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogLimits {
    pub(super) write_back: u64,
    pub(super) truncate: u64,
    pub(super) interrupt: u64,
    pub(super) stop: u64,
}

impl LogLimits {
    pub(super) const DEFAULT: Self =
        Self { write_back: 16 << 20, truncate: 64 << 20, interrupt: 128 << 20, stop: 256 << 20 };
}

#[derive(Default)]
struct Requests {
    /// Rounds of the checkpoint thread that have ended.
    rounds: u64,
    is_wanted: bool,
    is_stopped: bool,
}

/// The write-ahead log of an open database, shared by its writer, its readers and the checkpoint thread.
pub(super) struct Log {
    path: PathBuf,
    limits: LogLimits,
    /// The size at which the log could not be truncated, because another process was reading; else 0. The limits count
    /// from here.
    kept: AtomicU64,
    pub(super) writer: Gate,
    pub(super) readers: Gate,
    pub(super) large_reads: Gate,
    pub(super) list_queries: Gate,
    pub(super) interrupts_queries: AtomicBool,
    requests: Mutex<Requests>,
    changed: Condvar,
}

impl Log {
    pub(super) fn new(database: &Path, limits: LogLimits) -> Self {
        let name = database.file_name().unwrap_or_default().to_string_lossy();
        Self {
            path: database.with_file_name(format!("{name}-wal")),
            limits,
            kept: AtomicU64::new(0),
            writer: Gate::default(),
            readers: Gate::default(),
            large_reads: Gate::default(),
            list_queries: Gate::default(),
            interrupts_queries: AtomicBool::new(false),
            requests: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The size of the file in bytes.
    pub(super) fn size(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |log| log.len())
    }

    pub(super) fn limits(&self) -> LogLimits {
        let LogLimits { write_back, truncate, interrupt, stop } = self.limits;
        let kept = self.kept.load(Ordering::Relaxed);
        LogLimits { write_back, truncate: kept + truncate, interrupt: kept + interrupt, stop: kept + stop }
    }

    /// Counts the limits from the size that the log has, after the checkpoint thread failed to truncate it.
    pub(super) fn keep(&self, bytes: u64) {
        self.kept.store(bytes, Ordering::Relaxed);
    }

    /// Makes the writer wait while the log is full. Goes on without room when the checkpoint thread cannot make any.
    pub(super) fn wait_for_room(&self) {
        if self.size() < self.limits().stop {
            return;
        }
        let mut requests = self.requests();
        requests.is_wanted = true;
        self.changed.notify_all();
        // A round that had begun already may have looked at the log before it was full.
        let enough = requests.rounds + 2;
        let is_full = |requests: &mut Requests| {
            let ended = requests.is_stopped || requests.rounds >= enough;
            !ended && self.size() >= self.limits().stop
        };
        drop(self.changed.wait_timeout_while(requests, WAIT_FOR_ROOM, is_full));
    }

    /// Ends the pause of the checkpoint thread after `interval`, or when the writer waits for room. Returns false when
    /// the thread should end.
    pub(super) fn pause(&self, interval: Duration) -> bool {
        let paused = |requests: &mut Requests| !requests.is_wanted && !requests.is_stopped;
        let waited = self.changed.wait_timeout_while(self.requests(), interval, paused);
        let mut requests = waited.unwrap_or_else(PoisonError::into_inner).0;
        requests.is_wanted = false;
        !requests.is_stopped
    }

    pub(super) fn end_round(&self) {
        self.requests().rounds += 1;
        self.changed.notify_all();
    }

    /// Ends the checkpoint thread.
    pub(super) fn stop(&self) {
        self.requests().is_stopped = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.requests().is_stopped
    }

    /// Waits until the checkpoint thread has ended a round.
    #[cfg(test)]
    pub(super) fn wait_for_round(&self) {
        let requests = self.requests();
        let before = requests.rounds;
        drop(self.changed.wait_while(requests, |requests| requests.rounds == before));
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
