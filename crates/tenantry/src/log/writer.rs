//! Writes log lines by a thread of its own, so that no request waits for standard error.
//!
//! Lines are collected for [`DELAY`] and written together. While standard error takes nothing, as when a pipe is full,
//! [`CAPACITY`] bytes of lines wait. Further lines are dropped, and the event `log lines dropped` says how many. The end
//! of the program and a panic wait for the lines, at most for [`FLUSH`].

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// The time from the first line to the write.
const DELAY: Duration = Duration::from_millis(5);
/// The size of the lines that can wait: 4 MiB.
const CAPACITY: usize = 4 << 20;
/// The longest wait for the lines to be written.
const FLUSH: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
    is_writing: bool,
    is_flushing: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if waiting.lines.len().saturating_add(line.len()) > CAPACITY {
            waiting.dropped = waiting.dropped.saturating_add(1);
            return;
        }
        let is_first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if is_first {
            self.changed.notify_all();
        }
    }

    /// Puts the next lines into `lines`, which is empty, and returns the number of dropped ones.
    fn next(&self, lines: &mut Vec<u8>) -> u64 {
        let mut waiting = self.waiting();
        waiting.is_writing = false;
        self.changed.notify_all();
        let any = self.changed.wait_while(waiting, |waiting| waiting.lines.is_empty());
        let waiting = any.unwrap_or_else(PoisonError::into_inner);
        let all = self.changed.wait_timeout_while(waiting, DELAY, |waiting| !waiting.is_flushing);
        let mut waiting = all.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::swap(&mut waiting.lines, lines);
        waiting.is_writing = true;
        std::mem::take(&mut waiting.dropped)
    }

    fn write_all(&self, mut output: impl Write) {
        let mut lines = Vec::new();
        loop {
            let dropped = self.next(&mut lines);
            // There is no other place to report that standard error is closed.
            drop(output.write_all(&lines).and_then(|()| output.flush()));
            lines.clear();
            if dropped > 0 {
                tracing::warn!(dropped, "log lines dropped");
            }
        }
    }

    fn flush(&self) {
        let mut waiting = self.waiting();
        waiting.is_flushing = true;
        self.changed.notify_all();
        let is_left = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        let waited = self.changed.wait_timeout_while(waiting, FLUSH, is_left);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_flushing = false;
    }
}

/// The place to which log lines are written: each write is one line.
pub(super) struct LogWriter(Arc<Shared>);

impl LogWriter {
    /// Starts the thread that writes to `output`.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<(Self, Flush)> {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        thread::Builder::new().name("tenantry-log".into()).spawn(move || writer.write_all(output))?;
        Ok((Self(Arc::clone(&shared)), Flush(shared)))
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for the lines when it is dropped.
pub(super) struct Flush(Arc<Shared>);

impl Flush {
    /// Makes each panic wait for the lines before it is reported.
    pub(super) fn at_each_panic(&self) {
        let (shared, report) = (Arc::clone(&self.0), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            shared.flush();
            report(panic);
        }));
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.0.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// An output that says when a write begins, and takes one for each permit.
    struct Slow {
        begun: Sender<()>,
        permits: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.begun.send(()).map_err(io::Error::other)?;
            self.permits.recv().map_err(io::Error::other)?;
            self.written.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_output_that_takes_nothing_blocks_no_line_and_loses_only_those_beyond_the_capacity() {
        let ((begun, begins), (permit, permits), (written, output)) = (channel(), channel(), channel());
        let (writer, flush) = LogWriter::start(Slow { begun, permits, written }).unwrap();
        let mut lines = &writer;
        lines.write_all(b"first\n").unwrap();
        // From here to the first permit the thread takes no further lines, and no count of dropped ones.
        begins.recv().unwrap();
        let line = [b'x'; 1 << 10];
        for _ in 0..3 * CAPACITY / line.len() {
            lines.write_all(&line).unwrap();
        }
        let dropped = writer.0.waiting().dropped;
        assert!(dropped > 0);
        (0..8).for_each(|_| permit.send(()).unwrap());
        drop(flush);
        let all: Vec<u8> = output.try_iter().flatten().collect();
        assert!(all.starts_with(b"first\n"));
        let lines = all.len() as u64 / line.len() as u64;
        assert_eq!(lines + dropped, 3 * CAPACITY as u64 / line.len() as u64);
    }
}
